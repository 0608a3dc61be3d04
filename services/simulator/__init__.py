"""Simulated providers on loopback, for the demo, the tests and the benchmarks. Start with `server.py`."""
