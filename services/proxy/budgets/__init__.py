"""Budgets between a request and its provider: reserved before it is sent, settled when its cost is known.

Start with `budgeted_call.py`, the decorator, behind the cache, rate limits and retries, so that no attempt escapes it.
`check.py` decides by the pure rules of `domain/budgets`; `definitions.py` caches which budgets there are; `access.py`
keeps the counters' failures and delays from requests; `reading.py` is what is read of a body.
"""
