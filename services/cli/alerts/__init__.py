"""`farebox alerts ...`: alerts, through the query service. Start reading in `commands.py`."""
