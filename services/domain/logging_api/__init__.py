"""Calls that were made elsewhere and logged afterwards: Helicone's log payload into an `ExchangeEvent`.

The endpoint itself is `proxy/log_endpoint.py`. Start with `event.py`.
"""
