"""OTLP's traces in JSON -> spans: names in camel case, ids in hexadecimal, large numbers as texts.

Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from schemas.errors import InvalidRequest
from schemas.undecodable import UNDECODABLE
from services.domain.logging_api.otlp.protobuf import MAX_ATTRIBUTES, MAX_DEPTH
from services.domain.logging_api.otlp.span import Attribute, Span


class _KeyValue(msgspec.Struct):
    key: str = ""
    value: dict[str, Any] | None = None


class _Status(msgspec.Struct):
    code: int | str = 0
    message: str = ""


class _Span(msgspec.Struct, rename="camel"):
    name: str = ""
    trace_id: str = ""
    span_id: str = ""
    start_time_unix_nano: int | str = 0
    end_time_unix_nano: int | str = 0
    attributes: list[_KeyValue] = []
    status: _Status | None = None


class _Scope(msgspec.Struct):
    spans: list[_Span] = []


class _Resource(msgspec.Struct, rename="camel"):
    scope_spans: list[_Scope] = []


class _Export(msgspec.Struct, rename="camel"):
    resource_spans: list[_Resource] = []


_exports = msgspec.json.Decoder(_Export)


def spans_in(payload: bytes) -> Iterator[Span]:
    """Raises: InvalidRequest, which names the invalid member."""
    try:
        export = _exports.decode(payload)
    except UNDECODABLE as error:
        raise InvalidRequest(f"the body is no ExportTraceServiceRequest in JSON: {error}") from None
    for resource in export.resource_spans:
        for scope in resource.scope_spans:
            yield from map(_span, scope.spans)


def _span(span: _Span) -> Span:
    named = ((one.key, _plain(_value(one.value or {}, 0))) for one in span.attributes[:MAX_ATTRIBUTES])
    status = span.status or _Status()
    return Span(
        name=span.name,
        trace_id=_id(span.trace_id),
        span_id=_id(span.span_id),
        start_ns=_number(span.start_time_unix_nano),
        end_ns=_number(span.end_time_unix_nano),
        status=2 if status.code in (2, "STATUS_CODE_ERROR") else 0,
        status_message=status.message,
        attributes={name: value for name, value in named if value is not None},
    )


def _value(value: dict[str, Any], depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise InvalidRequest("an attribute of a span is nested too deeply")
    match value:
        case {"stringValue": str(text)}:
            return text
        case {"boolValue": bool(flag)}:
            return flag
        case {"intValue": int() | str() as number}:
            return _number(number)
        case {"doubleValue": int() | float() as number}:
            return float(number)
        case {"arrayValue": {"values": list(values)}}:
            return [_value(one, depth + 1) for one in values if isinstance(one, dict)]
        case {"kvlistValue": {"values": list(values)}}:
            named = [one for one in values if isinstance(one, dict) and isinstance(one.get("key"), str)]
            return {one["key"]: _value(one.get("value") or {}, depth + 1) for one in named}
    return None


def _plain(value: Any) -> Attribute | None:
    encoded: Attribute | None = msgspec.json.encode(value).decode() if isinstance(value, list | dict) else value
    return encoded


def _id(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise InvalidRequest(f"an id of a span is not hexadecimal: {text[:64]!r}") from None


def _number(value: int | str) -> int:
    if isinstance(value, int):
        return value
    digits = value.removeprefix("-")
    if not digits.isdecimal() or len(digits) > 20:  # of 64 bits
        raise InvalidRequest(f"a number of a span is none: {value[:64]!r}")
    return int(value)
