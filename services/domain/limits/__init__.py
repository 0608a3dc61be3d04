"""Who may go next, and how much: pure policies, without a clock or a store.

Start with `fair_queue.py`, or with `policy.py` for the limits that requests ask for. Not here: the tasks that wait in a
queue (`query/fair_warehouse.py`), how a bucket fills (`services/token_bucket.py`), and its level (`stores/limits`).
"""
