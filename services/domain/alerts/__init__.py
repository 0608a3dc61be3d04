"""When an alert fires: its rule, windows on the calendar, the states of its groups, notices, forecasts, back-tests.

Pure functions; who runs them is in `alerting/` and `scheduler/`. Start reading in `machine.py`.
"""
