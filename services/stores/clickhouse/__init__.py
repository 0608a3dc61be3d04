"""The warehouse: ClickHouse as a server or inside this process, through one client. Start with `warehouse.py`.

SQL of questions is written in `services/sql`, table definitions in `clickhouse/`; neither lives here.
"""
