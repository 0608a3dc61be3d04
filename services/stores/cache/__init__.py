"""The response cache: one file of SQLite for one process, Valkey or Redis for many.

Both hold payloads by key and slot, and know nothing of what is in them. Start with `sqlite_cache.py`.
"""
