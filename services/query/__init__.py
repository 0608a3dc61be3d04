"""The query service: an HTTP API over the rows that the worker inserts. Start with `app.py`, then one package a part.

Each package holds the endpoints of its part and a router of them: `requests/`, `reports/`, `value/`, `savings/`,
`exports/`, `prices/` and so on; `http/` what they share; `build.py` wires the process. It writes what its endpoints
change: prices, re-pricing runs and what these write (`services/repricing`), value, and as events in the log what is set
on requests later (`amendments/`) and calls that clients log afterwards (`log_routes.py`, by the proxy's code). SQL is
written in `services/sql`.
"""
