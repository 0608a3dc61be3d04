"""Charging stored requests again, in the background. Start with `runner.py`; the arithmetic is `domain/pricing`."""
