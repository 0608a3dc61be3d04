"""Requests one by one: pages by filter, a request by id, its receipt. Start with `list.py`."""
