"""`farebox alerts ...`: what people are told of, through the query service. Start reading in `commands.py`."""
