"""Retries and fallbacks: several attempts at one request, until a response is passed on to its client.

Start with `call.py`; `plan.py` says which attempt is next, by the rules of `domain/resilience`, and `circuits.py` which
servers are passed over. `by_model.py` comes before, where the body says which servers. What all share is in `use.py`.
"""
