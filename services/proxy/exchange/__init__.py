"""One exchange: a request goes to its provider, the response comes back, one event is published.

Start with `exchange.py`. Sockets are in `http/`, connections to providers in `stores/upstream`.
"""
