"""The operator's own prices, and what has no price. Prices are chosen and computed in `services/domain/pricing`.

Start with `endpoints.py`.
"""
