"""Adapters: one port and one outside system each. They decide nothing.

Start with `factory.py`, which opens each by the URL of a setting; the ports are in `services/ports`. Packages are named
after the outside system or, where several serve, after what they store.
"""
