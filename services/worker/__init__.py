"""The process that turns events into rows: batches from the event log, rows into the warehouse, then a commit.

Start with `loop.py`. `rows.py` makes rows of deliveries, `prices.py` caches what they are charged by; `logged_rows.py`
and `skip_existing.py` compare them with what the warehouse has. `build.py` wires the process, whose health and
metrics `services/health_page.py` serves. What a request costs is decided in `services/domain/enrich.py`; where events
and rows are stored, in `services/stores`.
"""
