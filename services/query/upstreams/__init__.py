"""Servers that an operator adds by name, for the proxy to send calls to.

The proxy reads the rows with its keys; which row a request takes is decided in `domain/routing`. Start with
`router.py`.
"""
