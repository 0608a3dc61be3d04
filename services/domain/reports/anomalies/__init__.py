"""What is unusual in a series of figures over time: expected by the season, and judged by its own deviations.

Reading the series is the warehouse's (`services/sql/anomalies.py`), asking for them `services/query/reports/anomalies`.
Nothing is trained and nothing is kept: the same figures always have the same anomalies. Start with `judge.py`, then
`baseline.py` and `seasons.py`.
"""
