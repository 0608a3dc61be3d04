"""Calls that were made elsewhere and logged afterwards: Helicone's log payload -> `ExchangeEvent`.

`payload.py` decodes it, `timestamps.py` its times, `typed.py` renders the errors of the typed route, and
`replacement.py` decides what a log may replace. Not here: the endpoint (`proxy/log_endpoint.py`), and looking up what
a log would replace (`worker/logged_rows.py`). Start with `event.py`.
"""
