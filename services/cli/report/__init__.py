"""`farebox report` and its like: `anomalies`, `distribution` and `savings`. Start with `report.py`.

Each is a request to the query service (`options.py` parses what is typed), laid out as text, and under it the seal:
until when it is complete. What is sent by the calendar is in `scheduled_reports.py` beside this package.
"""
