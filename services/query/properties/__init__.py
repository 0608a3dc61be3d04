"""The names and values of properties, and what each value cost, in Helicone's endpoints.

Start with `values.py`.
"""
