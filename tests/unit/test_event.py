"""Bytes of the event log: an event, or a refusal that says why; nothing else ever comes of them."""

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.errors import UndecodableEvent, UnsupportedVersion
from schemas.event import ExchangeEvent, RequestTags, decode_event, encode_event
from tests.builders.records import an_event

EVENT = an_event(tags=RequestTags(user_id="Zoë", properties={"Feature": "chat"}))
WIRE = encode_event(EVENT)
DEPTH = 100_000


def outcome(payload: bytes) -> type[ExchangeEvent | UndecodableEvent | UnsupportedVersion]:
    try:
        return type(decode_event(payload))
    except (UndecodableEvent, UnsupportedVersion) as refusal:
        return type(refusal)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """The wire form of an event, with some bytes replaced, taken out or put in."""
    wire = bytearray(WIRE)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(wire)))
        wire[start : start + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(wire)


@given(damaged() | st.binary(max_size=60))
@settings(max_examples=1000, deadline=None)
@example(WIRE)
@example(b"")
def test_any_bytes_are_an_event_or_refused(payload: bytes) -> None:
    assert outcome(payload) in (ExchangeEvent, UndecodableEvent, UnsupportedVersion)


@pytest.mark.parametrize("opening", [b"\x91", b"\x81\xa1x", b"\x81\xa4kind", b"\x81\xa7request"])
def test_what_is_nested_too_deeply_is_refused(opening: bytes) -> None:
    assert outcome(opening * DEPTH) is UndecodableEvent
    assert outcome(b"\x81\xa1x" + opening * DEPTH) is UndecodableEvent


def test_a_text_that_is_no_utf_8_is_refused() -> None:
    assert outcome(WIRE.replace("Zoë".encode(), "Zoë".encode("latin-1") + b"\xff")) is UndecodableEvent
    assert outcome(b"\x81\xa4kind\xa1\xff") is UndecodableEvent


def test_an_event_that_was_written_is_read_as_it_was() -> None:
    assert decode_event(WIRE) == EVENT


@pytest.mark.parametrize("newer", [b"\x82\xa4kind\xa4tool\xa7request\x01", b"\x81\xaeschema_version\x02"])
def test_a_newer_version_is_named_whatever_its_shape(newer: bytes) -> None:
    assert outcome(newer) is UnsupportedVersion


def test_a_refusal_is_short_whatever_was_sent() -> None:
    with pytest.raises(UnsupportedVersion) as refusal:
        decode_event(encode_event(msgspec.structs.replace(EVENT, kind="x" * 100_000)))
    assert len(str(refusal.value)) < 200
