"""What an alert watches stays the same while its filter is written in another way; and how its values are shown."""

from decimal import Decimal

import pytest

from schemas.alert import AlertMetric, AlertWindow, CalendarUnit, GroupBy
from schemas.notice import NoticeUnit
from services.domain.alerts.rule import shown_value
from services.query.alerts.rules import watches_same
from tests.builders.alerts import a_rule

ENVIRONMENT = {"Environment": {"equals": "production"}}
PRODUCTION = {"request_response_rmt": {"properties": ENVIRONMENT}}
DEAR = {"request_response_rmt": {"cost_usd": {"gte": 0.5}}}
MODEL = {"request_response_rmt": {"model": {"equals": "gpt-4o"}}}
EXPRESSION = {
    "type": "and",
    "expressions": [
        {
            "type": "condition",
            "field": {
                "table": "request_response_rmt",
                "column": "properties",
                "subtype": "property",
                "valueMode": "value",
                "key": "Environment",
            },
            "operator": "eq",
            "value": "production",
        }
    ],
}


def joined(left: object, operator: str, right: object) -> dict[str, object]:
    return {"left": left, "operator": operator, "right": right}


SAME = [
    ("all", {}),
    (PRODUCTION, {"properties": ENVIRONMENT}),
    (PRODUCTION, EXPRESSION),
    (PRODUCTION, joined("all", "and", PRODUCTION)),
    (joined(PRODUCTION, "and", DEAR), joined(DEAR, "and", PRODUCTION)),
    (joined(PRODUCTION, "and", DEAR), {"request_response_rmt": {"cost_usd": {"gte": 0.5}, "properties": ENVIRONMENT}}),
    (joined(joined(MODEL, "and", DEAR), "and", PRODUCTION), joined(MODEL, "and", joined(DEAR, "and", PRODUCTION))),
    (joined(joined(MODEL, "or", DEAR), "and", PRODUCTION), joined(PRODUCTION, "and", joined(DEAR, "or", MODEL))),
]


@pytest.mark.parametrize(("one", "other"), SAME, ids=range(len(SAME)))
def test_filters_that_say_the_same_watch_the_same(one: object, other: object) -> None:
    assert watches_same(a_rule(filter=one), a_rule(50, 100, filter=other, cooldown_s=60))


OTHERS = [
    {"filter": "all"},
    {"filter": DEAR},
    {"filter": joined(PRODUCTION, "and", DEAR)},
    {"filter": joined(PRODUCTION, "or", DEAR)},
    {"filter": {"properties": {"Environment": {"not-equals": "production"}}}},
    {"metric": AlertMetric.REQUESTS},
    {"window": AlertWindow(calendar=CalendarUnit.WEEK)},
    {"by": (GroupBy(name="user_id"),)},
]


@pytest.mark.parametrize("changed", OTHERS, ids=range(len(OTHERS)))
def test_another_question_watches_something_else(changed: dict[str, object]) -> None:
    one, other = a_rule(filter=PRODUCTION), a_rule(**{"filter": PRODUCTION} | changed)
    assert not watches_same(one, other)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (Decimal(1) / 3, NoticeUnit.SHARE, "33.333333 %"),
        (Decimal(10_000) / 3, NoticeUnit.MILLISECONDS, "3,333.333333 ms"),
        (Decimal("-0.0000001"), NoticeUnit.USD, "-$0.0000001"),
        (Decimal("0.0250"), NoticeUnit.SHARE, "2.5 %"),
        (Decimal(1_000), NoticeUnit.COUNT, "1,000"),
    ],
)
def test_a_quotient_is_shown_with_as_many_digits_as_people_read(value: Decimal, unit: NoticeUnit, text: str) -> None:
    assert shown_value(value, unit) == text
