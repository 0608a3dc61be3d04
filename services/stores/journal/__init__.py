"""The embedded event log: one SQLite file in WAL mode. Start with `file.py`; `sink.py` writes, `source.py` reads."""
