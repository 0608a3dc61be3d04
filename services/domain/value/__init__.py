"""What was earned, as clients give it: tables of it, and what makes two entries the same one.

How it is spread over time is said in `services/sql/value.py`. Start with `table.py`.
"""
