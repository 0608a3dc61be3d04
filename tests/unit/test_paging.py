"""Where a page is looked for first: in the last days before it, where most are full."""

from datetime import timedelta
from typing import Any

import pytest

from schemas.tables import REQUEST_RESPONSE, Operator
from services.query.requests.paging import RECENT, near_looks
from services.sql.nodes import And, Behind, Compare, Everything, Filter, Key, Listing, Not, Or, comparison
from services.sql.scope import bounds_of
from services.sql.sort import NEWEST_FIRST, OLDEST_FIRST
from tests.builders.records import TIMESTAMP

LATEST = TIMESTAMP + timedelta(days=365)
PREMIUM = Compare(
    column=REQUEST_RESPONSE.columns["properties"], operator=Operator.EQUALS, value="premium", key="usertier"
)


def a_page(where: Filter, **changes: Any) -> Listing:
    page: dict[str, Any] = {"order_by": NEWEST_FIRST, "limit": 10, "offset": 5, "latest": LATEST} | changes
    return Listing(table=REQUEST_RESPONSE, organization_id="org-1", where=where, **page)


def created(operator: Operator, days: int) -> Filter:
    return comparison("request_created_at", operator, LATEST - timedelta(days=days))


@pytest.mark.parametrize(
    ("where", "days"),
    [
        (Everything(), 0),
        (PREMIUM, 0),
        (And((PREMIUM, created(Operator.LT, 30))), 30),
        (And((PREMIUM, created(Operator.GTE, 90), created(Operator.LT, 30))), 30),
        (And((PREMIUM, Behind(Key(LATEST - timedelta(days=3), "a"), descending=True))), 3),
        (Or((comparison("user_id", Operator.EQUALS, "a"), PREMIUM)), 0),
    ],
)
def test_the_newest_are_looked_for_in_the_last_week_and_then_among_all(where: Filter, days: int) -> None:
    recent, all_ = near_looks(a_page(where))
    assert bounds_of(recent.shown)[0] == LATEST - timedelta(days=days) - RECENT
    assert all_ == a_page(where, reach=30)
    assert recent.reach == 30
    assert bounds_of(all_.shown)[0] == bounds_of(where)[0]


@pytest.mark.parametrize(
    ("where", "changes"),
    [
        (Everything(), {"order_by": OLDEST_FIRST}),
        (Everything(), {"latest": None}),
        (created(Operator.GTE, 7), {}),
        (comparison("user_id", Operator.EQUALS, "a"), {}),
        (Or(tuple(Not(comparison("model", Operator.EQUALS, f"m{number}")) for number in range(17))), {}),
        (And((PREMIUM, comparison("session_id", Operator.EQUALS, "a"))), {}),
    ],
)
def test_what_a_week_would_not_find_sooner_is_looked_for_once(where: Filter, changes: dict[str, Any]) -> None:
    assert near_looks(a_page(where, **changes)) == (a_page(where, **changes, reach=30),)
