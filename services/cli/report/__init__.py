"""`farebox report` and its like: `anomalies`, `distribution` and `savings`. Start with `report.py`.

`options.py` parses what is typed, `printed.py` asks the query service and prints its response, and `seal.py` says under
each table until when it is complete. What is sent by the calendar is in `scheduled_reports.py` beside this package.
"""
