"""HTTP/1.1 towards clients: sockets, requests in, responses out, on uvicorn's server. Start with `connection.py`.

What becomes of a request is decided in `exchange/`.
"""
