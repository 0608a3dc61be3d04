"""What every endpoint of the query service shares: routes and keys, bodies and responses, errors, connections.

No endpoint lives here. Start with `routing.py`, then `errors.py`; below them `server.py` and `connection.py`.
"""
