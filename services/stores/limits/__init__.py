"""Levels of rate limits: LimitStores in the memory of one process (`memory_limits.py`), and in Valkey or Redis.

Start with `memory_limits.py`. Not here: what a policy means (`domain/limits`), and how a bucket fills
(`services/token_bucket.py`).
"""
