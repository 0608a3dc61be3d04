"""`farebox demo`: simulated providers, four weeks of history, traffic of real SDKs, a report. Start with `run.py`."""
