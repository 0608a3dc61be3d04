"""Small state that people change: API keys, operator prices, re-pricing runs. SQLite or PostgreSQL.

Start with `database.py` and `tables.py`; `migrations/` makes the tables, `leases.py` gives a job to one process at a
time, and each other module is one port. Requests and their costs are not here: they are in the warehouse.
"""
