"""Retries and fallbacks: what headers ask for, how long is waited, and which attempts are recorded. Pure functions.

Start with `retry_policy.py`; `backoff.py` says how long, `attempts.py` what follows a failed attempt, and `billed.py`
which failed attempts may have been billed. To which servers fallbacks go is decided in `domain/routing`, attempts are
made in `proxy/upstream`.
"""
