"""What reports and the summary owe their clients, on both shapes of the warehouse."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from schemas.event import Outcome
from schemas.price import CostState
from schemas.usage import COUNTS, UsageSource
from services.sql.measures import COVERAGE, MEASURES
from services.sql.sort import groupable_columns
from tests.builders.records import TIMESTAMP
from tests.servers.querying import Client, leaf


def test_a_report_has_groups_a_total_and_its_coverage(client: Client) -> None:
    client.keep(
        {"properties": {"feature": "chat"}, "cost_usd": Decimal("0.1")},
        {"properties": {"feature": "chat"}, "cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL},
        {"properties": {"feature": "search"}, "cost_usd": Decimal("0.7")},
        {"properties": {}, "cost_usd": Decimal("0.2")},
    )
    report = client.report(measures=["cost_usd"], by=[{"property": "FEATURE"}])
    assert [(row["by"], row["measures"]["cost_usd"]) for row in report["rows"]] == [
        (["search"], Decimal("0.7")),
        ([None], Decimal("0.2")),
        (["chat"], Decimal("0.1")),
    ]
    assert report["total"] == {
        "cost_usd": 1,
        "requests": 4,
        "attempts": 4,
        "unpriced_requests": 1,
        "priced_request_share": Decimal("0.75"),
        "priced_token_share": Decimal("0.75"),
        "unpriced_requests_without_tokens": 0,
    }


def test_savings_say_how_many_hits_they_leave_out_and_not_how_many_costs(client: Client) -> None:
    hit = {"outcome": Outcome.CACHED, "cost_usd": Decimal(0), "cost_state": CostState.FREE}
    client.keep(
        hit | {"cache_saved_usd": Decimal("0.3")},
        hit | {"cache_saved_usd": None},
        hit | {"cache_saved_usd": None, "model": "mystery"},
        {"cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL},
    )
    report = client.report(measures=["cache_savings_usd"], by=[{"column": "model"}])
    assert report["total"] == {"cache_savings_usd": Decimal("0.3"), "cache_hits": 3, "unpriced_cache_hits": 2}
    assert [row["measures"]["cache_savings_usd"] for row in report["rows"]] == [Decimal("0.3"), None]
    cache = client.summary()["cache"]
    assert (cache["savings_usd"], cache["hits"], cache["unpriced_hits"]) == (Decimal("0.3"), 3, 2)


def test_every_amount_and_every_count_of_use_comes_with_its_coverage() -> None:
    amounts = {name for name, measure in MEASURES.items() if measure.unit == "USD"}
    assert COVERAGE.keys() == COUNTS.keys() | amounts | {"return_ratio", "margin_ratio"}


UNKNOWN = {"cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL}
FREE = {"cost_usd": Decimal(0), "cost_state": CostState.FREE}


def test_a_group_in_which_nothing_is_priced_costs_an_unknown_amount_and_a_free_one_nothing(client: Client) -> None:
    client.keep(
        {"model": "mystery", **UNKNOWN, "prompt_tokens": 600},
        {"model": "mystery", **UNKNOWN},
        {"model": "present", **FREE},
        {"model": "present", **UNKNOWN},
        {"model": "priced", "cost_usd": Decimal("0.1")},
    )
    report = client.report(measures=["cost_usd"], by=[{"column": "model"}])
    reported = [(row["by"][0], *row["measures"].values()) for row in report["rows"]]
    half = Decimal("0.5")
    assert reported == [
        ("priced", Decimal("0.1"), 1, 0, 1, 1, 0, 1),
        ("present", 0, 2, 1, half, half, 0, 2),
        ("mystery", None, 2, 2, 0, 0, 0, 2),
    ]
    assert (report["total"]["cost_usd"], report["total"]["unpriced_requests"]) == (Decimal("0.1"), 3)
    upwards = client.report(
        measures=["cost_usd"], by=[{"column": "model"}], orderBy={"measure": "cost_usd", "direction": "asc"}
    )
    assert [row["by"][0] for row in upwards["rows"]] == ["present", "priced", "mystery"]


MISSING = {
    "cost_usd": None,
    "cost_state": CostState.NO_USAGE,
    "usage_source": UsageSource.NONE,
    **dict.fromkeys(("prompt_tokens", "prompt_cache_read_tokens", "completion_tokens"), 0),
}


def test_a_share_of_tokens_says_how_many_requests_have_none_that_are_known(client: Client) -> None:
    refused = {**MISSING, **FREE, "outcome": Outcome.PROVIDER_ERROR}
    client.keep({}, {**MISSING, "user_id": "ann"}, MISSING, refused, {**UNKNOWN, **MISSING, "prompt_audio_ms": 30_000})
    figures = {"priced_token_share": 1, "unpriced_requests_without_tokens": 3}
    total = client.report(measures=["cost_usd"])["total"]
    assert (total["requests"], total["unpriced_requests"], total | figures) == (5, 3, total)
    summary = client.summary()
    assert summary["total"] | figures == summary["total"]
    (environment,) = summary["environments"]
    assert environment | figures == environment
    assert environment["features"][0] | figures == environment["features"][0]
    missing = [(user["user_id"], user["unpriced_requests_without_tokens"]) for user in summary["top_users"]]
    assert missing == [("user-123", 2), ("ann", 1)]


def usage_of(requests: int, without: int) -> dict[str, int]:
    return {"requests": requests, "attempts": requests, "requests_without_usage": without}


def test_counts_of_use_are_unknown_where_nobody_reported_any_and_zero_where_there_is_nothing(client: Client) -> None:
    measures = ["total_tokens", "prompt_tokens", "web_searches"]
    assert client.report(measures=measures)["total"] == dict.fromkeys([*measures, *COVERAGE["total_tokens"]], 0)
    client.keep(
        {"model": "reported"}, {"model": "reported", **MISSING}, {"model": "a", **MISSING}, {"model": "b", **MISSING}
    )
    report = client.report(measures=measures, by=[{"column": "model"}], limit=1)
    assert [row["measures"] for row in report["rows"]] == [
        {"total_tokens": 800, "prompt_tokens": 600, "web_searches": 0, **usage_of(2, 1)}
    ]
    unknown = dict.fromkeys(measures)
    assert report["rest"] == unknown | usage_of(2, 2)
    assert report["total"] == report["rows"][0]["measures"] | usage_of(4, 3)
    alone = client.report(measures=measures, filter=leaf(model={"equals": "a"}))["total"]
    assert alone == unknown | usage_of(1, 1)
    assert client.page(leaf(model={"equals": "a"}))[0]["total_tokens"] is None


def test_the_summary_says_unknown_where_nothing_is_priced(client: Client) -> None:
    client.keep({**UNKNOWN, "outcome": Outcome.CACHED}, {**UNKNOWN, "properties": {}, "user_id": "ann"})
    summary = client.summary()
    unknown = {
        "cost_usd": None,
        "priced_request_share": 0,
        "priced_token_share": 0,
        "unpriced_requests_without_tokens": 0,
    }
    of_two = unknown | {"requests": 2, "attempts": 2, "unpriced_requests": 2}
    of_one = unknown | {"requests": 1, "attempts": 1, "unpriced_requests": 1}
    assert summary["total"] == of_two
    (environment,) = summary["environments"]
    assert environment | of_two | {"share": None} == environment
    assert [part | of_one | {"share": None} for part in environment["features"]] == environment["features"]
    assert [user | of_one for user in summary["top_users"]] == summary["top_users"]
    assert (len(environment["features"]), len(summary["top_users"])) == (2, 2)
    assert (summary["cache"]["hits"], summary["cache"]["savings_usd"]) == (1, None)


def test_what_is_unknown_comes_last_in_the_tree_and_has_no_share(client: Client) -> None:
    client.keep(
        {"properties": {"environment": "a"}, **UNKNOWN},
        {"properties": {"environment": "b"}, "cost_usd": Decimal("0.25")},
        {"properties": {"environment": "c", "feature": "(none)"}, "cost_usd": Decimal("0.5")},
        {"properties": {"environment": "c"}, "cost_usd": Decimal("0.25"), "prompt_tokens": 1200},
        {"properties": {"environment": "c"}, **UNKNOWN},
    )
    tree = client.summary()["environments"]
    assert [(branch["name"], branch["cost_usd"], branch["share"]) for branch in tree] == [
        ("c", Decimal("0.75"), Decimal("0.75")),
        ("b", Decimal("0.25"), Decimal("0.25")),
        ("a", None, None),
    ]
    assert [(part["name"], part["cost_usd"]) for part in tree[0]["features"]] == [
        ("(none)", Decimal("0.5")),
        ("(none)", Decimal("0.25")),
    ]
    assert float(tree[0]["priced_request_share"]) == 2 / 3
    assert float(tree[0]["priced_token_share"]) == 3000 / 4200
    assert [part["priced_token_share"] for part in tree[0]["features"]] == [1, Decimal("0.6")]


def test_every_measure_has_a_value_for_some_rows_and_for_none(client: Client) -> None:
    measures = sorted(MEASURES)
    assert client.report(measures=measures)["total"]["average_cost_usd"] is None
    client.keep({"latency_ms": 100}, {"latency_ms": 300, "cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL})
    total = client.report(measures=measures)["total"]
    assert (total["average_latency_ms"], total["p50_latency_ms"], total["priced_request_share"]) == (
        200,
        300,
        Decimal("0.5"),
    )
    assert (total["average_cost_usd"], total["total_tokens"], total["active_users"]) == (Decimal("0.00024"), 1600, 1)
    assert (total["priced_token_share"], total["first_request_at"]) == (Decimal("0.5"), "2026-11-01T12:00:00.123Z")


def test_days_begin_at_midnight_of_the_clients_zone(client: Client) -> None:
    client.keep(
        {"request_created_at": TIMESTAMP.replace(hour=22, minute=59)},
        {"request_created_at": TIMESTAMP.replace(hour=23)},
    )
    days = {"measures": ["requests"], "by": [{"time": "day"}]}
    assert [row["by"] for row in client.report(**days)["rows"]] == [["2026-11-01T00:00:00+00:00"]]
    in_berlin = client.report(**days, timeZone="Europe/Berlin")
    assert [row["by"] for row in in_berlin["rows"]] == [["2026-11-01T00:00:00+01:00"], ["2026-11-02T00:00:00+01:00"]]
    for bucket, start in (
        ("minute", "2026-11-02T04:29"),
        ("hour", "2026-11-02T04:00"),
        ("week", "2026-11-02T00:00"),
        ("month", "2026-11-01T00:00"),
    ):
        last = client.report(measures=["requests"], by=[{"time": bucket}], timeZone="Asia/Kolkata")["rows"][-1]
        assert last["by"][0].startswith(start.replace("04:29", "04:30")), bucket


def test_a_report_says_when_it_is_not_whole(client: Client) -> None:
    client.keep(*({"user_id": f"user-{number}"} for number in range(5)))
    requested = {"measures": ["requests"], "by": [{"column": "user_id"}]}
    cut = client.report(**requested, limit=4)
    assert (len(cut["rows"]), cut["truncated"], cut["total"]["requests"]) == (4, True, 5)
    assert cut["rest"] == {"requests": 1}
    whole = client.report(**requested, limit=5, orderBy={"measure": "requests", "direction": "asc"})
    assert (len(whole["rows"]), whole["truncated"], whole["rest"]) == (5, False, None)


def test_every_column_that_can_be_grouped_by_can(client: Client) -> None:
    client.keep({})
    for name in groupable_columns():
        assert client.report(measures=["requests"], by=[{"column": name}])["total"]["requests"] == 1, name


def test_the_summary_adds_up(client: Client) -> None:
    def row(environment: str | None, feature: str | None, cost: str | None, user: str, **more: Any) -> dict[str, Any]:
        named = {"environment": environment, "feature": feature} | more.pop("also", {})
        properties = {name: value for name, value in named.items() if value is not None}
        state = CostState.PRICED if cost else CostState.UNKNOWN_MODEL
        return {
            "properties": properties,
            "user_id": user,
            "cost_usd": cost and Decimal(cost),
            "cost_state": state,
        } | more

    client.keep(
        row("production", "chat", "0.6", "ann", also={"usertier": "free"}),
        row("production", "chat", "0.1", "ann", also={"usertier": "premium"}),
        row("production", "search", "0.2", "bob"),
        row("production", None, "0.05", ""),
        row(None, "chat", None, "bob", model="mystery"),
        row(None, None, "0.05", "cy", outcome=Outcome.CACHED, cache_enabled=True, cache_saved_usd=Decimal("0.3")),
        row("development", "chat", "0", "cy", cache_enabled=True),
    )
    summary = client.summary("?since=2d")
    total = summary["total"]
    assert (total["cost_usd"], total["requests"], total["unpriced_requests"]) == (1, 7, 1)
    assert [(branch["name"], branch["cost_usd"], branch["share"]) for branch in summary["environments"]] == [
        ("production", Decimal("0.95"), Decimal("0.95")),
        ("(none)", Decimal("0.05"), Decimal("0.05")),
        ("development", 0, 0),
    ]
    assert (float(total["priced_request_share"]), float(total["priced_token_share"])) == (6 / 7, 6 / 7)
    for figure in ("cost_usd", "requests", "unpriced_requests"):
        assert sum(branch[figure] or 0 for branch in summary["environments"]) == total[figure]
        for branch in summary["environments"]:
            assert sum(feature[figure] or 0 for feature in branch["features"]) == branch[figure]
    assert [feature["name"] for feature in summary["environments"][0]["features"]] == ["chat", "search", "(none)"]
    users = [(user["user_id"], user["cost_usd"], user["tier"]) for user in summary["top_users"]]
    assert users == [("ann", Decimal("0.7"), "premium"), ("bob", Decimal("0.2"), None), ("cy", Decimal("0.05"), None)]
    assert summary["cache"] == {
        "hits": 1,
        "requests": 2,
        "hit_rate": Decimal("0.5"),
        "savings_usd": Decimal("0.3"),
        "unpriced_hits": 0,
    }
    assert summary["unpriced"] == [
        {"provider": "OPENAI", "model": "mystery", "cost_state": "unknown_model", "requests": 1}
    ]


def test_a_summary_is_about_its_period(client: Client) -> None:
    now = client.service.clock.now()
    client.keep({"request_created_at": now - timedelta(days=8)}, {"request_created_at": now - timedelta(days=1)})
    assert client.summary()["total"]["requests"] == 1
    assert client.summary("?since=2w")["total"]["requests"] == 2
    assert client.summary("?since=9999w")["total"]["requests"] == 2
    assert client.summary("?start=2026-10-24T00:00:00Z&end=2026-10-26")["total"]["requests"] == 1
    for wrong in (
        "?since=7",
        "?since=7y",
        "?end=2026-10-26",
        "?since=1d&start=2026-10-24",
        "?start=x",
        "?start=2027-01-01",
    ):
        assert client.ask(f"/v1/report/summary{wrong}")[0] == 422, wrong


def test_an_empty_summary_has_no_shares(client: Client) -> None:
    summary = client.summary()
    assert summary["total"]["cost_usd"] == 0
    assert summary["total"]["priced_request_share"] is None
    assert (summary["environments"], summary["top_users"], summary["unpriced"]) == ([], [], [])
