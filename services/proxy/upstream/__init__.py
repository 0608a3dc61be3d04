"""Decorators of the `Upstream` port: what is added on the way to a provider, one file each.

`exchange/context.py` composes them for a request, each only where it is wanted; what they share is made in `build.py`.
A decorator's call is an `UpstreamCall` towards the exchange and a `ResponseReceiver` towards the next upstream, so the
exchange knows none of them. Start with `first_byte_timeout.py`; of the cache with `cached_call.py`: misses go on in
`recorded_call.py`, and in `flights.py` requests wait for one response. Retries and fallbacks are in `attempts`. What
waits for a decision holds its request by `held_request.py`. Connections to providers are in `stores/upstream`.
"""
