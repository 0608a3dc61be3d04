"""Budgets, decided: what a budget may be, which a request counts in, what it can cost at most, and what is left.

Start with `claims.py`. `definition.py` checks what an operator writes, `amounts.py` turns dollars into the whole
nanodollars of counters, `slots.py` places timestamps in windows, `bound.py` is the most that a request can cost,
`fallback.py` names another model in its body, `refusal.py` is what clients
are told, `notices.py` what channels are. Not here: counters
(`stores/budgets`), and what stands between a request and its provider (`proxy/budgets`).
"""
