"""The query service: an HTTP API over the rows that the worker inserts. Start with `app.py`, then one package a part.

`requests/`, `reports/`, `prices/` and `reprices/` hold the endpoints, each with its `router.py`; `http/` what they
share; `build.py` wires the process. It writes what its endpoints change: prices, re-pricing runs and what these write
(`services/repricing`), and calls that clients log afterwards (`log_routes.py`, by the proxy's code). SQL is written in
`services/sql`.
"""
