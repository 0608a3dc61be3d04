"""`farebox value`. Start with `commands.py`."""
