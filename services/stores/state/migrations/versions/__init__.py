"""One module a revision, in the order of their numbers. Start with `0001_state.py`."""
