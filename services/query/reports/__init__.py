"""Requests added up: reports by columns, properties and time, what changed between periods, and the summary.

The measures are in `services/sql`, and what is decided about periods and reasons in `services/domain/reports`. Start
with `report.py`, then `question.py` and `response.py`.
"""
