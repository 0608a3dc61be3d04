"""Alembic's revisions of the state database, oldest first in `versions/`; `run.py` applies them: start there.

A change of `tables.py` gets a new file there, with the next number, and a test compares both. An applied file never
changes.
"""
