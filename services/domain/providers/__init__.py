"""One record a provider: its path and base URL, names, credentials, usage quirks, unbilled paths and price list.

Start with `record.py`, which says what a record holds, and `openai.py`; `catalog.py` lists all of them. A new provider
is a file here, its line in `catalog.py`, and golden responses in `tests/golden/providers`: routes, settings, log paths
and prices are made from the records. How a usage object is parsed is not decided here (`usage/formats/`): formats are
recognized by their field names, since many providers share one.
"""
