"""`farebox reprice`. Start with `commands.py`."""
