"""What one session, user or request costs: exact percentiles, bars that add up, and outliers by their ids."""

import random
import urllib.request
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas.price import CostState
from tests.builders.records import TIMESTAMP
from tests.servers.querying import Client, leaf

SINCE = {"start": "2026-01-01T00:00:00Z"}
UNKNOWN = {"cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL}
ANALYSIS = {"session_name": "Document Analysis"}


def asked(client: Client, of: str, **body: object) -> dict[str, Any]:
    status, response = client.ask("/v1/report/distribution", {"of": of, "timeFilter": SINCE, **body})
    assert status == 200, response
    data: dict[str, Any] = response["data"]
    return data


def test_the_guides_document_analysis_costs_45_cents_on_average_and_the_outlier_is_named(client: Client) -> None:
    step, last = Decimal("0.2"), Decimal("0.15")
    for number in range(12):
        session = {**ANALYSIS, "session_id": f"s{number}"}
        client.keep(
            {**session, "session_path": "/analyze", "cost_usd": step},
            {**session, "session_path": "/analyze/extract", "cost_usd": last},
        )
    client.keep({**ANALYSIS, "session_id": "dear", "session_path": "/analyze", "cost_usd": Decimal("1.65")})
    client.keep({"session_name": "other", "session_id": "s1", "cost_usd": Decimal(9)}, {"cost_usd": Decimal(9)})
    of_name = leaf(session_name={"equals": "Document Analysis"})
    found = asked(client, "session", filter=of_name, bars=4)
    assert (found["count"], found["known"], found["total_usd"]) == (13, 13, Decimal("5.85"))
    assert found["average_usd"] == Decimal("0.45")
    assert found["percentiles"]["p50_usd"] == found["percentiles"]["p90_usd"] == Decimal("0.35")
    (outlier,) = found["outliers"]
    assert (outlier["id"], outlier["name"], outlier["cost_usd"]) == ("dear", "Document Analysis", Decimal("1.65"))
    assert (found["outlier_count"], found["outlier_cost_usd"]) == (1, Decimal("1.65"))
    assert [(bar["count"], bar["cost_usd"]) for bar in found["bars"]] == [(12, Decimal("4.2")), (1, Decimal("1.65"))]

    for amount, below, above in (("1.65", 12, 0), ("0.35", 0, 1), (0.4, 12, 1), (0, 0, 13)):
        rank = asked(client, "session", filter=of_name, rankOfUsd=amount)["rank"]
        assert rank == {"below": below, "above": above}
    assert found["rank"] is None

    by_name = client.report(
        measures=["cost_per_session_usd", "p50_cost_per_session_usd", "max_cost_per_session_usd", "sessions"],
        by=[{"column": "session_name"}],
        filter=of_name,
    )
    (row,) = by_name["rows"]
    figures = Decimal("0.45"), Decimal("0.35"), Decimal("1.65"), 13
    assert tuple(row["measures"].values())[:4] == tuple(by_name["total"].values())[:4] == figures
    steps = client.report(measures=["cost_usd"], by=[{"column": "session_path"}], filter=of_name)
    assert [(step["by"], step["measures"]["cost_usd"]) for step in steps["rows"]] == [
        (["/analyze"], Decimal("4.05")),
        (["/analyze/extract"], Decimal("1.8")),
    ]


@pytest.mark.parametrize("of", ["session", "user", "request"])
def test_bars_add_up_and_percentiles_are_those_of_the_sorted_figures(client: Client, of: str) -> None:
    chance = random.Random(of)
    records: list[dict[str, Any]] = [
        {
            "user_id": f"u{chance.randrange(14)}",
            "session_id": f"s{chance.randrange(30)}",
            "cost_usd": None if chance.random() < 0.2 else Decimal(chance.randrange(10**9)) ** 2 * Decimal("1e-18"),
            "cost_state": CostState.PRICED,
        }
        for _ in range(80)
    ]
    for record in records:
        if record["cost_usd"] is None:
            record["cost_state"] = CostState.UNKNOWN_MODEL
        else:
            record["cost_usd"] = record["cost_usd"].quantize(Decimal("1e-12"))
    ids = client.keep(*records)
    client.keep({"user_id": "", "session_id": "", **UNKNOWN}) if of != "request" else None
    costs: dict[object, list[Decimal]] = {}
    for id_, record in zip(ids, records, strict=True):
        key = id_ if of == "request" else record[f"{of}_id"]
        costs.setdefault(key, []).extend([] if record["cost_usd"] is None else [record["cost_usd"]])
    figures = sorted(sum(parts, Decimal(0)) for parts in costs.values() if parts)
    found = asked(client, of, bars=7)
    assert (found["count"], found["known"], found["total_usd"]) == (len(costs), len(figures), sum(figures))
    assert sum(bar["count"] for bar in found["bars"]) == len(figures)
    assert sum(Decimal(bar["cost_usd"]) for bar in found["bars"]) == sum(figures)
    for percent in (25, 50, 75, 90, 95, 99):
        assert found["percentiles"][f"p{percent}_usd"] == figures[int(len(figures) * percent / 100)], percent
    assert (found["percentiles"]["min_usd"], found["percentiles"]["max_usd"]) == (figures[0], figures[-1])
    above = found["outlier_above_usd"]
    assert [one["cost_usd"] for one in found["outliers"]] == [one for one in reversed(figures) if one > above]
    if of != "request":
        report = client.report(measures=[f"{name}_cost_per_{of}_usd" for name in ("p50", "p95", "p99", "max")])
        shown = [report["total"][f"{name}_cost_per_{of}_usd"] for name in ("p50", "p95", "p99", "max")]
        assert shown == [found["percentiles"][f"{name}_usd"] for name in ("p50", "p95", "p99", "max")]


def test_what_a_user_costs_by_tier_is_of_the_group_and_in_the_total_of_all(client: Client) -> None:
    client.keep(
        *(
            {"user_id": user, "properties": {"usertier": tier}, "cost_usd": Decimal(usd)}
            for user, tier, usd in (("a", "free", 1), ("a", "premium", 4), ("b", "free", 2), ("c", "premium", 10))
        ),
        {"user_id": "d", "properties": {"usertier": "free"}, **UNKNOWN},
        {
            "user_id": "",
            "properties": {},
            "cost_usd": Decimal(50),
            "request_created_at": TIMESTAMP - timedelta(days=40),
        },
    )
    measures = ["max_cost_per_user_usd", "p50_cost_per_user_usd", "cost_per_user_usd"]
    report = client.report(measures=measures, by=[{"property": "UserTier"}])
    assert {row["by"][0]: tuple(row["measures"].values())[:3] for row in report["rows"]} == {
        "premium": (10, 10, 7),
        "free": (2, 2, Decimal("1.5")),
        None: (None, None, None),
    }
    assert tuple(report["total"].values())[:3] == (10, 5, Decimal("5.666666666666"))
    trend = client.report(measures=measures[:1], by=[{"time": "month"}], compare="previous")
    assert [row["measures"]["max_cost_per_user_usd"] for row in trend["rows"]] == [None, 10]
    dear = client.report(measures=["cost_usd"], by=[{"column": "user_id"}], having={"cost_usd": {"gte": 5}})
    assert [row["by"] for row in dear["rows"]] == [[None], ["c"], ["a"]]


def test_of_nothing_and_of_few_there_are_no_outliers(client: Client) -> None:
    nothing = asked(client, "session")
    assert (nothing["count"], nothing["total_usd"], nothing["bars"], nothing["outliers"]) == (0, 0, [], [])
    assert nothing["average_usd"] is nothing["percentiles"]["p50_usd"] is nothing["outlier_above_usd"] is None
    client.keep({"session_id": "s1", **UNKNOWN})
    assert (asked(client, "session")["known"], asked(client, "session")["total_usd"]) == (0, None)
    client.keep({"session_id": "s2", "cost_usd": Decimal(1)}, {"session_id": "s3", "cost_usd": Decimal(100)})
    few = asked(client, "session", bars=2)
    assert (few["outlier_above_usd"], few["outliers"], [bar["count"] for bar in few["bars"]]) == (None, [], [1, 1])
    assert (few["coverage"]["requests"], few["coverage"]["unpriced_requests"]) == (3, 1)


def test_it_comes_as_csv(client: Client) -> None:
    client.keep(*({"session_id": f"s{number}", "cost_usd": Decimal(1 + 99 * (number == 0))} for number in range(11)))
    headers = {"Authorization": f"Bearer {client.key}", "Content-Type": "application/json", "Accept": "text/csv"}
    body = b'{"of": "session", "bars": 1, "timeFilter": {"start": "2026-01-01"}, "rankOfUsd": "99.5"}'
    url = f"http://127.0.0.1:{client.service.port}/v1/report/distribution"
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as response:
        lines = response.read().decode().splitlines()
    assert lines[0] == "# farebox: distribution"
    assert lines[1].startswith("# period: 2026-01-01T00:00:00+00:00 to ")
    assert lines[2:4] == ["# zone: UTC", "# rows: percentiles and bars of all and 1 of 1 outliers"]
    assert lines[5].startswith("# state: ")
    assert lines[12] == "line,id,name,from_usd,to_usd,count,cost_usd"
    assert "percentile,,p50_usd,,,,1" in lines
    assert "outlier,s0,,,,1,100" in lines
    assert lines[-3:] == ["below,,,,,10,", "above,,,,,1,", "total,,,,,11,110"]
