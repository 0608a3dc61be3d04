"""What the scheduler and the query service both do with an alert: look at its windows in the warehouse, and try it out.

Not here: when alerts are evaluated (`scheduler/`), what follows from what was seen (`domain/alerts/`), endpoints
(`query/alerts/`). Start reading in `observe.py`.
"""
