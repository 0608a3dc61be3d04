"""The `traceparent` header: to which trace a client's call belongs, and below which span.

Source: https://www.w3.org/TR/trace-context/#traceparent-header
"""

import re
from typing import Final, NamedTuple

_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_FIRST_VERSION: Final = "00"
_NO_VERSION: Final = "ff"
_SAMPLED: Final = 1


class TraceContext(NamedTuple):
    trace_id: bytes
    span_id: bytes
    is_sampled: bool


def parse_traceparent(header: str) -> TraceContext | None:
    """None where there is none, or none that is valid: the call is then a trace of its own."""
    match = _TRACEPARENT.fullmatch(header.strip())
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == _NO_VERSION or (version == _FIRST_VERSION and more):
        return None
    if not int(trace_id, 16) or not int(span_id, 16):
        return None
    return TraceContext(bytes.fromhex(trace_id), bytes.fromhex(span_id), bool(int(flags, 16) & _SAMPLED))
