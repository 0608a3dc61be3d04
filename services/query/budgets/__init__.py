"""Budgets: made, changed, overridden and removed by admin keys; what is left of them, and what they have done.

Start with `router.py`. `counters.py` shows counters, `forecast.py` where they are heading; `spend.py` says what a user,
key, session or property has spent, by `ledger_spend.py` where no budget counts it. Requests are refused by the proxy
(`proxy/budgets`), by the rules of `domain/budgets`.
"""
