"""The operator's own prices, what has no price, and whose reported cost contradicts ours.

Prices are chosen and computed in `services/domain/pricing`. Start with `endpoints.py`.
"""
