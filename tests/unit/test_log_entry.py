"""What the log holds beside requests: any bytes are an entry, or raise one of two errors."""

import contextlib
import uuid
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.amendment import MAX_SCORE, Amendment
from schemas.errors import PoisonMessage, UndecodableEvent, UnsupportedVersion
from schemas.log_entry import decode_entry, encode_entry, identity_of, recorded_since, recorded_since_in
from schemas.timestamps import EPOCH
from schemas.versions import MAX_AMENDMENTS, amendments_in, last_version_of, next_version, version_after, version_of
from services.domain.amendment import to_stored
from services.stores.kafka.client import entry_of
from services.stores.kafka.shrink import shortened
from services.telemetry.metrics import Metrics
from tests.builders.records import TIMESTAMP, an_event

REQUEST_ID = str(uuid.uuid4())


def an_amendment(**changes: Any) -> Amendment:
    values: dict[str, Any] = {
        "organization_id": "org-1",
        "request_id": REQUEST_ID,
        "amendment_id": str(uuid.uuid4()),
        "recorded_at": TIMESTAMP,
        "properties": {"UserTier": "gold"},
        "scores": {"accuracy": -MAX_SCORE - 1, "tone": MAX_SCORE},
        "key_id": "key-1",
    }
    return Amendment(**values | changes)


@pytest.mark.parametrize("entry", [an_event(), an_amendment(), an_amendment(created_at=TIMESTAMP, properties={})])
def test_an_entry_comes_back_as_it_was(entry: Any) -> None:
    assert decode_entry(encode_entry(entry)) == entry


@pytest.mark.parametrize(
    ("entry", "since"),
    [
        (an_event(recorded_at=TIMESTAMP + timedelta(seconds=7)), TIMESTAMP + timedelta(seconds=7)),
        (an_event(recorded_at=None), TIMESTAMP),
        (an_amendment(recorded_at=TIMESTAMP + timedelta(seconds=7)), TIMESTAMP + timedelta(seconds=7)),
        (an_amendment(recorded_at=TIMESTAMP.replace(tzinfo=None), created_at=None), TIMESTAMP),
    ],
)
def test_since_when_an_entry_is_recorded_is_read_from_it_and_from_its_bytes(entry: Any, since: datetime) -> None:
    assert recorded_since(entry) == recorded_since_in(encode_entry(entry)) == since


@pytest.mark.parametrize("payload", [b"", b"no entry", msgspec.msgpack.encode({"request": {}}), b"\x80"])
def test_nobody_knows_since_when_what_is_no_entry_is_recorded(payload: bytes) -> None:
    assert recorded_since_in(payload) is None


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"schema_version": 2}, UnsupportedVersion),
        ({"schema_version": 2, "scores": "of another shape"}, UnsupportedVersion),
        ({"kind": "started"}, UnsupportedVersion),
        ({"scores": {"accuracy": 0.5}}, UndecodableEvent),
        ({"scores": {"accuracy": 2**63}}, UndecodableEvent),
        ({"request_id": 7}, UndecodableEvent),
    ],
)
def test_what_is_no_amendment_says_why(changes: dict[str, Any], error: type[PoisonMessage]) -> None:
    fields = msgspec.structs.asdict(an_amendment()) | changes
    with pytest.raises(error):
        decode_entry(msgspec.msgpack.encode(fields))


@given(st.binary(max_size=200), st.integers(0, 300))
def test_any_bytes_are_an_entry_or_poison(noise: bytes, at: int) -> None:
    whole = encode_entry(an_amendment())
    for payload in (noise, whole[:at] + noise, whole[:at] + noise + whole[at + len(noise) :]):
        with contextlib.suppress(PoisonMessage):
            decode_entry(payload)


def test_an_amendment_goes_where_its_request_went() -> None:
    event, amendment = an_event(organization_id="org-1", request_id=REQUEST_ID), an_amendment()
    assert identity_of(event) == identity_of(amendment) == ("org-1", REQUEST_ID)
    keys = {entry_of(entry, encode_entry(entry)).key for entry in (event, amendment)}
    assert keys == {f"org-1:{REQUEST_ID}".encode()}


def test_an_amendment_is_never_shortened() -> None:
    entry = entry_of(an_amendment(), encode_entry(an_amendment()))
    assert shortened(Metrics(), entry, 10) == entry


def test_names_are_stored_in_lower_case_beside_their_spelling() -> None:
    stored = to_stored(an_amendment(properties={"UserTier": "gold", "usertier": "iron"}, request_id=REQUEST_ID.upper()))
    assert (stored.properties, stored.spellings) == ({"usertier": "gold"}, {"usertier": "UserTier"})
    assert (stored.request_id, stored.request_created_at) == (REQUEST_ID, EPOCH)


@pytest.mark.parametrize(
    "changes",
    [
        {"request_id": "none"},
        {"amendment_id": ""},
        {"created_at": TIMESTAMP.replace(year=1)},
        {"created_at": TIMESTAMP.replace(year=9999)},
    ],
)
def test_what_no_request_has_is_poison(changes: dict[str, Any]) -> None:
    with pytest.raises(UndecodableEvent):
        to_stored(an_amendment(**changes))


@given(st.booleans(), st.integers(0, MAX_AMENDMENTS), st.integers(-(10**12), 10**12))
def test_a_later_charge_beats_every_amendment_of_an_earlier_one(logged: bool, count: int, later_us: int) -> None:
    version = version_of(TIMESTAMP, logged=logged) + count
    again = version_after(version, TIMESTAMP + timedelta(microseconds=later_us))
    assert again > version | MAX_AMENDMENTS
    assert amendments_in(again) == amendments_in(version) == count
    assert version | MAX_AMENDMENTS < next_version(version) <= again
    assert amendments_in(next_version(version)) == 0


def test_versions_have_room_until_the_end_of_the_century() -> None:
    assert last_version_of(TIMESTAMP.replace(year=2111)) < last_version_of(TIMESTAMP.replace(year=9999)) < 2**64
