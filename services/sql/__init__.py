"""The only room where SQL is written: filter JSON into a tree, and the tree into statements with bound parameters.

Nothing here runs a statement (`services/stores/clickhouse`) or defines a table (`clickhouse/`; what clients may name is
in `schemas/tables.py`). Start with `nodes.py`, then `parse.py` and `compile.py`.
"""
