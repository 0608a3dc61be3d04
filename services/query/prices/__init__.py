"""Operator prices, and what has no price. Start with `endpoints.py`."""
