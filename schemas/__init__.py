"""The vocabulary: frozen values and errors, without behaviour beyond their own invariants, without input or output.

`event.py` travels through the event log, `record.py` is a stored row, `usage.py` and `price.py` make its cost,
`tables.py` lists what filters may name; `api/` has the bodies of the HTTP API. Start with `event.py`, then `record.py`.
"""
