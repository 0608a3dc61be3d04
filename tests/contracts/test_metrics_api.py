"""The figures of Helicone's dashboard: single, over time, by model and of the cache; exact, and without gaps."""

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas.event import Outcome
from schemas.price import CostState
from schemas.usage import UsageSource
from tests.builders.records import TIMESTAMP
from tests.servers.querying import Client, leaf

UNKNOWN: dict[str, Any] = {"cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL}
NO_TOKENS = dict.fromkeys(("prompt_tokens", "prompt_cache_read_tokens", "completion_tokens"), 0)
NO_USAGE: dict[str, Any] = {
    "usage_source": UsageSource.NONE,
    "cost_usd": None,
    "cost_state": CostState.NO_USAGE,
    **NO_TOKENS,
}
PERIOD = {"start": "2026-11-01T00:00:00Z", "end": "2026-11-04T00:00:00Z"}
BODY = {"filter": "all", "timeFilter": PERIOD}
DAILY = BODY | {"dbIncrement": "day", "timeZoneDifference": 0}
CACHED = {"timeFilter": PERIOD}
FIRST = str(uuid.UUID(int=7))


def response_of(client: Client, path: str, body: object) -> dict[str, Any]:
    status, response = client.ask(path, body)
    assert (status, response.get("error")) == (200, None), response
    found: dict[str, Any] = response
    return found


def metric(client: Client, name: str, body: object = None) -> Any:
    return response_of(client, f"/v1/metrics/{name}", body or BODY)["data"]


def keep_three_days(client: Client) -> None:
    day = timedelta(days=1)
    client.keep(
        {"cost_usd": Decimal("0.25"), "latency_ms": 100, "user_id": "ann"},
        {"cost_usd": Decimal("0.5"), "latency_ms": 200, "user_id": "bob", "is_stream": True},
        {
            **UNKNOWN,
            "request_created_at": TIMESTAMP + 2 * day,
            "user_id": "",
            "model": "no-such-model",
            "provider": "X",
        },
        {**NO_USAGE, "request_created_at": TIMESTAMP + 2 * day, "status": 500, "outcome": Outcome.PROVIDER_ERROR},
        {"cost_usd": Decimal(9), "request_created_at": TIMESTAMP + 30 * day},
    )


@pytest.mark.parametrize(
    ("name", "figure", "of_nothing"),
    [
        ("totalRequests", 4, 0),
        ("totalCost", Decimal("0.75"), 0),
        ("averageLatency", Decimal("500.0"), 0),
        ("averageTimeToFirstToken", None, 0),
        ("totalThreats", 0, 0),
        ("activeUsers", 3, 0),
    ],
)
def test_a_single_figure_is_a_number(client: Client, name: str, figure: object, of_nothing: object) -> None:
    assert metric(client, name) == of_nothing
    keep_three_days(client)
    assert metric(client, name) == figure
    assert metric(client, name, BODY | {"filter": leaf(user_id={"equals": "nobody"})}) == of_nothing


def test_time_to_first_token_is_of_rows_that_have_one(client: Client) -> None:
    client.keep(
        *({"time_to_first_token_ms": ms, "is_stream": True} for ms in (100, 300, 0)),
        {"time_to_first_token_ms": None},
    )
    assert metric(client, "averageTimeToFirstToken") == 200


def test_the_cost_brings_its_coverage_and_is_null_when_none_is_known(client: Client) -> None:
    client.keep({**UNKNOWN})
    response = response_of(client, "/v1/metrics/totalCost", BODY)
    assert response["data"] is None
    assert response["coverage"] == {
        "requests": 1,
        "attempts": 1,
        "unpriced_requests": 1,
        "priced_request_share": 0,
        "priced_token_share": 0,
        "unpriced_requests_without_tokens": 0,
    }


def test_tokens_of_a_request_are_of_those_with_reported_usage(client: Client) -> None:
    name = "averageTokensPerRequest"
    fields = ("prompt", "completion", "total")
    assert metric(client, name) == {f"average_{field}_tokens_per_response": 0 for field in fields}
    client.keep({**NO_USAGE})
    assert metric(client, name) == {f"average_{field}_tokens_per_response": None for field in fields}
    client.keep({}, {"prompt_tokens": 300})
    assert metric(client, name) == {
        "average_prompt_tokens_per_response": 450,
        "average_completion_tokens_per_response": 200,
        "average_total_tokens_per_response": 650,
    }


DAYS = [f"2026-11-0{day}T00:00:00.000Z" for day in (1, 2, 3)]


@pytest.mark.parametrize(
    ("name", "days"),
    [
        ("requestOverTime", [{"count": 2, "status": None}, {"count": 0, "status": None}, {"count": 2, "status": None}]),
        ("costOverTime", [{"cost": Decimal("0.75")}, {"cost": 0}, {"cost": None}]),
        (
            "tokensOverTime",
            [{"prompt_tokens": p, "completion_tokens": c} for p, c in ((1200, 400), (0, 0), (600, 200))],
        ),
        ("latencyOverTime", [{"duration": 150}, {"duration": 0}, {"duration": 850}]),
        ("timeToFirstToken", [{"ttft": None}, {"ttft": 0}, {"ttft": None}]),
        ("usersOverTime", [{"count": 2}, {"count": 0}, {"count": 1}]),
        ("threatsOverTime", [{"count": 0}, {"count": 0}, {"count": 0}]),
        ("errorOverTime", [{"count": 0}, {"count": 0}, {"count": 1}]),
    ],
)
def test_figures_over_time_have_no_gaps(client: Client, name: str, days: list[dict[str, object]]) -> None:
    keep_three_days(client)
    found = metric(client, name, DAILY)
    for element in found:
        element.pop("coverage", None)
    assert found == [{"time": time, **day} for time, day in zip(DAYS, days, strict=True)]


def test_the_cost_of_each_bucket_brings_its_coverage(client: Client) -> None:
    keep_three_days(client)
    coverages = [day["coverage"] for day in metric(client, "costOverTime", DAILY)]
    assert [(coverage["requests"], coverage["unpriced_requests"]) for coverage in coverages] == [(2, 0), (0, 0), (2, 2)]


def test_statuses_and_models_are_shown_over_time(client: Client) -> None:
    keep_three_days(client)
    statuses = metric(client, "requestStatusOverTime", DAILY)
    assert statuses == [
        {"time": DAYS[0], "count": 2, "status": 200},
        {"time": DAYS[1], "count": 0, "status": 0},
        {"time": DAYS[2], "count": 1, "status": 200},
        {"time": DAYS[2], "count": 1, "status": 500},
    ]
    models = metric(client, "modelUsageOverTime", DAILY)
    named = [(element["model"], element["request_count"], element["total_tokens"]) for element in models]
    usual = "gpt-4o-mini-2024-07-18"
    assert named == [(usual, 2, 1600), ("", 0, 0), (usual, 1, None), ("no-such-model", 1, 800)]


def test_detailed_tokens_are_shown_over_time(client: Client) -> None:
    client.keep({"reasoning_tokens": 5, "prompt_cache_write_1h_tokens": 3})
    first, *_ = metric(client, "detailedTokensOverTime", DAILY)
    assert first == {
        "time": DAYS[0],
        "prompt_tokens": 600,
        "completion_tokens": 200,
        "reasoning_tokens": 5,
        "prompt_cache_read_tokens": 400,
        "prompt_cache_write_tokens": 3,
    }


@pytest.mark.parametrize(
    ("increment", "difference", "times"),
    [
        ("hour", 0, ["2026-11-01T12:00:00.000Z"]),
        ("hour", -330, ["2026-11-01T11:30:00.000Z", "2026-11-01T12:30:00.000Z"]),
        ("day", 300, ["2026-11-01T05:00:00.000Z"]),
        ("week", 0, ["2026-10-26T00:00:00.000Z"]),
        ("month", 0, ["2026-11-01T00:00:00.000Z"]),
        ("month", -60, ["2026-10-31T23:00:00.000Z"]),
        ("year", 0, ["2026-01-01T00:00:00.000Z"]),
    ],
)
def test_buckets_begin_where_the_client_lives(
    client: Client, increment: str, difference: int, times: list[str]
) -> None:
    client.keep({})
    period = {"start": "2026-11-01T12:00:00Z", "end": "2026-11-01T13:00:00Z"}
    body = {"filter": "all", "timeFilter": period, "dbIncrement": increment, "timeZoneDifference": difference}
    found = metric(client, "requestOverTime", body)
    assert [element["time"] for element in found] == times
    assert [element["count"] for element in found] == [1, 0][: len(times)]


def test_minutes_are_many_and_too_many_are_refused(client: Client) -> None:
    assert len(metric(client, "requestOverTime", DAILY | {"dbIncrement": "min"})) == 3 * 1440
    year = {"start": "2026-01-01T00:00:00Z", "end": "2027-01-01T00:00:00Z"}
    status, refusal = client.ask("/v1/metrics/requestOverTime", DAILY | {"dbIncrement": "min", "timeFilter": year})
    assert status == 422
    assert "more than 50,000 buckets" in refusal["error"]


def test_the_batch_tier_is_left_out_of_latency_over_time(client: Client) -> None:
    client.keep({"latency_ms": 100}, {"latency_ms": 10**8, "model": "gpt-4o-batch"})
    assert metric(client, "latencyOverTime", DAILY)[0]["duration"] == 100


def test_quantiles_are_of_the_metric(client: Client) -> None:
    client.keep(*({"latency_ms": ms, "prompt_tokens": ms * 2} for ms in range(1, 101)), {**NO_USAGE})
    latency = metric(client, "quantiles", DAILY | {"metric": "latency"})
    assert latency[0] == {"time": DAYS[0], "p75": 76, "p90": 91, "p95": 96, "p99": 100}
    assert latency[1] == {"time": DAYS[1], "p75": 0, "p90": 0, "p95": 0, "p99": 0}
    tokens = metric(client, "quantiles", DAILY | {"metric": "prompt_tokens"})
    assert tokens[0] == {"time": DAYS[0], "p75": 152, "p90": 182, "p95": 192, "p99": 200}


def test_models_and_providers_are_listed_with_what_they_cost(client: Client) -> None:
    keep_three_days(client)
    page = BODY | {"offset": 0, "limit": 10}
    models = metric(client, "models", page)
    assert models[0] | {"coverage": None} == {
        "model": "gpt-4o-mini-2024-07-18",
        "total_requests": 3,
        "total_completion_tokens": 400,
        "total_prompt_token": 1200,
        "total_tokens": 1600,
        "cost": Decimal("0.75"),
        "coverage": None,
    }
    assert (models[1]["model"], models[1]["cost"]) == ("no-such-model", None)
    assert metric(client, "models", page | {"offset": 1, "limit": 1}) == models[1:]
    providers = metric(client, "providers", page)
    assert [(row["provider"], row["total_requests"]) for row in providers] == [("OPENAI", 3), ("X", 1)]
    assert metric(client, "country", page) == []


def test_requests_are_counted_of_all_times_and_those_from_the_cache(client: Client) -> None:
    keep_three_days(client)
    client.keep({"outcome": Outcome.CACHED, "cache_reference_id": FIRST})
    assert metric(client, "requestCount", {"filter": "all"}) == 6
    assert metric(client, "requestCount", {"filter": "all", "isCached": True}) == 1


def hit(of: str, saved: str | None, **more: object) -> dict[str, Any]:
    return {
        "outcome": Outcome.CACHED,
        "cache_reference_id": of,
        "cache_enabled": True,
        "cost_usd": Decimal(0),
        "cost_state": CostState.FREE,
        "cache_saved_usd": None if saved is None else Decimal(saved),
        "latency_ms": 5,
        **NO_TOKENS,
        **more,
    }


def keep_hits(client: Client) -> None:
    """The original lies before the period."""
    client.keep(
        {"request_id": FIRST, "latency_ms": 1500, "request_created_at": TIMESTAMP - timedelta(days=20)},
        bodies=('{"model":"gpt-4o-mini"}', '{"answer":42}'),
    )
    other = str(uuid.UUID(int=8))
    client.keep(hit(FIRST, "0.25"), hit(FIRST, "0.5"), hit(other, None), {})


def test_the_cache_is_shown_with_what_it_saved(client: Client) -> None:
    keep_hits(client)
    assert response_of(client, "/api/cache/total", CACHED)["data"] == 3
    savings = response_of(client, "/api/cache/total_savings", CACHED)
    assert (savings["data"], savings["coverage"]) == (Decimal("0.75"), {"cache_hits": 3, "unknown_hits": 1})
    time = response_of(client, "/api/cache/time_saved", CACHED)
    assert (time["data"], time["coverage"]) == (3, {"cache_hits": 3, "unknown_hits": 1})
    in_time = response_of(client, "/api/cache/cacheHitsOverTime", CACHED)["data"]
    assert in_time == [{"time": time, "count": count} for time, count in zip(DAYS, (3, 0, 0), strict=True)]


def test_the_requests_that_are_served_most_often_are_shown_with_their_bodies(client: Client) -> None:
    keep_hits(client)
    first, second = response_of(client, "/api/cache/requests", {})["data"]
    assert first == {
        "request_id": FIRST,
        "count": 2,
        "last_used": "2026-11-01T12:00:01.123Z",
        "first_used": "2026-11-01T12:00:00.123Z",
        "model": "gpt-4o-mini-2024-07-18",
        "prompt": '{"model":"gpt-4o-mini"}',
        "response": '{"answer":42}',
        "saved_usd": Decimal("0.75"),
        "coverage": {"cache_hits": 2, "unknown_hits": 0},
    }
    assert (second["count"], second["prompt"], second["saved_usd"]) == (1, None, None)


def test_a_cache_without_hits_saved_nothing(client: Client) -> None:
    client.keep({})
    for path in ("total", "total_savings", "time_saved"):
        assert response_of(client, f"/api/cache/{path}", CACHED)["data"] == 0
    assert response_of(client, "/api/cache/requests", CACHED)["data"] == []


def test_figures_of_others_are_not_seen(client: Client) -> None:
    keep_three_days(client)
    keep_hits(client)
    stranger = client.service.key(f"{client.organization_id}-other")
    for path in ("/v1/metrics/totalRequests", "/v1/metrics/totalCost", "/v1/metrics/activeUsers"):
        assert client.service.ask(path, BODY, key=stranger)[1]["data"] == 0
    for path in ("/api/cache/total", "/api/cache/total_savings", "/api/cache/time_saved"):
        assert client.service.ask(path, CACHED, key=stranger)[1]["data"] == 0
    assert client.service.ask("/api/cache/requests", CACHED, key=stranger)[1]["data"] == []
    counts = client.service.ask("/v1/metrics/requestOverTime", DAILY, key=stranger)[1]["data"]
    assert [element["count"] for element in counts] == [0, 0, 0]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"filter": "all"}, "timeFilter"),
        (BODY | {"filter": leaf(colour={"equals": "red"})}, "unknown column 'colour'"),
        (BODY | {"timeFilter": {"start": "2027-01-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"}}, "after its end"),
        (BODY | {"timeFilter": {"start": "yesterday", "end": "2026-01-01T00:00:00Z"}}, "timeFilter.start"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(client: Client, body: object, text: str) -> None:
    for name in ("totalCost", "totalThreats", "costOverTime"):
        status, refusal = client.ask(f"/v1/metrics/{name}", body)
        assert status == 422
        assert text in refusal["error"]
