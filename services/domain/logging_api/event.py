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
from schemas.key import KeyTags, MissingTags
from schemas.price import MAX_USD
from schemas.undecodable import UNDECODABLE
from services.domain.attribution.account import provider_request_id, response_account
from services.domain.attribution.key_tags import with_key_tags
from services.domain.exchange.capture import beginning_and_end
from services.domain.exchange.headers import Pair, parse_helicone_headers
from services.domain.exchange.sse import looks_like_events
from services.domain.exchange.target import KEY_IN_PATH
from services.domain.logging_api.account import logged_request_account, logged_response_headers
from services.domain.logging_api.payload import (
    LoggedCall,
    LoggedResponse,
    Timing,
    decode_meta,
    decode_payload_steps,
    valid_utf8,
)
from services.domain.logging_api.step import step_of
from services.domain.logging_api.timestamps import elapsed_ms, first_byte_ms, started_at
from services.domain.logging_api.typed import TYPED_PATH
from services.domain.providers.catalog import PROVIDERS
from services.domain.providers.openai import OPENAI

_TRACE_PATHS: Final = ("/v1/trace/custom/v1/log", "/v1/trace/custom/log", TYPED_PATH)  # OpenAI's, as with Helicone
LOG_PATHS: Final[Mapping[str, str]] = {  # path -> provider, unless the payload names one
    **{f"/{provider.log_label}/v1/log": provider.name for provider in PROVIDERS if provider.log_label},
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

T = TypeVar("T")

_text = msgspec.json.Decoder(str)


class LoggedBy(msgspec.Struct, frozen=True, kw_only=True):
    """Who logs, and the path and headers of the logging request."""

    organization_id: str
    key_id: str
    provider: str  # of the path
    helicone_headers: Sequence[Pair]  # its `Helicone-*` headers, which win over those in the payload
    key_tags: KeyTags | None = None  # of the key
    missing_tags: MissingTags = MissingTags.REFUSE  # what becomes of a call without a tag that the key requires
    proxy_id: str = ""  # of the process that takes the log
    hash_key: bytes = b""  # of credentials; without one they have no hash


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
    """The event of the call in `payload`. A call with an id has the same identity whenever it is logged again.

    Yields where other work may run, as each step may take milliseconds for a large `payload`. `drawn_id` is the id of a
    call without one; of each body `capture_bytes` are stored, and the end of the response.
    Raises: InvalidRequest, which names what is wrong; MissingTag.
    """
    call = yield from decode_payload_steps(payload)
    yield
    return (yield from call_steps(call, by, drawn_id=drawn_id, now=now, capture_bytes=capture_bytes))


def call_steps(
    call: LoggedCall, by: LoggedBy, *, drawn_id: str, now: datetime, capture_bytes: int
) -> Generator[None, None, ExchangeEvent]:
    """The event of a call that is decoded, as of one in a payload."""
    request = _request(call, by, drawn_id, now)
    yield
    response = _response(call.provider_response, call.timing, request.provider)
    yield
    step = step_of(request.body, response.body)
    body, tail = beginning_and_end(response.body, capture_bytes)
    return ExchangeEvent(
        request=msgspec.structs.replace(request, body=request.body[:capture_bytes], step=step),
        response=msgspec.structs.replace(response, body=body, body_tail=tail),
        recorded_at=now,
    )


def _request(call: LoggedCall, by: LoggedBy, drawn_id: str, now: datetime) -> RequestEvent:
    request = call.provider_request
    meta = decode_meta(request.meta)
    in_meta = _helicone_headers(meta, by.helicone_headers)
    tags, request_id = parse_helicone_headers([*by.helicone_headers, *in_meta])
    if by.key_tags is not None:
        tags = with_key_tags(tags, by.key_tags, by.missing_tags)
    provider = _provider(call.provider) or by.provider
    target_url = _target(request.url)
    body = _content(request.json)
    return RequestEvent(
        organization_id=by.organization_id,
        request_id=request_id or drawn_id,
        created_at=started_at(call.timing.start_time, now),
        provider=provider,
        method="POST",
        target_url=target_url,
        tags=tags,
        content_type="application/json",
        body=body,
        body_bytes=len(body),
        key_id=by.key_id,
        account=logged_request_account(provider, meta, request.url, by.hash_key),
        proxy_id=by.proxy_id,
        logged=True,
    )


def _response(response: LoggedResponse, timing: Timing, provider: str) -> ResponseEvent:
    account_headers = logged_response_headers(response.headers)
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
        account=response_account(provider, account_headers),
        provider_request_id=provider_request_id(provider, account_headers),
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
