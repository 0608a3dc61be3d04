"""Figures of a period, over time, by model, and of the response cache: what Helicone's dashboard asks.

Start with `over_time.py`.
"""
