"""What happens by the clock: alerts are evaluated, notices are sent, and reports are made.

Start with `evaluator.py` and `delivery.py`. What alerts and reports say is decided in `domain`; what is sent is kept in
`stores/state`.
"""
