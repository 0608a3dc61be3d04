"""One exchange as the proxy sees it: headers, routes, bodies, and the capture that becomes an `ExchangeEvent`.

What the exchange cost is not decided here (`usage/`, `pricing/`). Start with `capture.py`.
"""
