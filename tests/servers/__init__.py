"""Real servers for tests, and ways to talk to them: engines, providers, receivers and Farebox's own processes.

An engine is taken from an address in the environment, from Docker or from an installed program, in this order.
`python -m tests.servers` fetches what the last of these needs. Start reading with `kafka.py`.
"""
