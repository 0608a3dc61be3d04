"""`farebox up`: every process of Farebox on one machine, with the warehouse inside. Start with `run.py`."""
