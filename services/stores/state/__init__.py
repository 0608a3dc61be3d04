"""Small state that people change: API keys, operator prices, re-pricing runs. SQLite or PostgreSQL.

Start with `database.py`; each other module is one port.
"""
