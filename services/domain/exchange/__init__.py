"""One exchange as the proxy sees it: headers, routes, bodies, and the capture that becomes an `ExchangeEvent`.

What the exchange cost is not decided here (`usage/`, `pricing/`); which providers there are stands in `providers/`.
Start with `capture.py`; `headers.py` and `helicone_headers.py` decide what a header does, `routes.py` where calls go
unless a request says otherwise (`routing/`).
"""
