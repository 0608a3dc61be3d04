"""The usage formats of providers and SDKs, each read into `Usage`. Start with `registry.py`, which chooses one."""
