"""Prices of the `genai-prices` package as a `PriceBook`. Operator prices are in `state/prices.py`.

Start with `book.py`; `gaps.py` says where the package is known to be silent.
"""
