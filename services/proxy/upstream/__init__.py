"""Decorators of the `Upstream` port: what is added on the way to a provider, one file each, composed in `build.py`.

A decorator's call is an `UpstreamCall` towards the exchange and a `ResponseReceiver` towards the next upstream, so the
exchange knows none of them; cache, retries and fallbacks belong here. Start with `first_byte_timeout.py`. Connections
to providers are in `stores/upstream`.
"""
