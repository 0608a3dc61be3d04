"""Request ids: what is drawn, and which given ones are remembered."""

from datetime import UTC, datetime

from services.proxy.exchange.request_ids import MAX_GIVEN, GivenIds, RequestIds
from tests.builders.records import TIMESTAMP


def test_request_ids_are_uuids_of_version_7_and_sort_by_their_timestamp() -> None:
    draw = RequestIds(lambda count: bytes(range(256)) * (count // 256 + 1)).draw
    timestamps = [datetime(2026, 11, 1, 12, 0, second, tzinfo=UTC) for second in range(60)]
    drawn = [draw(timestamp) for timestamp in timestamps]
    assert drawn == sorted(drawn)
    assert {(each[14], each[19] in "89ab", len(each)) for each in drawn} == {("7", True, 36)}
    assert int(drawn[0].replace("-", "")[:12], 16) == int(timestamps[0].timestamp() * 1000)


def test_of_given_ids_the_last_ones_are_remembered_for_each_organization() -> None:
    given = GivenIds()
    assert given.is_new("quiet", "first", TIMESTAMP)
    for number in range(MAX_GIVEN + 1):
        assert given.is_new("busy", str(number), TIMESTAMP)
    assert not given.is_new("quiet", "first", TIMESTAMP)
    assert not given.is_new("busy", "1", TIMESTAMP)
    assert given.is_new("busy", "0", TIMESTAMP)
