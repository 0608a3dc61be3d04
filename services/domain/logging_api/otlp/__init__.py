"""Calls that OpenTelemetry's SDKs report as spans -> the events that the proxy would have published for them.

`protobuf.py` and `document.py` read the two encodings of OTLP's traces, `span.py` says which spans are calls of models
and what their attributes mean, `call.py` makes a logged call of one. Start with `export.py`, which does all of it.
"""
