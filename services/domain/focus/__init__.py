"""Charges as the FinOps Open Cost and Usage Specification (FOCUS) 1.4 has them: which columns, and what is in them.

Receipts are made in `pricing`. Start with `rows.py`.
"""
