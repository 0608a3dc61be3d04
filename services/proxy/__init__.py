"""The process between clients and providers: passes requests on and publishes one event for each.

Start with `http/connection.py` and `exchange/exchange.py`. Pages are in `app.py`, calls that clients log afterwards in
`log_*.py`. How events become rows is the worker's business.
"""
