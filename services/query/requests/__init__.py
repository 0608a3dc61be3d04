"""Requests one by one: pages by filter, a request by id, its bodies, its receipt. Sums are in `../reports`.

Start with `list.py`.
"""
