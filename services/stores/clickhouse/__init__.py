"""The warehouse: ClickHouse as a server or inside this process, through one client. Start with `warehouse.py`.

The SQL of queries is compiled in `services/sql`, and the tables are defined in `clickhouse/`; neither lives here.
"""
