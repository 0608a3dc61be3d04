"""Adapters: one port and one outside system each. They decide nothing."""
