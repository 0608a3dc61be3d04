"""What usage costs: price books, charges, receipts, charging again.

Knows no provider's response format (`usage/`); prices come from `stores/shipped_prices` and the operator.
Start with `cost.py`.
"""
