"""What is unusual in the figures of a group, where its newest events are not counted yet."""

from datetime import UTC, datetime

import pytest

from schemas.api.anomalies import AnomaliesRequest
from services.domain.reports.anomalies.judge import RunState
from services.query.reports.anomalies.candidates import looked_at
from services.query.reports.anomalies.plan import plan_of
from services.query.reports.question import question_of

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
SILENT = datetime(2026, 10, 31, tzinfo=UTC)  # since then there are no requests
BODY = AnomaliesRequest.model_validate(
    {"timeFilter": {"since": "7d"}, "by": [], "measures": ["requests"], "direction": "fall"}
)


@pytest.mark.parametrize(
    ("complete_until", "until"),
    [
        (NOW, datetime(2026, 11, 2, 12, tzinfo=UTC)),
        (datetime(2026, 11, 2, 3, 30, tzinfo=UTC), datetime(2026, 11, 2, 3, tzinfo=UTC)),
        (SILENT, None),
        (None, None),
    ],
)
def test_a_fall_lasts_as_far_as_events_are_counted(complete_until: datetime | None, until: datetime | None) -> None:
    plan = plan_of(question_of(BODY, "org-1", NOW), BODY, NOW)
    hours = [int(start.timestamp()) for start in plan.hours.starts if start < SILENT]
    counts = [100] * len(hours)
    row = {"place": 0, "key": [], "hours": hours, "requests": counts, "s0": [float(count) for count in counts]}
    (group,) = looked_at(plan, [row], complete_until)
    found = [(fall.since, fall.until, fall.run.state) for fall in group.candidates]
    assert found == ([] if until is None else [(SILENT, until, RunState.ONGOING)])
