"""What the event log holds: finished requests, and what was set on requests later."""

from datetime import UTC, datetime
from typing import Final, TypeAlias

import msgspec

from schemas.amendment import KIND, Amendment
from schemas.errors import PoisonMessage, UndecodableEvent, UnsupportedVersion
from schemas.event import SCHEMA_VERSION, ExchangeEvent, decode_event, encode_event
from schemas.undecodable import UNDECODABLE

LogEntry: TypeAlias = ExchangeEvent | Amendment


class _Envelope(msgspec.Struct, frozen=True):
    kind: str = ""
    schema_version: int = SCHEMA_VERSION


class _Created(msgspec.Struct, frozen=True):
    created_at: datetime


class _Recorded(msgspec.Struct, frozen=True):
    recorded_at: datetime | None = None
    request: _Created | None = None  # of an event


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Amendment)
_envelope: Final = msgspec.msgpack.Decoder(_Envelope)
_recorded: Final = msgspec.msgpack.Decoder(_Recorded)


def encode_entry(entry: LogEntry) -> bytes:
    """The wire form of `entry`."""
    return encode_event(entry) if isinstance(entry, ExchangeEvent) else _encoder.encode(entry)


def decode_entry(payload: bytes) -> LogEntry:
    """Any bytes are an entry or raise: UndecodableEvent, or UnsupportedVersion for that of a newer writer."""
    try:
        return decode_event(payload)
    except PoisonMessage:
        # Nearly all entries are requests, so only what is none is looked at twice.
        if _is_amendment(payload):
            return _decoded(payload)
        raise


def identity_of(entry: LogEntry) -> tuple[str, str]:
    """Organization and id of the request that `entry` is about. Entries with the same keep their order."""
    about = entry.request if isinstance(entry, ExchangeEvent) else entry
    return about.organization_id, about.request_id


def recorded_since(entry: LogEntry) -> datetime:
    """When `entry` was recorded, aware UTC; of an older writer's when its request began, which was before."""
    if isinstance(entry, Amendment):
        return _in_utc(entry.recorded_at)
    return _in_utc(entry.recorded_at or entry.request.created_at)


def recorded_since_in(payload: bytes) -> datetime | None:
    """The same of an entry's wire form, without decoding the rest; None where `payload` is no entry."""
    try:
        found = _recorded.decode(payload)
    except UNDECODABLE:
        return None
    if found.recorded_at is not None:
        return _in_utc(found.recorded_at)
    return None if found.request is None else _in_utc(found.request.created_at)


def _in_utc(timestamp: datetime) -> datetime:
    return timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)


def _is_amendment(payload: bytes) -> bool:
    try:
        envelope = _envelope.decode(payload)
    except UNDECODABLE:
        return False
    if envelope.kind == KIND and envelope.schema_version != SCHEMA_VERSION:
        raise UnsupportedVersion(f"version {envelope.schema_version} of an amendment is not one this worker reads")
    return envelope.kind == KIND


def _decoded(payload: bytes) -> Amendment:
    try:
        return _decoder.decode(payload)
    except UNDECODABLE as error:
        raise UndecodableEvent(f"not an amendment: {error}") from error
