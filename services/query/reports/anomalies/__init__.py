"""Unusual patterns: which groups are looked at, what is unusual in them, and who explains it.

What is unusual is decided in `services/domain/reports/anomalies`, the SQL is in `services/sql/anomalies.py`. Start with
`endpoint.py`, then `plan.py`, `search.py`, `candidates.py` and `explain.py`.
"""
