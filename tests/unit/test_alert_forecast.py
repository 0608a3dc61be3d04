"""What a sum will be when its window ends, in the window and at its end."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pytest

from schemas.alert import Condition
from services.alerting.figures import Row, question_of
from services.alerting.observe import forecast_observation
from services.domain.alerts.machine import Observation
from services.domain.alerts.windows import window_at
from tests.builders.alerts import START, a_rule

HOUR = timedelta(hours=1)


def forecast(hours: float, costs: Sequence[object]) -> Observation:
    """Of a day so many hours after its start, of ten requests in each of its first hours, at `costs`."""
    question = question_of("acme", a_rule(100, condition=Condition.FORECAST))
    rows = {START + at * HOUR: Row((), {"requests": 10, "cost_usd": cost}) for at, cost in enumerate(costs)}
    return forecast_observation(question, window_at(question.rule.window, START + hours * HOUR), rows)


@pytest.mark.parametrize(
    ("hours", "costs", "at_end", "crosses_at"),
    [
        (12, [4] * 12, 96, None),
        (12.5, [5] * 12 + [2], 120, 20),
        (23.5, [4] * 23 + [1], 96, None),
        (24, [4] * 24, 96, None),
        (24, [5] * 24, 120, 24),
    ],
    ids=["at noon", "in an hour", "in the last hour", "at the end", "at the end, and reached"],
)
def test_a_day_is_forecast(hours: float, costs: Sequence[object], at_end: int, crosses_at: int | None) -> None:
    seen = forecast(hours, costs)
    assert seen.value == at_end
    assert seen.forecast_at == (None if crosses_at is None else START + crosses_at * HOUR)


def test_the_forecast_of_what_is_known_of_no_request_is_unknown() -> None:
    unknown = forecast(12, [None] * 12)
    assert (unknown.value, unknown.actual, unknown.requests) == (None, None, 120)
    assert unknown.detail == "cost is known of none of the 120 requests in this window"
    assert forecast(12, [None] * 6 + [Decimal(4)] * 6).value == 48
    assert forecast(12, []).value == 0
