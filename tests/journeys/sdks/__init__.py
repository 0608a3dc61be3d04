"""Clients as they are published, in environments of their own: what they call, and the provider that responds to them.

`calls.py` and `calls.mjs` run with the packages of `requirements.lock` and `package-lock.json`, which `make sdks`
installs beside those of the tests. Nothing in them knows Farebox but for an address and headers.
"""
