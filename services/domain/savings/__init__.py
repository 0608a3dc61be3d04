"""What sums of usage would be worth elsewhere, and what broken prompt caches cost: prices times tokens, in bounds.

The sums are the warehouse's (`services/sql/savings`). Start with `what_if.py`.
"""
