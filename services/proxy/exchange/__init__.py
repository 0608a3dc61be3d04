"""One exchange: a request goes to its provider, the response comes back, one event is published.

Start with `exchange.py`: its states stand at the top, and the other files are the parts that it holds. Who may pass is
decided in `admission/`; sockets of clients are in `http/`, connections to providers in `stores/upstream`, what is added
on the way to them in `upstream/`.
"""
