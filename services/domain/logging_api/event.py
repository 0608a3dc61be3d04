"""A call that its client logged afterwards -> the event that the proxy would have published for it.

The client sends request, response and timing. Parsed here is only what fixes the row's identity and how the call ended;
both bodies go into the event undecoded, so that usage, model and cost are found by the same rules as for traffic that
passed the proxy.

A client may report a cost (`providerResponse.cost`). It is no provider's bill, so it never becomes ours: it is in the
event and in the row as `provider_cost_usd`, and where the usage has no price the cost stays unknown.

A log of a tool, a data source or a vector database (`_type`) is a non-LLM step: it has that name instead of a model and
is free, unless its response reports usage, which is priced as any other.
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
    decode_meta,
    decode_payload_steps,
    valid_utf8,
)
from services.domain.logging_api.timestamps import elapsed_ms, first_byte_ms, started_at
from services.domain.logging_api.typed import TYPED_PATH
from services.domain.providers.catalog import PROVIDERS
from services.domain.providers.openai import OPENAI
from services.domain.usage.request.info import MAX_NAME_CHARACTERS

_TRACE_PATHS: Final = ("/v1/trace/custom/v1/log", "/v1/trace/custom/log", TYPED_PATH)  # OpenAI's, as with Helicone
LOG_PATHS: Final[Mapping[str, str]] = {  # path -> provider, unless the payload names one
    **{f"/{provider.label}/v1/log": provider.name for provider in PROVIDERS if provider.label},
    **dict.fromkeys(_TRACE_PATHS, OPENAI.name),
}

_OUTCOMES: Final = {
    -3: Outcome.CLIENT_DISCONNECTED,
    -2: Outcome.TIMED_OUT,
}  # by Helicone's statuses beyond HTTP's
_MAX_HEADER_BYTES: Final = 32 * 2**10  # about the limit of a request's head
_MAX_URL_CHARACTERS: Final = 2048
_PROVIDER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")
# In a URL without an authority: credentials before the host, which `urlsplit` takes for a path.
_CREDENTIALS_IN_PATH: Final = re.compile(r"^[/\\]*[^/\\]*@")
_PARAMETERS_IN_PATH: Final = re.compile(r";|%3[bf]|%23", re.IGNORECASE)
_PROPERTY_IN_SNAKE_CASE: Final = re.compile(r"helicone_property_", re.IGNORECASE)

_MAX_RAW_NAME_BYTES: Final = 64 * 2**10

T = TypeVar("T")

_text = msgspec.json.Decoder(str)


class LoggedBy(msgspec.Struct, frozen=True, kw_only=True):
    """Who logs, and the path and headers of the logging request."""

    organization_id: str
    key_id: str
    provider: str  # of the path
    helicone_headers: Sequence[Pair]  # its `Helicone-*` headers, which win over those in the payload


def parse_log(
    payload: bytes | bytearray, by: LoggedBy, *, drawn_id: str, now: datetime, capture_bytes: int
) -> ExchangeEvent:
    """The event of the call in `payload`. A call with an id has the same identity whenever it is logged again.

    `drawn_id` is the id of a call without one; of each body `capture_bytes` are stored, and the end of the response.
    Raises: InvalidRequest, which names what is wrong.
    """
    return result_of(parse_log_steps(payload, by, drawn_id=drawn_id, now=now, capture_bytes=capture_bytes))


def result_of(steps: Generator[None, None, T]) -> T:
    """What `steps` return, all of them run at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def parse_log_steps(
    payload: bytes | bytearray, by: LoggedBy, *, drawn_id: str, now: datetime, capture_bytes: int
) -> Generator[None, None, ExchangeEvent]:
    """Like `parse_log`; yields where other work may run, as each step may take milliseconds for a large `payload`."""
    call = yield from decode_payload_steps(payload)
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
    request = call.provider_request
    in_meta = _helicone_headers(decode_meta(request.meta), by.helicone_headers)
    tags, request_id = parse_helicone_headers([*by.helicone_headers, *in_meta])
    body = _content(request.json)
    return RequestEvent(
        organization_id=by.organization_id,
        request_id=request_id or drawn_id,
        created_at=started_at(call.timing.start_time, now),
        provider=_provider(call.provider) or by.provider,
        method="POST",
        target_url=_target(request.url),
        tags=tags,
        content_type="application/json",
        body=body,
        body_bytes=len(body),
        key_id=by.key_id,
        logged=True,
    )


def _response(response: LoggedResponse, timing: Timing) -> ResponseEvent:
    outcome, status = _outcome_and_status(response.status)
    body, content_type = _content(response.json), "application/json"
    if response.text_body:
        body = response.text_body.encode()
        content_type = "text/event-stream" if looks_like_events(body) else "text/plain"
    return ResponseEvent(
        outcome=outcome,
        status=status,
        latency_ms=elapsed_ms(timing.start_time, timing.end_time),
        first_byte_ms=first_byte_ms(timing.time_to_first_token),
        content_type=content_type,
        body=body,
        body_bytes=len(body),
        reported_cost_usd=_cost_usd(response.cost),
    )


def _content(raw: msgspec.Raw) -> bytes:
    """The JSON of a body, as written; of a JSON string its text, as some clients encode twice."""
    content = bytes(raw)
    if content.startswith(b'"'):
        try:
            return _text.decode(content).encode()
        except UNDECODABLE:
            return _text.decode(valid_utf8(content)).encode()
    return b"" if content == b"null" else content


def _outcome_and_status(status: int) -> tuple[Outcome, int | None]:
    if status in _OUTCOMES:
        return _OUTCOMES[status], None
    if not 100 <= status <= 999:
        raise InvalidRequest("providerResponse.status must be an HTTP status, -3 for cancelled or -2 for timed out")
    return Outcome.COMPLETED if status < 400 else Outcome.PROVIDER_ERROR, status


def _cost_usd(value: float | None) -> Decimal | None:
    if value is None:
        return None
    if not 0 <= value <= MAX_USD:
        raise InvalidRequest("providerResponse.cost must be US dollars, zero or more")
    return Decimal(str(value))


def _provider(value: str | None) -> str:
    """In upper case, as ours are; '' without one."""
    if not value:
        return ""
    if not _PROVIDER.fullmatch(value):
        raise InvalidRequest("provider must be a name of at most 64 letters, digits, spaces, dots, dashes")
    return value.upper()


def _target(url: str) -> str:
    """Without what may hold keys: user info, parameters, query and fragment, and Farebox's own key in the path."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InvalidRequest("providerRequest.url is not a URL") from None
    path = _PARAMETERS_IN_PATH.split(parts.path, maxsplit=1)[0]
    if not parts.netloc:
        return KEY_IN_PATH.sub("", _CREDENTIALS_IN_PATH.sub("", path))[:_MAX_URL_CHARACTERS]
    site = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return f"{site}{KEY_IN_PATH.sub('', path)}"[:_MAX_URL_CHARACTERS]


def _helicone_headers(meta: Mapping[str, Any], headers: Sequence[Pair]) -> list[Pair]:
    """The `Helicone-*` headers in `meta`, without those that are also in the real `headers`."""
    real_names = {name.lower() for name, _ in headers}
    helicone_headers = []
    for key, value in meta.items():
        name = _header_name(key)
        if name and value is not None and name.lower() not in real_names:
            helicone_headers.append((name, _header_value(key, value)))
    if sum(len(name) + len(value) for name, value in helicone_headers) > _MAX_HEADER_BYTES:
        raise InvalidRequest(f"providerRequest.meta holds more than {_MAX_HEADER_BYTES} bytes of headers")
    return helicone_headers


def _header_name(key: str) -> bytes:
    """b'' for what is no Helicone header. LiteLLM writes them in snake case."""
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
    """The members of a body that name the kind of call, undecoded: they may be any JSON."""

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
    """The name of a non-LLM step, as Helicone names its model; '' for calls of models.

    The Python client writes the kind into both bodies, and the name of a data source only into the request: a name in
    the response may belong to a result.
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
    """'' without one; the Python client writes `unknown` then."""
    name = _text_of(raw)
    return "" if name == _NAMELESS else name


def _text_of(raw: msgspec.Raw) -> str:
    """The beginning of a JSON string; '' for other JSON, or one longer than any name."""
    content = bytes(raw)
    if not content.startswith(b'"') or len(content) > _MAX_RAW_NAME_BYTES:
        return ""
    try:
        return _text.decode(content)[:MAX_NAME_CHARACTERS]
    except UNDECODABLE:
        return ""
