"""Windows of the past, put together from buckets: in a time that does not grow with their length."""

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas.alert import Aggregation, AlertMetric, AlertRule, AlertWindow, CalendarUnit, Condition
from services.alerting.backtest import looks_at
from services.alerting.figures import Row, question_of
from services.alerting.past import Bucket, PastWindows
from tests.builders.alerts import START, a_rule

MINUTE = timedelta(minutes=1)
LENGTH = 1000


class Counted(Decimal):
    """A number that counts how often it is compared."""

    times = 0

    def __lt__(self, other: Any) -> bool:
        Counted.times += 1
        return super().__lt__(other)

    def __gt__(self, other: Any) -> bool:
        Counted.times += 1
        return super().__gt__(other)


@pytest.mark.parametrize(("aggregation", "extreme"), [(Aggregation.MIN, min), (Aggregation.MAX, max)])
def test_an_extreme_of_a_long_window_is_found_in_few_steps(aggregation: Aggregation, extreme: Any) -> None:
    draw = random.Random(11)
    figures = [None if draw.random() < 0.2 else Counted(draw.randrange(100)) for _ in range(LENGTH)]
    buckets = [
        Bucket(start=START + at * MINUTE, row=Row((), {}), figure=figure, divisor=None, requests=1)
        for at, figure in enumerate(figures)
    ]
    window = AlertWindow(rolling_s=LENGTH * 60)
    rule = a_rule(metric=AlertMetric.LATENCY, aggregation=aggregation, window=window)
    Counted.times = 0
    past = PastWindows(question_of("acme", rule), {"": buckets})
    seen = [past.seen_at(START + end * MINUTE)[""].value for end in range(1, LENGTH + 500)]
    assert Counted.times < 20 * LENGTH
    for end, value in enumerate(seen, 1):
        known = [one for one in figures[max(0, end - LENGTH) : end] if one is not None]
        assert value == extreme(known, default=None)


@pytest.mark.parametrize(
    ("rule", "points", "groups", "looks"),
    [
        (a_rule(), 8_832, 20, 176_640),
        (a_rule(condition=Condition.FORECAST, window=AlertWindow(calendar=CalendarUnit.WEEK)), 720, 20, 1_209_600),
        (a_rule(condition=Condition.FORECAST, window=AlertWindow(calendar=CalendarUnit.HOUR)), 26_496, 20, 3_179_520),
    ],
    ids=["days by quarters", "forecasts of weeks", "forecasts of hours"],
)
def test_what_a_trial_looks_at_is_known_before(rule: AlertRule, points: int, groups: int, looks: int) -> None:
    assert looks_at(rule, points, groups) == looks
