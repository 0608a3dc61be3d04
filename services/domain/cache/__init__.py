"""What may be served from the response cache, and what may be kept there: decisions, as pure functions.

Start with `policy.py`: what the headers of a request want. `key.py` says which requests are the same, `storable.py`
which responses are worth keeping. The cache itself is in `stores/cache`, its use on the way to a provider in
`proxy/upstream`.
"""
