"""Who may go next, and how much: pure policies, without a clock or a store. Start with `fair_queue.py`.

Not here: the tasks that wait in a queue (`query/fair_warehouse.py`), and counters that outlive a process (`stores`).
"""
