"""A call that its client logged afterwards -> the event that the proxy would have published for it.

The client tells what the provider was asked for and what it answered, and when. Read here is only what fixes the
row's identity and how the call ended; both bodies go into the event unread, so that usage, model and cost are found
by the same rules as for traffic that passed the proxy.

A client may tell a cost (`providerResponse.cost`). It is nobody's bill, so it never becomes ours: the event carries
it, the row shows it as `provider_cost_usd`, and where the usage has no price the cost stays unknown.

A log that calls itself a tool, a data source or a vector database (`_type`) is a step beside the model: it goes by that
name and is free, unless its response holds usage, which is then priced as any other.
"""

import re
from collections.abc import Generator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from schemas.errors import InvalidRequest
from schemas.event import ExchangeEvent, Outcome, RequestEvent, ResponseEvent
from schemas.price import MAX_USD
from schemas.undecodable import UNDECODABLE
from services.domain.exchange.capture import beginning_and_end
from services.domain.exchange.headers import Pair, parse_helicone_headers
from services.domain.exchange.routes import KEY_IN_PATH
from services.domain.exchange.sse import looks_like_events
from services.domain.logging_api.payload import (
    NOT_THERE,
    LoggedCall,
    LoggedResponse,
    Timing,
    payload_steps,
    read_meta,
    valid_utf8,
)
from services.domain.logging_api.timestamps import elapsed_ms, first_byte_ms, started_at
from services.domain.logging_api.typed import TYPED_PATH
from services.domain.providers.catalog import PROVIDERS
from services.domain.providers.openai import OPENAI
from services.domain.usage.request import MAX_NAME_CHARACTERS

_TRACE_PATHS: Final = ("/v1/trace/custom/v1/log", "/v1/trace/custom/log", TYPED_PATH)  # OpenAI's, as with Helicone
LOG_PATHS: Final[Mapping[str, str]] = {  # path -> provider, unless the payload names one
    **{f"/{provider.label}/v1/log": provider.name for provider in PROVIDERS if provider.label},
    **dict.fromkeys(_TRACE_PATHS, OPENAI.name),
}

_ENDINGS: Final = {-3: Outcome.CLIENT_DISCONNECTED, -2: Outcome.TIMED_OUT}  # by Helicone's statuses that are not HTTP's
_MAX_LABEL_BYTES: Final = 32 * 2**10  # about what a request's head may hold
_MAX_URL_CHARACTERS: Final = 2048
_PROVIDER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")
_PROPERTY_IN_SNAKE_CASE: Final = re.compile(r"helicone_property_", re.IGNORECASE)

_MAX_RAW_NAME_BYTES: Final = 64 * 2**10

T = TypeVar("T")

_text = msgspec.json.Decoder(str)


class LoggedBy(msgspec.Struct, frozen=True, kw_only=True):
    """Who logs, and what the logging request itself says."""

    organization_id: str
    key_id: str
    provider: str  # of the path
    labels: Sequence[Pair]  # its `Helicone-*` headers, which win over those in the payload


def read_log(
    payload: bytes | bytearray, by: LoggedBy, *, drawn_id: str, now: datetime, capture_bytes: int
) -> ExchangeEvent:
    """The event of the call in `payload`. A call that names its id has the same identity whenever it is logged again.

    `drawn_id` is the id of a call that names none; of each body `capture_bytes` are kept, and the end of the response.
    Raises: InvalidRequest, which names what is wrong.
    """
    return result_of(read_log_steps(payload, by, drawn_id=drawn_id, now=now, capture_bytes=capture_bytes))


def result_of(steps: Generator[None, None, T]) -> T:
    """What `steps` return, all of them run at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def read_log_steps(
    payload: bytes | bytearray, by: LoggedBy, *, drawn_id: str, now: datetime, capture_bytes: int
) -> Generator[None, None, ExchangeEvent]:
    """Like `read_log`; yields where others may be let in, as each step may take milliseconds for a large `payload`."""
    call = yield from payload_steps(payload)
    yield
    request = _request(call, by, drawn_id, now)
    yield
    response = _response(call.provider_response, call.timing)
    yield
    step = ""
    if b'"_type"' in request.body or b'"_type"' in response.body:
        step = _step(_named_in(request.body), _named_in(response.body))
    body, tail = beginning_and_end(response.body, capture_bytes)
    return ExchangeEvent(
        request=msgspec.structs.replace(request, body=request.body[:capture_bytes], step=step),
        response=msgspec.structs.replace(response, body=body, body_tail=tail),
        recorded_at=now,
    )


def _request(call: LoggedCall, by: LoggedBy, drawn_id: str, now: datetime) -> RequestEvent:
    asked = call.provider_request
    tags, request_id = parse_helicone_headers([*by.labels, *_labels(read_meta(asked.meta), by.labels)])
    body = _content(asked.json)
    return RequestEvent(
        organization_id=by.organization_id,
        request_id=request_id or drawn_id,
        created_at=started_at(call.timing.start_time, now),
        provider=_provider(call.provider) or by.provider,
        method="POST",
        target_url=_target(asked.url),
        tags=tags,
        content_type="application/json",
        body=body,
        body_bytes=len(body),
        key_id=by.key_id,
        logged=True,
    )


def _response(answer: LoggedResponse, timing: Timing) -> ResponseEvent:
    outcome, status = _ending(answer.status)
    body, content_type = _content(answer.json), "application/json"
    if answer.text_body:
        body = answer.text_body.encode()
        content_type = "text/event-stream" if looks_like_events(body) else "text/plain"
    return ResponseEvent(
        outcome=outcome,
        status=status,
        latency_ms=elapsed_ms(timing.start_time, timing.end_time),
        first_byte_ms=first_byte_ms(timing.time_to_first_token),
        content_type=content_type,
        body=body,
        body_bytes=len(body),
        reported_cost_usd=_cost_usd(answer.cost),
    )


def _content(raw: msgspec.Raw) -> bytes:
    """The JSON of a body, as written; of one that is a text the text, as some clients encode twice."""
    content = bytes(raw)
    if content.startswith(b'"'):
        try:
            return _text.decode(content).encode()
        except UNDECODABLE:
            return _text.decode(valid_utf8(content)).encode()
    return b"" if content == b"null" else content


def _ending(status: int) -> tuple[Outcome, int | None]:
    if status in _ENDINGS:
        return _ENDINGS[status], None
    if not 100 <= status <= 999:
        raise InvalidRequest("providerResponse.status must be an HTTP status, -3 for cancelled or -2 for timed out")
    return Outcome.COMPLETED if status < 400 else Outcome.PROVIDER_ERROR, status


def _cost_usd(told: float | None) -> Decimal | None:
    if told is None:
        return None
    if not 0 <= told <= MAX_USD:
        raise InvalidRequest("providerResponse.cost must be US dollars, zero or more")
    return Decimal(str(told))


def _provider(told: str | None) -> str:
    """In upper case, as ours are. '' when nobody says."""
    if not told:
        return ""
    if not _PROVIDER.fullmatch(told):
        raise InvalidRequest("provider must be a name of at most 64 letters, digits, spaces, dots, dashes")
    return told.upper()


def _target(url: str) -> str:
    """Without what may hold keys: user, query and fragment, and Farebox's own in the path."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InvalidRequest("providerRequest.url is not a URL") from None
    site = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else ""
    return f"{site}{KEY_IN_PATH.sub('', parts.path)}"[:_MAX_URL_CHARACTERS]


def _labels(meta: Mapping[str, Any], headers: Sequence[Pair]) -> list[Pair]:
    """The `Helicone-*` headers among `meta`, but those that are also among the real `headers`."""
    real = {name.lower() for name, _ in headers}
    labels = []
    for key, value in meta.items():
        name = _header_name(key)
        if name and value is not None and name.lower() not in real:
            labels.append((name, _header_value(key, value)))
    if sum(len(name) + len(value) for name, value in labels) > _MAX_LABEL_BYTES:
        raise InvalidRequest(f"providerRequest.meta holds more than {_MAX_LABEL_BYTES} bytes of headers")
    return labels


def _header_name(key: str) -> bytes:
    """b'' for what is no header of ours. LiteLLM writes them in snake case, as Python's names are."""
    if key.lower().startswith("helicone_"):
        spelled = _PROPERTY_IN_SNAKE_CASE.match(key)
        key = f"Helicone-Property-{key[spelled.end() :]}" if spelled else key.replace("_", "-")
    return key.encode() if key.lower().startswith("helicone-") else b""


def _header_value(key: str, value: object) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, int | float):
        return msgspec.json.encode(value)
    raise InvalidRequest(f"providerRequest.meta.{key[:100]} must be a text")


class _Named(msgspec.Struct, frozen=True):
    """What a body says about the kind of call it was, unread: it may be anything."""

    kind: msgspec.Raw = msgspec.field(default=NOT_THERE, name="_type")
    tool: msgspec.Raw = msgspec.field(default=NOT_THERE, name="toolName")
    name: msgspec.Raw = NOT_THERE


_STEPS: Final = ("tool", "data", "vector_db")
_NAMELESS: Final = "unknown"

_named = msgspec.json.Decoder(_Named)


def _named_in(body: bytes) -> _Named:
    try:
        return _named.decode(body)
    except UNDECODABLE:
        return _Named()


def _step(request: _Named, response: _Named) -> str:
    """The name of a step beside the model, by Helicone's names for its model; '' for calls of models.

    The Python client writes the kind into both bodies and the name of data into the request alone, where the name in
    the response may be one of the results.
    """
    kind = _text_of(response.kind)
    match kind if kind in _STEPS else _text_of(request.kind):
        case "tool":
            return f"tool:{_name(request.tool) or _name(response.tool) or _NAMELESS}"
        case "data":
            return f"data:{_name(request.name) or _name(response.name) or _NAMELESS}"
        case "vector_db":
            return "vector_db"
    return ""


def _name(raw: msgspec.Raw) -> str:
    """'' for what is no name; the Python client says `unknown` where it has none."""
    name = _text_of(raw)
    return "" if name == _NAMELESS else name


def _text_of(raw: msgspec.Raw) -> str:
    """The beginning of a text; '' for what is none, or longer than any name."""
    content = bytes(raw)
    if not content.startswith(b'"') or len(content) > _MAX_RAW_NAME_BYTES:
        return ""
    try:
        return _text.decode(content)[:MAX_NAME_CHARACTERS]
    except UNDECODABLE:
        return ""
