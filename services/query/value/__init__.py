"""Value: what users and features earned is taken, corrected, deleted and listed here; reports put it beside costs.

Start with `give.py`. How it is known of the groups of a report is decided in `reports/value_by_group.py`.
"""
