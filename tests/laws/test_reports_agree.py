"""One sum however it is requested: with or without a comparison, conditions and breakdowns, and by what changed."""

import asyncio
import json
import random
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.api.changes import ChangesRequest
from schemas.api.reports import ReportRequest
from schemas.event import Outcome
from schemas.price import CostState
from schemas.record import RequestRecord
from services.ports.warehouse import Warehouse
from services.query.http.responses import data_response
from services.query.reports.changes import changes
from services.query.reports.period import Period
from services.query.reports.question import Question
from services.query.reports.response import report_view
from services.sql.nodes import Everything
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from tests.builders.records import a_record
from tests.support.examples import examples

ORGANIZATION = f"org-{uuid.UUID(int=9)}-agree"
STRANGER = f"{ORGANIZATION}-stranger"
ZONE = "Europe/Berlin"
# Two weeks in whose middle clocks are set back.
FIRST = datetime(2026, 10, 18, 22, tzinfo=UTC)
LAST = FIRST + timedelta(days=14, hours=1)
ADDED = (
    "cost_usd",
    "requests",
    "attempts",
    "unpriced_requests",
    "cache_savings_usd",
    "unpriced_cache_hits",
    "total_tokens",
)
MEASURES = [*ADDED, "average_cost_usd", "active_users"]
DIMENSIONS: list[dict[str, str]] = [
    *({"column": name} for name in ("model", "user_id", "status", "time_to_first_token", "cost_usd")),
    *({"property": name} for name in ("Feature", "absent")),
    *({"time": bucket} for bucket in ("hour", "day", "week", "month", "quarter")),
]


def stored_rows() -> list[RequestRecord]:
    """Two hundred requests, the same every time."""
    chance = random.Random(9)
    return [_stored(chance) for _ in range(200)]


def _stored(chance: random.Random) -> RequestRecord:
    seconds = int((LAST - FIRST).total_seconds())
    known = chance.random() < 0.7
    hit = chance.random() < 0.2
    return a_record(
        organization_id=ORGANIZATION,
        request_id=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        request_created_at=FIRST + timedelta(seconds=chance.randrange(seconds)),
        model=chance.choice(("a", "b", "")),
        user_id=chance.choice(("ann", "bob", "")),
        attempt_of=None if hit or chance.random() < 0.8 else str(uuid.UUID(int=7)),
        status=chance.choice((200, 500)),
        time_to_first_token_ms=chance.choice((None, 0, 7)),
        properties={"feature": chance.choice(("chat", ""))} if chance.random() < 0.8 else {},
        outcome=Outcome.CACHED if hit else Outcome.COMPLETED,
        cache_saved_usd=chance.choice((None, Decimal("0.1"))) if hit else None,
        cost_usd=Decimal(0) if hit else Decimal(chance.randrange(10**9)).scaleb(-12) if known else None,
        cost_state=CostState.PRICED if known or hit else CostState.UNKNOWN_MODEL,
        price_id=chance.choice(("p", "q")) if known else "",
        prompt_tokens=0 if hit else chance.randrange(1000),
    )


ROWS = stored_rows()


def shown(view: object) -> dict[str, Any]:
    """As a client parses it."""
    data: dict[str, Any] = json.loads(bytes(data_response(view).body), parse_float=Decimal)["data"]
    return data


class Engine:
    def __init__(self, warehouse: Warehouse, runner: asyncio.Runner) -> None:
        self._warehouse = warehouse
        self._runner = runner

    def report(self, question: Question, **body: object) -> dict[str, Any]:
        requested = ReportRequest.model_validate({"measures": MEASURES, "timeFilter": {"start": "-"}, **body})
        _, view = self._runner.run(report_view(question, requested, self._warehouse))
        return shown(view)

    def changes(self, question: Question, **body: object) -> dict[str, Any]:
        requested = ChangesRequest.model_validate({"timeFilter": {"start": "-"}, **body})
        return shown(self._runner.run(changes(question, requested, self._warehouse)))


@pytest.fixture(scope="module")
def engine(embedded_warehouse: ClickHouseWarehouse) -> Iterator[Engine]:
    with asyncio.Runner() as runner:
        older = [msgspec.structs.replace(row, version=1, cost_usd=Decimal(9), model="old") for row in ROWS]
        strangers = [msgspec.structs.replace(row, organization_id=STRANGER) for row in ROWS]
        for batch in (ROWS, older, ROWS[::3], strangers):  # late, again, and of somebody else
            runner.run(embedded_warehouse.insert(batch, []))
        yield Engine(embedded_warehouse, runner)


@st.composite
def questions(draw: st.DrawFn) -> Question:
    minutes = int((LAST - FIRST).total_seconds()) // 60
    bounds = st.integers(0, minutes).map(lambda minute: FIRST + timedelta(minutes=minute))
    days = st.integers(0, 14).map(lambda day: datetime(2026, 10, 19 + day if day < 13 else 31, tzinfo=ZoneInfo(ZONE)))
    period, compared = (
        Period(start=min(pair), end=max(pair))
        for pair in (draw(st.tuples(bounds, bounds)), draw(st.tuples(bounds, bounds) | st.tuples(days, days)))
    )
    return Question(
        organization_id=ORGANIZATION,
        where=Everything(),
        period=period,
        compared=Period(start=compared.start.astimezone(UTC), end=compared.end.astimezone(UTC)),
        zone=ZoneInfo(ZONE),
        time_zone=ZONE,
        measures=tuple(MEASURES),
    )


groupings = st.lists(st.sampled_from(DIMENSIONS), min_size=1, max_size=3, unique_by=str)


def known_cost(period: Period) -> Decimal | None:
    """As somebody else would add it up; None when there are requests, and the cost of none is known."""
    within = [row for row in ROWS if period.start <= row.request_created_at < period.end]
    costs = [row.cost_usd for row in within if row.cost_usd is not None]
    return sum(costs, Decimal(0)) if costs or not within else None


def added(parts: Sequence[dict[str, Any]], name: str) -> Any:
    return sum(part[name] or 0 for part in parts)


@given(question=questions(), by=groupings, limit=st.integers(1, 40))
@settings(max_examples=examples(12), deadline=None)
def test_rows_and_rest_are_the_total_in_both_periods(
    engine: Engine, question: Question, by: list[dict[str, str]], limit: int
) -> None:
    plain = engine.report(msgspec.structs.replace(question, compared=None), by=by)
    beside = engine.report(question, by=by, limit=limit)
    there = engine.report(msgspec.structs.replace(question, period=question.compared, compared=None), by=by)
    assert plain["total"] == beside["total"]
    assert there["total"] == beside["compared"]["total"]["measures"]
    assert question.compared is not None
    assert (plain["total"]["cost_usd"], there["total"]["cost_usd"]) == (
        known_cost(question.period),
        known_cost(question.compared),
    )
    rest, other = beside["rest"] or {}, (beside["compared"]["rest"] or {}).get("measures", {})
    for name in ADDED:
        rows = [row["measures"] for row in beside["rows"]]
        assert added(rows, name) + (rest.get(name) or 0) == (beside["total"][name] or 0), name
        rows = [row["compared"]["measures"] for row in beside["rows"]]
        assert added(rows, name) + (other.get(name) or 0) == (there["total"][name] or 0), name
    here = {str(row["by"]): row["measures"] for row in plain["rows"]}
    for row in beside["rows"]:
        if row["compared"]["presence"] in ("both", "new"):
            assert here[str(row["by"])] == row["measures"]


@given(question=questions(), by=groupings, other=groupings, least=st.integers(0, 20))
@settings(max_examples=examples(8), deadline=None)
def test_conditions_and_breakdowns_change_no_figure(
    engine: Engine, question: Question, by: list[dict[str, str]], other: list[dict[str, str]], least: int
) -> None:
    plain = engine.report(question, by=by)
    having = {"requests": {"gte": least}}
    some = engine.report(question, by=by, breakdowns=[{"by": other}, {"by": by, "having": having, "limit": 1000}])
    assert some["rows"] == plain["rows"]
    for breakdown in some["breakdowns"]:
        assert breakdown["total"] == plain["total"]
    expected = [row for row in plain["rows"] if row["measures"]["requests"] >= least]
    assert some["breakdowns"][1]["rows"] == expected
    left = plain["total"]["requests"] - added([row["measures"] for row in expected], "requests")
    assert some["breakdowns"][1]["rest"]["requests"] == left


@given(question=questions(), sets=st.lists(groupings | st.just([]), min_size=2, max_size=4), data=st.data())
@settings(max_examples=examples(12), deadline=None)
def test_each_breakdown_is_what_its_grouping_finds_alone(
    engine: Engine, question: Question, sets: list[list[dict[str, str]]], data: st.DataObject
) -> None:
    if data.draw(st.booleans()):
        question = msgspec.structs.replace(question, compared=None)
    measures = ("cost_usd", "p95_latency_ms", "active_users", "last_request_at")
    question = msgspec.structs.replace(question, measures=measures)
    asked = [{"by": by, "limit": data.draw(st.integers(1, 9))} | data.draw(_orders(question)) for by in sets]
    joined = engine.report(question, **asked[0], breakdowns=asked[1:])
    for found, body in zip((joined, *joined["breakdowns"]), asked, strict=True):
        alone = engine.report(question, **body)
        assert {name: found[name] for name in SHOWN} == {name: alone[name] for name in SHOWN}


SHOWN = ("rows", "rest", "total", "truncated", "compared")


def _orders(question: Question) -> st.SearchStrategy[dict[str, Any]]:
    """What groups are ordered by: a figure in either direction, or nothing."""
    figures = ["value"] if question.compared is None else ["value", "previous", "change", "relative"]
    order = st.fixed_dictionaries(
        {
            "measure": st.sampled_from(["cost_usd", "p95_latency_ms", "active_users"]),
            "direction": st.sampled_from(["asc", "desc"]),
            "figure": st.sampled_from(figures),
        }
    )
    return st.just({}) | order.map(lambda drawn: {"orderBy": drawn})


@given(question=questions(), by=groupings | st.just([]), limit=st.integers(1, 12))
@settings(max_examples=examples(12), deadline=None)
def test_what_changed_is_the_difference_to_the_last_digit(
    engine: Engine, question: Question, by: list[dict[str, str]], limit: int
) -> None:
    assert question.compared is not None
    changed = engine.changes(question, by=by, limit=limit)
    difference = (known_cost(question.period) or 0) - (known_cost(question.compared) or 0)
    total, parts = changed["total"], [*changed["rows"], *filter(None, [changed["rest"]])]
    assert total["difference_usd"] == difference == sum(total["reasons"].values())
    assert (total["before"]["cost_usd"], total["after"]["cost_usd"]) == (
        known_cost(question.compared),
        known_cost(question.period),
    )
    if by:
        assert added(parts, "difference_usd") == difference
        for name, usd in total["reasons"].items():
            assert added([part["reasons"] for part in parts], name) == usd
    for part in parts:
        assert part["difference_usd"] == sum(part["reasons"].values())
    moves = [abs(row["difference_usd"]) for row in changed["rows"]]
    assert moves == sorted(moves, reverse=True)


@given(question=questions(), bucket=st.sampled_from(["hour", "day", "week", "month", "quarter", "year"]))
@settings(max_examples=examples(12), deadline=None)
def test_filled_buckets_are_in_order_and_lose_nothing(engine: Engine, question: Question, bucket: str) -> None:
    by = [{"time": bucket}]
    plain = engine.report(question, by=by, limit=5000)
    full = engine.report(question, by=by, fill=True, limit=5000)
    assert [row for row in full["rows"] if row["compared"]["presence"] != "neither"] == plain["rows"]
    starts = [datetime.fromisoformat(row["by"][0]) for row in full["rows"]]
    assert all(one.astimezone(UTC) < two.astimezone(UTC) for one, two in pairwise(starts))
    assert full["total"] == plain["total"]
