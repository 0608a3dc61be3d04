"""Prices of the `genai-prices` package as a `PriceBook`. Operator prices are in `state/prices.py`.

Start with `book.py`; `names.py` finds whose list a name means, `mapping.py` converts the package's prices into rates by
usage class. Where the package is known to be silent, and whose models a seller sells, stands in the providers' records
(`domain/providers`).
"""
