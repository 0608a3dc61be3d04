"""`farebox keys`: API keys, written straight to the state database. Start with `commands.py`."""
