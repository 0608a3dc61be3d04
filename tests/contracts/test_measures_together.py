"""Measures of requests, scores, sessions, users and value in one report: each is what it is when asked for alone."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from schemas.key import Permission
from tests.contracts.test_amendments_api import work
from tests.contracts.test_scores_api import score
from tests.contracts.test_value_api import give
from tests.servers.querying import Client, QueryService

MEASURES = (
    *("cost_usd", "requests", "average_score.accuracy", "requests_with_score.accuracy", "scored_requests"),
    *(
        "cost_per_session_usd",
        "p95_cost_per_session_usd",
        "max_cost_per_user_usd",
        "active_users",
        "average_latency_ms",
    ),
    *("value_usd", "margin_usd", "return_ratio"),
)
NOVEMBER = {"start": "2026-11-01T00:00:00Z", "end": "2026-12-01T00:00:00Z"}
BY_FEATURE: dict[str, Any] = {"by": [{"property": "Feature"}]}
BY_USER_AND_MONTH: dict[str, Any] = {"by": [{"column": "user_id"}, {"time": "week"}]}
COMPARED: dict[str, Any] = {"compare": {"start": "2026-10-01T00:00:00Z", "end": "2026-11-01T00:00:00Z"}}


@pytest.fixture
def writer(service: QueryService, organization_id: str) -> Client:
    return Client(service, organization_id, service.key(organization_id, Permission.READ_WRITE))


def keep(writer: Client) -> None:
    def sent(month: int, feature: str, user: str, cost: int | None, session: str = "") -> dict[str, Any]:
        return {
            "request_created_at": datetime(2026, month, 10, tzinfo=UTC),
            "properties": {"feature": feature} if feature else {},
            "user_id": user,
            "session_id": session,
            "cost_usd": None if cost is None else Decimal(cost),
        }

    ids = writer.keep(
        sent(11, "chat", "ann", 3, "s1"),
        sent(11, "chat", "bob", 5, "s2"),
        sent(11, "search", "bob", None, "s2"),
        sent(11, "", "", 7),
        sent(10, "chat", "ann", 2, "s0"),
        sent(10, "gone", "cat", 11),
    )
    for place, accuracy in ((0, 80), (3, -5), (4, 60), (5, 10)):
        score(writer, ids[place], accuracy=accuracy)
    work(writer.service)
    values = (("2026-11", "chat", "ann", 20), ("2026-11", "unused", "dan", 13), ("2026-10", "gone", "ann", 1))
    give(
        writer,
        *(
            {"amount": amount, "period": period, "userId": user, "properties": {"Feature": feature}}
            for period, feature, user, amount in values
        ),
    )


def asked(writer: Client, *measures: str, **body: Any) -> dict[str, Any]:
    status, response = writer.ask("/v1/report", {"timeFilter": NOVEMBER, "measures": measures, **body})
    assert status == 200, response
    data: dict[str, Any] = response["data"]
    return data


def figures_of(report: dict[str, Any], name: str) -> dict[Any, tuple[Any, Any]]:
    """In both periods, by group and in total."""
    rows = {tuple(row["by"]): (row["measures"][name], row.get("previous", {}).get(name)) for row in report["rows"]}
    before = report.get("compared") or {"total": {}}
    return rows | {"total": (report["total"][name], before["total"].get(name))}


@pytest.mark.parametrize("compared", [{}, COMPARED], ids=["alone", "compared"])
@pytest.mark.parametrize("by", [BY_FEATURE, BY_USER_AND_MONTH], ids=["feature", "user and week"])
def test_a_figure_is_the_same_whatever_else_is_asked(writer: Client, by: Any, compared: Any) -> None:
    keep(writer)
    together = asked(writer, *MEASURES, **by, **compared)
    for name in MEASURES:
        alone = figures_of(asked(writer, name, **by, **compared), name)
        for group, figures in figures_of(together, name).items():
            if group in alone:
                assert figures == alone[group], (name, group)
            else:  # it has value alone, and no request
                assert not any(figures), (name, group)


def test_conditions_on_scores_hold_beside_value(writer: Client) -> None:
    keep(writer)
    having = {"average_score.accuracy": {"lt": 70}, "requests_with_score.accuracy": {"gte": 1}}
    for measures in (("cost_usd",), ("cost_usd", "value_usd"), ("cost_usd", "p95_cost_per_session_usd")):
        report = asked(writer, *measures, **BY_FEATURE, having=having)
        assert [row["by"] for row in report["rows"]] == [[None]], measures
        assert report["total"]["cost_usd"] == 15


def test_what_is_beyond_the_limit_is_the_rest_of_every_sum(writer: Client) -> None:
    keep(writer)
    measures = ("cost_usd", "requests_with_score.accuracy", "value_usd", "average_score.accuracy")
    order = {"orderBy": {"measure": "cost_usd", "direction": "desc"}}
    report = asked(writer, *measures, **BY_FEATURE, **order, limit=1)
    whole = asked(writer, *measures, **BY_FEATURE, **order)
    rest = report["rest"]
    for name in measures[:3]:
        assert rest[name] == sum(row["measures"][name] or 0 for row in whole["rows"][1:]), name
    assert "average_score.accuracy" not in rest or rest["average_score.accuracy"] is None
