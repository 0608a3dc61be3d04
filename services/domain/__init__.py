"""Decisions, as pure functions: no input or output, no clock, no randomness.

Start with `enrich.py`, where an event becomes a row: usage, prices, provider and tags meet there, and most packages are
named after what they decide. Not here: SQL (`services/sql`), and whoever calls these functions.
"""
