"""Bodies and responses of the HTTP API, one module per package of `services/query`. Frozen pydantic models.

Nothing here computes. Start with `requests.py`.
"""
