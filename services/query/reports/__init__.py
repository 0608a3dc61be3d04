"""Requests added up: reports by columns, properties and time, and the summary. Start with `report.py`."""
