"""Requests added up: reports by columns, properties and time, and the summary. The measures are in `services/sql`.

Start with `report.py`.
"""
