"""What a log may replace: only what was itself logged, by the same key, within a day."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from schemas.errors import LogConflict
from schemas.price import CostState
from schemas.record import RequestRecord
from schemas.timestamps import unix_us
from schemas.versions import LOGGED_BELOW, next_version, version_of, written_us
from services.domain.logging_api.replacement import MAX_REPLACED, replaced_of, row_to_write, stored_row
from tests.builders.records import TIMESTAMP, a_record


def a_log(at: datetime = TIMESTAMP, key_id: str = "key-1", **changes: object) -> RequestRecord:
    version = version_of(at, logged=True)
    return a_record(
        **{"version": version, "key_id": key_id, "first_logged_us": unix_us(at), "logged_us": unix_us(at)} | changes
    )


def after(hours: float) -> datetime:
    return TIMESTAMP + timedelta(hours=hours)


def test_the_first_log_of_a_call_is_its_row() -> None:
    assert row_to_write(a_log(), None) == a_log()


def test_a_later_log_of_the_same_key_replaces_and_what_stood_before_stays_visible() -> None:
    row = a_log(user_id="anna", cost_usd=Decimal("0.10"))
    for hours, user_id in ((1, "ben"), (24, "cleo")):
        row = row_to_write(a_log(after(hours), user_id=user_id, cost_usd=None), stored_row(row)) or pytest.fail(
            "it is there already"
        )
    assert (row.user_id, row.first_logged_us) == ("cleo", unix_us(TIMESTAMP))
    stood = [(one.written_at, one.user_id, one.cost_usd, one.cost_state) for one in replaced_of(row.replaced)]
    assert stood == [
        (TIMESTAMP, "anna", Decimal("0.10"), CostState.PRICED),
        (after(1), "ben", None, CostState.PRICED),
    ]


CONFLICTS = {
    "what passed the proxy": (a_record(key_id="key-1"), a_log(after(1)), "not logged"),
    "a row of before keys were kept": (a_record(), a_log(after(1)), "not logged"),
    "the log of another key": (a_log(), a_log(after(1), key_id="key-2"), "another key"),
    "the same timestamp by another key": (a_log(), a_log(key_id="key-2"), "another key"),
    "what was first logged too long ago": (a_log(), a_log(after(24.001)), "more than 24 hours ago"),
    "what was replaced within time, first logged too long ago": (
        replace(a_log(after(23)), first_logged_us=unix_us(TIMESTAMP)),
        a_log(after(25)),
        "more than 24 hours ago",
    ),
}


@pytest.mark.parametrize("name", CONFLICTS)
def test_no_log_replaces(name: str) -> None:
    stands, log, why = CONFLICTS[name]
    with pytest.raises(LogConflict, match=why):
        row_to_write(log, stored_row(stands))


@pytest.mark.parametrize("hours", [0, 1, 30])
def test_a_log_that_comes_again_or_late_changes_nothing(hours: float) -> None:
    assert row_to_write(a_log(), stored_row(a_log(after(hours)))) is None


def test_a_call_is_not_replaced_without_end() -> None:
    row = a_log()
    for number in range(MAX_REPLACED):
        row = row_to_write(a_log(TIMESTAMP + timedelta(seconds=number + 1)), stored_row(row)) or pytest.fail(
            "it is there already"
        )
    with pytest.raises(LogConflict, match=f"{MAX_REPLACED} times"):
        row_to_write(a_log(after(1)), stored_row(row))


def test_a_later_log_replaces_a_row_that_was_repriced_after_it_was_logged() -> None:
    repriced = a_log(version=version_of(after(2), logged=True))
    row = row_to_write(a_log(after(1)), stored_row(repriced)) or pytest.fail("an acknowledged log has vanished")
    assert row.version == next_version(repriced.version) > repriced.version
    assert (row.first_logged_us, row.logged_us) == (unix_us(TIMESTAMP), unix_us(after(1)))
    assert row_to_write(a_log(after(1)), stored_row(row)) is None
    assert row_to_write(a_log(), stored_row(row)) is None


@pytest.mark.parametrize(
    "text", ["u" * 31_000, "\x00" * 31_000, "\U0001f600" * 7_000], ids=["ascii", "escaped", "wide"]
)
def test_of_long_names_only_the_beginning_is_kept_of_what_was_replaced(text: str) -> None:
    row = a_log(user_id=text, model=text[:512])
    row = row_to_write(a_log(after(1)), stored_row(row)) or pytest.fail("it is there already")
    assert len(row.replaced.encode()) < 1_000
    (stood,) = replaced_of(row.replaced)
    assert text.startswith(stood.user_id)
    assert text.startswith(stood.model)
    assert min(len(stood.user_id), len(stood.model)) >= 40


def test_whatever_passed_the_proxy_has_a_higher_version_than_whatever_was_logged() -> None:
    timestamps = [TIMESTAMP + timedelta(days=days) for days in (0, 1, 365, 3650)]
    logged = [version_of(timestamp, logged=True) for timestamp in timestamps]
    assert logged == sorted(set(logged))
    assert max(logged) < LOGGED_BELOW < version_of(TIMESTAMP - timedelta(days=3650), logged=False)
    for side in (False, True):
        assert [written_us(version_of(timestamp, logged=side)) for timestamp in timestamps] == list(
            map(unix_us, timestamps)
        )
