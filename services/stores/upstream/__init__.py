"""The `Upstream` port: pooled HTTP/1.1 connections to providers. Start with `pool.py`."""
