"""Alerts: Helicone's endpoints and ours, back-tests, and why an alert is silent. Start reading in `router.py`.

Evaluated they are by the scheduler.
"""
