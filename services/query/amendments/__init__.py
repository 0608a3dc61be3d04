"""What clients set on requests that have finished: properties, scores and feedback.

Each is an event in the log, which the worker brings into the row. Start with `endpoints.py`.
"""
