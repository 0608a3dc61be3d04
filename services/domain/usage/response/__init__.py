"""What is read in one response or chunk: where model, usage, tier and errors stand, fees by the call, reported cost.

Not how a usage object counts (`usage/formats`), and not what several chunks come to (`usage/parse.py`). Start with
`envelope.py`.
"""
