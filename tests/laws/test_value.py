"""Value is spread exactly: parts of an entry add up to it, however time is cut, and groups add up to the total."""

import asyncio
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from schemas.api.reports import ReportRequest
from schemas.timestamps import MILLISECOND
from schemas.value import ValueEntry
from services.query.reports.period import Period
from services.query.reports.question import Question
from services.query.reports.response import report_view
from services.query.reports.value_given import with_value
from services.sql.nodes import Everything
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from tests.builders.records import a_record
from tests.servers.warehouses import EXAMPLES

# Five weeks in which clocks are set back in Europe and America, and half an hour on Lord Howe before it.
FIRST = datetime(2026, 10, 1, tzinfo=UTC)
LAST = FIRST + timedelta(days=35)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia")
UNIT = Decimal("1e-12")

instants = st.integers(0, int((LAST - FIRST) / MILLISECOND)).map(lambda ms: FIRST + ms * MILLISECOND)
spans = st.tuples(instants, st.integers(1, 40 * 86_400_000)).map(
    lambda pair: (pair[0], pair[0] + pair[1] * MILLISECOND)
)
picodollars = st.integers(-(10**24) + 1, 10**24 - 1) | st.integers(-1000, 1000)


@st.composite
def entries(draw: st.DrawFn) -> dict[str, Any]:
    starts_at, ends_at = draw(spans)
    feature = draw(st.sampled_from(("", "chat", "search")))
    return {
        "starts_at": starts_at,
        "ends_at": ends_at,
        "user_id": draw(st.sampled_from(("", "ann", "bob"))),
        "properties": {"feature": feature} if feature else {},
        "value_usd": draw(picodollars) * UNIT,
        "is_deleted": draw(st.booleans()) and draw(st.booleans()),
    }


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as running:
        yield running


def kept(runner: asyncio.Runner, warehouse: ClickHouseWarehouse, drawn: Sequence[Mapping[str, Any]]) -> str:
    """An organization with these entries, each with a version before it, and with a request of each user."""
    organization_id = f"org-{uuid.uuid4()}"
    common: dict[str, Any] = {"organization_id": organization_id, "source": "test", "key_id": "k"}
    latest = [ValueEntry(**common, value_id=str(at), version=2, **one) for at, one in enumerate(drawn)]
    older = [
        ValueEntry(**common, value_id=str(at), version=1, **{**one, "value_usd": Decimal(9), "is_deleted": False})
        for at, one in enumerate(drawn)
    ]
    requests = [
        a_record(
            organization_id=organization_id,
            request_id=str(uuid.uuid4()),
            user_id=user,
            request_created_at=FIRST + timedelta(days=9),
        )
        for user in ("ann", "zoe")
    ]
    for batch in (latest, older, latest):
        runner.run(warehouse.keep_values(batch))
    runner.run(warehouse.insert(requests, []))
    return organization_id


def earned(one: Mapping[str, Any], start: datetime, end: datetime) -> Decimal:
    """What of an entry lies between two timestamps, by the rule."""
    units, length = int(one["value_usd"] / UNIT), (one["ends_at"] - one["starts_at"]) // MILLISECOND

    def until(timestamp: datetime) -> int:
        elapsed: int = (min(max(timestamp, one["starts_at"]), one["ends_at"]) - one["starts_at"]) // MILLISECOND
        share: int = abs(units) * elapsed // length
        return share if units > 0 else -share

    return (until(max(start, end)) - until(start)) * UNIT


def report(runner: asyncio.Runner, warehouse: ClickHouseWarehouse, question: Question, **body: object) -> Any:
    requested = ReportRequest.model_validate({"measures": ["value_usd", "margin_usd"], "timeFilter": {}, **body})

    async def run() -> Any:
        asked, _ = await with_value(question, requested, warehouse, question.period.end)
        return (await report_view(asked, requested, warehouse))[1]

    return runner.run(run())


def question_of(organization_id: str, zone: str, start: datetime, end: datetime) -> Question:
    return Question(
        organization_id=organization_id,
        where=Everything(),
        period=Period(start=start, end=end),
        compared=None,
        zone=UTC if zone == "UTC" else ZoneInfo(zone),
        time_zone=zone,
        measures=("value_usd", "margin_usd"),
    )


@settings(EXAMPLES, phases=[Phase.explicit, Phase.reuse, Phase.generate])  # too long to shrink
@given(
    drawn=st.lists(entries(), min_size=1, max_size=4),
    zone=st.sampled_from(ZONES),
    bounds=st.lists(instants, min_size=2, max_size=3, unique=True).map(sorted),
    bucket=st.sampled_from(("15_minutes", "hour", "day", "week", "month")),
)
def test_the_parts_of_every_cut_add_up_to_the_rule_and_to_the_total(
    runner: asyncio.Runner,
    embedded_warehouse: ClickHouseWarehouse,
    drawn: list[dict[str, Any]],
    zone: str,
    bounds: list[datetime],
    bucket: str,
) -> None:
    organization_id = kept(runner, embedded_warehouse, drawn)
    standing = [one for one in drawn if not one["is_deleted"]]
    whole = Decimal(0)
    for start, end in pairwise(bounds):
        question = question_of(organization_id, zone, start, end)
        overlapping = [one for one in standing if one["ends_at"] > start and one["starts_at"] < end]
        rule = sum((earned(one, start, end) for one in overlapping), Decimal(0))
        whole += rule
        groupings = ([{"time": bucket}], [{"column": "user_id"}], [{"property": "Feature"}, {"time": "day"}])
        for by in ((), *groupings):
            view = report(runner, embedded_warehouse, question, by=list(by), limit=10_000)
            assert view.total["value_usd"] == (rule if overlapping else None), by
            values = [row.measures["value_usd"] for row in view.rows]
            if values and None not in values:  # else it is known of no group
                assert sum(values, Decimal(0)) == (rule if overlapping else 0), by
                margins = [row.measures["margin_usd"] for row in view.rows]
                assert not overlapping or sum(margins, Decimal(0)) == view.total["margin_usd"]
    first, last = bounds[0], bounds[-1]
    together = report(runner, embedded_warehouse, question_of(organization_id, zone, first, last))
    assert (together.total["value_usd"] or 0) == whole
