"""Counters of budgets: BudgetCounters in a file of SQLite, for one machine, and in Valkey or Redis for many.

What both do is one contract, `services/ports/budgets.py`: start there. One set of tests runs for both. Not here: what a
budget is and which requests count in it (`domain/budgets`), and the rows of budgets (`stores/state/budgets.py`).
"""
