"""Statements of what could be saved: prompts that came again, prompt caches that broke, usage at other prices.

They add up in the warehouse; what the sums are worth is decided in `services/domain/savings`. Start with `repeats.py`.
"""
