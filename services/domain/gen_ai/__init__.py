"""Calls of models as OpenTelemetry's conventions for generative AI have them: spans and metrics that Farebox sends out.

Start with `call.py`, which names what a row is. `span.py` makes a span of it and `metrics.py` sums rows up; both are
written by `protobuf.py`, as OTLP has it. `trace_context.py` reads the trace that a client says its call belongs to.
Spans that come in are read in `services/domain/logging_api/otlp`; what is sent, and when, is decided in
`services/worker/otlp_export.py`.
"""
