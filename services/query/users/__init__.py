"""What each user sent and cost, in Helicone's endpoints. The measures are in `services/sql`.

Start with `metrics.py`.
"""
