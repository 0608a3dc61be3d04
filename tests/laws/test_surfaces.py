"""One law: the same sum through every surface, and nobody sees what is another's."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from schemas.event import Outcome
from schemas.key import Permission
from schemas.price import CostState
from schemas.record import RequestRecord
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from tests.builders.records import TIMESTAMP, a_record
from tests.contracts.test_amendments_api import put, work
from tests.laws.surfaces import (
    RANGE,
    Sum,
    added,
    beside_value,
    billed,
    in_analyses,
    in_exports,
    in_repeats,
    in_report_files,
    on_the_command_line,
    paged,
    responded,
    scored,
)
from tests.servers.querying import Client, QueryService, leaf, query_service
from tests.support.examples import examples
from tests.support.rolling import RollupFirst, rolled_up

SECONDS = {"startTimeUnixSeconds": 1_790_812_800, "endTimeUnixSeconds": 1_796_083_200}
MILLISECONDS = {"startTimeUnixMs": 1_790_812_800_000, "endTimeUnixMs": 1_796_083_200_000}
FILTERS: list[object] = [
    "all",
    leaf(model={"equals": "a"}),
    leaf(user_id={"not-equals": "ann"}),
    {"properties": {"Feature": {"equals": "chat"}}},
    {"type": "condition", "field": {"column": "Feature", "subtype": "property"}, "operator": "neq", "value": "chat"},
]

texts = st.sampled_from(["", "ann", "bob"])
amounts = st.none() | st.decimals(0, 1000, places=12)


@st.composite
def changes(draw: st.DrawFn) -> dict[str, Any]:
    usd = draw(amounts)
    feature = draw(st.sampled_from(["", "chat", "search"]))
    return {
        "cost_usd": usd,
        "cost_state": CostState.UNKNOWN_MODEL if usd is None else CostState.PRICED if usd else CostState.FREE,
        "user_id": draw(texts),
        "session_id": draw(st.sampled_from(["", "s1", "s2"])),
        "session_name": draw(st.sampled_from(["", "one"])),
        "session_path": draw(st.sampled_from(["", "/", "/a", "/a/b", "a/b/", "/c"])),
        "properties": {"feature": feature} if feature else {},
        "property_spellings": ["Feature"] if feature else [],
        "model": draw(st.sampled_from(["a", "b"])),
        "provider": draw(st.sampled_from(["OPENAI", "ANTHROPIC"])),
        "outcome": draw(st.sampled_from([Outcome.COMPLETED, Outcome.PROVIDER_ERROR])),
        "request_created_at": TIMESTAMP + timedelta(minutes=draw(st.integers(-40_000, 1_000))),
    }


Story = list[tuple[dict[str, Any], dict[str, Any] | None, bool, bool]]

# A row, and what it was before it was corrected: both are stored, in any order. The last says whether it is amended.
rows = st.tuples(changes(), st.none() | changes(), st.booleans(), st.booleans())
stories = st.lists(rows, max_size=6)
# Some rows are attempts: what they cost is in every sum, and no surface counts them as requests.
calls = st.none() | st.just("0af0fabc-0000-4000-8000-00000000000a")
stories_of_attempts = st.lists(
    st.tuples(changes(), st.none() | changes(), st.booleans(), st.booleans(), calls).map(
        lambda row: ({**row[0], "attempt_of": row[4]}, *row[1:4])
    ),
    max_size=6,
)


@pytest.fixture(scope="module")
def service(
    embedded_warehouse: ClickHouseWarehouse, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[QueryService]:
    with query_service(RollupFirst(embedded_warehouse), tmp_path_factory.mktemp("state")) as running:
        yield running


def kept(client: Client, story: Story) -> list[RequestRecord]:
    """The rows that count; what they were before, or the same ones again, is stored before or after them.

    Those that are amended get a score, and some another feature; then all rows come once more.
    """
    latest, first, second = [], [], []
    for row, prior, is_late, _ in story:
        identity = {
            "organization_id": client.organization_id,
            "request_id": str(uuid.uuid4()),
            "request_created_at": row["request_created_at"],
        }
        record = a_record(**(row | identity))
        older = a_record(**(prior | identity), version=record.version - 1) if prior else record
        latest.append(record)
        first.append(record if is_late else older)
        second.append(older if is_late else record)
    client.insert(first, [])
    rolled_up(client.service.warehouse, client.organization_id)
    client.insert(second, [])
    for position, (record, (*_, is_amended)) in enumerate(zip(latest, story, strict=True)):
        if is_amended:
            assert client.ask(f"/v1/request/{record.request_id}/score", {"scores": {"accuracy": position}})[0] == 201
            if position % 2:
                assert put(client, record.request_id, "Feature", "amended")[0] == 201
    work(client.service)
    client.insert(first, [])
    return latest


def sums(client: Client, filter_json: object) -> dict[str, Sum]:
    """The sum of all requests, by the surface that shows it."""
    body = {"filter": filter_json, "timeFilter": RANGE}
    listed = [
        row
        for row in client.page(filter_json, limit=1000)
        if RANGE["start"] <= row["request_created_at"] < RANGE["end"]
    ]
    report = client.report(measures=["cost_usd", "requests"], by=[{"property": "Feature"}], **body)
    users = responded(
        client, "/v1/user/metrics/query", {"filter": filter_json, "offset": 0, "limit": 1000, "timeFilter": SECONDS}
    )["users"]
    in_time = body | {"dbIncrement": "day", "timeZoneDifference": -330}
    costs, counts = (responded(client, f"/v1/metrics/{name}OverTime", in_time) for name in ("cost", "request"))
    page = body | {"offset": 0, "limit": 100}
    return {
        "list": added(listed, "cost"),
        "pages by cursor": paged(client, filter_json),
        "report": added([report["total"]], "cost_usd", "requests"),
        "groups": added([row["measures"] for row in report["rows"]], "cost_usd", "requests"),
        "users": added(users, "cost", "total_requests"),
        "metrics": (
            Decimal(responded(client, "/v1/metrics/totalCost", body) or 0),
            responded(client, "/v1/metrics/totalRequests", body),
        ),
        "over time": (_cost(costs), sum(row["count"] for row in counts)),
        "models": added(responded(client, "/v1/metrics/models", page), "cost", "total_requests"),
        "providers": added(responded(client, "/v1/metrics/providers", page), "cost", "total_requests"),
    }


def _cost(rows: list[dict[str, Any]]) -> Decimal:
    return sum((Decimal(row["cost"] or 0) for row in rows), Decimal(0))


def in_sessions(client: Client, filter_json: object) -> dict[str, Sum]:
    """The sum of the requests that are part of a session."""
    body = {"search": "", "timeFilter": MILLISECONDS, "timezoneDifference": 60, "filter": filter_json}
    names = {"nameContains": "", "timezoneDifference": 0, "timeFilter": MILLISECONDS, "filter": filter_json}
    count = responded(client, "/v1/session/count", body)
    named = responded(client, "/v1/session/name/query", names)
    return {
        "sessions": added(responded(client, "/v1/session/query", body), "total_cost", "total_requests"),
        "count": (Decimal(count["total_cost"] or 0), count["coverage"]["requests"]),
        "names": added([{**row, "requests": row["coverage"]["requests"]} for row in named], "total_cost", "requests"),
    }


def by_feature(client: Client) -> dict[str, Sum]:
    costs = responded(client, "/v1/property/feature/top-costs/query", {"timeFilter": RANGE})
    counts = responded(client, "/v1/property/Feature/top-requests/query", {"timeFilter": RANGE})
    return {"properties": (_cost(costs), sum(row["count"] for row in counts))}


def ledger_of(records: list[RequestRecord]) -> Sum:
    """The cost of all attempts, and how many requests there are."""
    return ledger(records)[0], sum(record.attempt_of is None for record in records)


@given(mine=stories_of_attempts, yours=stories_of_attempts, filter_json=st.sampled_from(FILTERS))
@settings(
    max_examples=examples(2),
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # an example takes a second: too long to shrink
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_every_surface_shows_the_same_sum_of_ones_own(
    service: QueryService, mine: Any, yours: Any, filter_json: object
) -> None:
    for story in (mine, yours):
        organization_id = f"org-{uuid.uuid4()}"
        client = Client(service, organization_id, service.key(organization_id, Permission.READ_WRITE))
        records = kept(client, story)
        expected = ledger_of(records)
        assert set(sums(client, "all").values()) == {expected}
        rolled_up(client.service.warehouse, client.organization_id)
        assert set(sums(client, "all").values()) == {expected}
        assert len(set(sums(client, filter_json).values())) == 1
        assert set(by_feature(client).values()) == {expected}
        sessions = [record for record in records if record.session_id]
        assert set(in_sessions(client, "all").values()) == {ledger_of(sessions)}
        assert len(set(in_sessions(client, filter_json).values())) == 1
        for session_id in {record.session_id for record in sessions}:
            tree = responded(client, f"/v1/session/{session_id}", None)
            whole = ledger_of([record for record in sessions if record.session_id == session_id])
            for figures in (tree["total"], tree["root"]["total"]):
                assert (Decimal(figures["cost"] or 0), figures["coverage"]["requests"]) == whole
            assert steps(tree["root"]) == whole


@given(story=st.lists(rows, min_size=3, max_size=6), filter_json=st.sampled_from(FILTERS))
@settings(
    max_examples=examples(2),
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_files_analyses_and_the_command_line_show_the_same_sum_as_reports(
    service: QueryService, story: Story, filter_json: object
) -> None:
    organization_id = f"org-{uuid.uuid4()}"
    client = Client(service, organization_id, service.key(organization_id, Permission.READ_WRITE))
    expected = ledger(kept(client, story))
    value = {"amount": 1000, "start": RANGE["start"], "end": RANGE["end"]}
    assert client.ask("/v1/value", {"values": [value | {"userId": user} for user in ("", "ann", "zoe")]})[0] == 200
    for filtered in ("all", filter_json):
        report = client.report(measures=["cost_usd", "requests"], filter=filtered, timeFilter=RANGE)["total"]
        whole = added([report], "cost_usd", "requests")
        assert filtered != "all" or whole == expected
        surfaces = in_exports(client, filtered) | in_report_files(client, filtered) | in_analyses(client, filtered)
        assert {name: found for name, found in surfaces.items() if found != whole} == {}
        assert billed(client, filtered) == in_repeats(client, filtered) == whole[0]
    for by in ([], [{"column": "user_id"}], [{"property": "Feature"}, {"time": "week"}]):
        assert beside_value(client, by) == expected, by
    assert set(on_the_command_line(client).values()) == {expected}
    assert scored(client, "accuracy") == sum(is_amended for *_, is_amended in story)


def steps(node: dict[str, Any]) -> Sum:
    """What the steps cost by themselves, added up."""
    below = [steps(step) for step in node["steps"]]
    cost = Decimal(node["own"]["cost"] or 0) + sum(part[0] for part in below)
    return cost, node["own"]["coverage"]["requests"] + sum(part[1] for part in below)


def ledger(records: list[RequestRecord]) -> Sum:
    return sum((record.cost_usd or Decimal(0) for record in records), Decimal(0)), len(records)
