"""`farebox prices`. Start with `commands.py`."""
