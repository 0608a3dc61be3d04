"""What could be saved: repeated prompts, broken prompt caches of providers, and the same usage at other prices.

Statements are in `services/sql/savings`, what is decided of their sums in `services/domain/savings`. Start with
`repeats.py`.
"""
