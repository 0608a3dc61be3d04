"""What travels through the event log: one exchange with a provider, as observed.

Events hold facts only. Tokens and cost are computed later, so a better rule can be applied to old events. In place of
an omitted body is what was parsed of it: it is parsed before the event leaves the proxy, and dropped.
The wire form is MessagePack: bodies stay raw bytes, unknown fields of newer writers are skipped.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from schemas.errors import UndecodableEvent, UnsupportedVersion
from schemas.undecodable import UNDECODABLE
from schemas.usage import ParsedResponse, RequestHints

SCHEMA_VERSION = 1


class Outcome(StrEnum):
    """How an exchange ended. Each finished exchange has exactly one."""

    COMPLETED = "completed"  # the whole response arrived, with a status below 400
    PROVIDER_ERROR = "provider_error"  # the whole response arrived, with a status of 400 or more
    CLIENT_DISCONNECTED = "client_disconnected"  # the client disconnected first
    UPSTREAM_ERROR = "upstream_error"  # the provider could not be reached, or its response broke off
    TIMED_OUT = "timed_out"  # the provider was too slow, at any stage
    REFUSED = "refused"  # Farebox responded itself; no whole request reached the provider
    CACHED = "cached"  # served from the response cache; nothing was sent to the provider


class RequestTags(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the client states about a request in its `Helicone-*` headers, and its key. Absent is None, never ''."""

    user_id: str | None = None
    session_id: str | None = None
    session_name: str | None = None
    session_path: str | None = None
    prompt_id: str | None = None
    model_override: str | None = None
    properties: dict[str, str] = {}  # names as the client spelled them
    default_user_id: str | None = None  # of the key: counts where neither headers nor body name a user
    omit_request: bool = False
    omit_response: bool = False
    cache_enabled: bool = False


class ProviderAccount(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """On whose account at the provider a call ran, as headers show it. '' where they do not."""

    key_hash: str = ""  # keyed hash of the credential that was sent; of requests only
    organization: str = ""
    project: str = ""


NO_ACCOUNT: Final = ProviderAccount()


class RequestEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The request half. `organization_id`, `request_id` and `created_at` are the identity and never change."""

    organization_id: str
    request_id: str  # UUID, lower case
    created_at: datetime  # aware UTC, whole milliseconds
    provider: str  # a name of domain/providers/
    method: str
    target_url: str  # without query string: it may contain keys
    tags: RequestTags = RequestTags()
    content_type: str = ""
    content_encoding: str = ""
    body: bytes = b""  # as sent by the client, cut at the capture limit
    body_bytes: int = 0  # as sent, before any cut
    key_id: str = ""  # of the Farebox key that sent or logged it; '' in events of older writers
    account: ProviderAccount = NO_ACCOUNT
    proxy_id: str = ""  # which process recorded it
    logged: bool = False  # by its client, afterwards: it did not pass the proxy
    hints: RequestHints | None = None  # in place of an omitted body; None where `body` is to be parsed
    attempt_of: str | None = None  # of an attempt that another one followed: the id of the client's request
    sent_model: str = ""  # in the place of the one that `body` names, where a budget chose a cheaper one
    traceparent: str = ""  # of the client: the trace that the call belongs to, as W3C has it
    reserved_nano: int = 0  # nanodollars that budgets held for it: what it counts as where its cost stays unknown
    step: str = ""  # of a logged non-LLM step, its name: "tool:weather", "vector_db", "data:orders"


class ResponseEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The response half, as it came from the provider."""

    outcome: Outcome
    status: int | None = None  # HTTP status; None when no response head arrived
    latency_ms: int = 0  # from the request's first byte, or the end of the one before it, to the response's last
    first_byte_ms: int | None = None  # to the first byte of the response's body
    content_type: str = ""
    content_encoding: str = ""
    body: bytes = b""  # as received, still compressed, cut at the capture limit
    body_bytes: int = 0  # as received, before any cut
    body_tail: bytes = b""  # the last of the bytes that `body` lacks, at most 64 KiB of them; b'' when it lacks none
    parsed: ParsedResponse | None = None  # in place of an omitted body; None where `body` is to be parsed
    cache_reference_id: str | None = None  # the request that first paid for a cached response
    account: ProviderAccount = NO_ACCOUNT
    provider_request_id: str = ""  # of its headers
    request_sent: bool = True  # False: not a byte of the request left for the provider, so nothing can be billed
    drained: bool = False  # the response was read to its end after the client disconnected; `body` has that part too
    usage_injected: bool = False  # Farebox requested the usage chunk; `body` has it, the client did not get it
    reported_cost_usd: Decimal | None = None  # reported by the client that logged this call; no cost of ours


class ExchangeEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One finished exchange."""

    request: RequestEvent
    response: ResponseEvent
    recorded_at: datetime | None = None  # when it was finished and handed to the event log; None: an older writer's
    kind: str = "exchange"
    schema_version: int = SCHEMA_VERSION


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the event log as a worker gets it: bytes that should be an event, and where they stood."""

    payload: bytes
    position: str  # for operators: "journal:17/3", "farebox-events:2:10433"


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that could not become a record. The original bytes are kept whole."""

    payload: bytes
    position: str
    code: str  # the error's code
    reason: str  # the error's text


class _Envelope(msgspec.Struct, frozen=True):
    kind: str = "exchange"
    schema_version: int = SCHEMA_VERSION


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(ExchangeEvent)
_envelope = msgspec.msgpack.Decoder(_Envelope)


def encode_event(event: ExchangeEvent) -> bytes:
    """The wire form of `event`."""
    return _encoder.encode(event)


def decode_event(payload: bytes) -> ExchangeEvent:
    """Any bytes are an event or raise: UndecodableEvent, or UnsupportedVersion for that of a newer writer."""
    try:
        event = _decoder.decode(payload)
    except UNDECODABLE as error:
        raise _undecodable(payload, error) from error
    if event.kind != "exchange" or event.schema_version != SCHEMA_VERSION:
        raise _unsupported(event.kind, event.schema_version)
    return event


def _undecodable(payload: bytes, error: Exception) -> UndecodableEvent | UnsupportedVersion:
    """A newer version may have another shape, so the version is checked before the shape."""
    try:
        envelope = _envelope.decode(payload)
    except UNDECODABLE:
        return UndecodableEvent(f"not an event: {error}")
    if envelope.kind != "exchange" or envelope.schema_version != SCHEMA_VERSION:
        return _unsupported(envelope.kind, envelope.schema_version)
    return UndecodableEvent(f"not an event: {error}")


def _unsupported(kind: str, version: int) -> UnsupportedVersion:
    return UnsupportedVersion(f"event kind {kind[:64]!r} version {version} is not one this worker reads")
