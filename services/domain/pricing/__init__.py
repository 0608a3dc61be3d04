"""What usage costs: `cost.py` decides between priced, free and unknown, `charge.py` multiplies, `receipt.py` explains.

`price_book.py` layers the operator's prices over the shipped ones, `price_input.py` validates what operators enter,
`billable.py` knows which requests are never billed, `bill.py` takes a provider's own bill where a response carries it,
`reprice.py` charges stored rows again. Not here: how usage is parsed (`domain/usage`), and where prices come from
(`stores/shipped_prices`, `stores/state`). Start with `cost.py`.
"""
