"""Exports: all requests that fulfil a filter, or what they were charged for, as one stream in constant memory.

What a row holds is decided in `columns.py` and `services/domain/focus`, what files look like in `formats.py` and
`parquet.py`. Single pages are in `query/requests`. Start with `endpoint.py`.
"""
