"""Users by Helicone's endpoints: the same paths, bodies and fields, exact figures, and unknown is not zero."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas.price import CostState
from schemas.usage import UsageSource
from tests.builders.records import TIMESTAMP
from tests.servers.querying import Client, leaf

METRICS = "/v1/user/metrics/query"
OVERVIEW = "/v1/user/metrics-overview/query"
UNKNOWN = {"cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL}
NO_TOKENS = dict.fromkeys(("prompt_tokens", "prompt_cache_read_tokens", "completion_tokens"), 0)
NO_USAGE = {"usage_source": UsageSource.NONE, "cost_usd": None, "cost_state": CostState.NO_USAGE, **NO_TOKENS}
SECOND = int(TIMESTAMP.timestamp())
DAY = 86_400
PERIOD = {"startTimeUnixSeconds": SECOND - DAY, "endTimeUnixSeconds": SECOND + 30 * DAY}


def metrics(client: Client, **body: object) -> dict[str, Any]:
    status, response = client.ask(METRICS, {"filter": "all", "offset": 0, "limit": 100, **body})
    assert (status, response.get("error")) == (200, None), response
    page: dict[str, Any] = response["data"]
    return page


def user_ids(client: Client, **body: object) -> list[str]:
    return [user["id"] for user in metrics(client, **body)["users"]]


def keep_three_users(client: Client) -> None:
    client.keep(
        {"user_id": "ann", "cost_usd": Decimal("0.25")},
        {"user_id": "ann", "cost_usd": Decimal("0.125"), "request_created_at": TIMESTAMP + timedelta(days=2)},
        {"user_id": "bob", "cost_usd": Decimal(3), "request_created_at": TIMESTAMP + timedelta(days=1)},
        {"user_id": "bob", **UNKNOWN, "request_created_at": TIMESTAMP + timedelta(days=1, seconds=1)},
        {"user_id": "", "cost_usd": Decimal("0.5"), "request_created_at": TIMESTAMP - timedelta(hours=1)},
    )


def test_a_user_has_every_field_of_helicone_and_its_coverage(client: Client) -> None:
    client.keep(
        {"user_id": "ann"},
        {
            "user_id": "ann",
            "request_created_at": TIMESTAMP + timedelta(days=1),
            "properties": {"helicone-rate-limit-status": "bucket_rate_limited"},
            "property_spellings": ["Helicone-Rate-Limit-Status"],
            **UNKNOWN,
        },
        {"user_id": "ann", "request_created_at": TIMESTAMP + timedelta(days=1, hours=1), **NO_USAGE},
    )
    assert metrics(client, timeFilter=PERIOD) == {
        "users": [
            {
                "id": "ann",
                "user_id": "ann",
                "active_for": 2,
                "first_active": "2026-11-01T12:00:00.123Z",
                "last_active": "2026-11-02T13:00:00.123Z",
                "total_requests": 3,
                "average_requests_per_day_active": Decimal("1.5"),
                "average_tokens_per_request": Decimal("800.0"),
                "total_completion_tokens": 400,
                "total_prompt_tokens": 1200,
                "cost": Decimal("0.00024"),
                "rate_limited_count": 1,
                "coverage": {
                    "requests": 3,
                    "attempts": 3,
                    "unpriced_requests": 2,
                    "priced_request_share": Decimal("0.3333333333333333"),
                    "priced_token_share": Decimal("0.5"),
                    "unpriced_requests_without_tokens": 1,
                },
            }
        ],
        "count": 1,
        "hasUsers": True,
    }


def test_who_was_active_last_comes_first_and_any_field_sorts(client: Client) -> None:
    keep_three_users(client)
    assert user_ids(client) == ["ann", "bob", ""]
    assert user_ids(client, sort={"cost": "desc"}) == ["bob", "", "ann"]
    assert user_ids(client, sort={"cost": "asc"}) == ["ann", "", "bob"]
    assert user_ids(client, sort={"total_requests": "asc"}) == ["", "ann", "bob"]
    assert user_ids(client, sort={"user_id": "asc"}) == ["", "ann", "bob"]


def test_pages_fit_together_and_the_count_is_of_what_matches(client: Client) -> None:
    keep_three_users(client)
    pages = [metrics(client, limit=1, offset=offset, sort={"cost": "desc"}) for offset in range(4)]
    assert [[user["id"] for user in page["users"]] for page in pages] == [["bob"], [""], ["ann"], []]
    assert {page["count"] for page in pages} == {3}
    assert metrics(client, filter=leaf(user_id={"equals": "ann"}))["count"] == 1
    assert metrics(client, limit=0) == {"users": [], "count": 3, "hasUsers": True}


def test_figures_of_users_can_be_filtered_beside_their_requests(client: Client) -> None:
    keep_three_users(client)
    assert user_ids(client, filter={"users_view": {"user_cost": {"gte": 0.5}}}) == ["bob", ""]
    both = {"users_view": {"user_total_requests": {"equals": 2}}, **leaf(user_id={"not-equals": "bob"})}
    assert user_ids(client, filter=both) == ["ann"]
    fraction = {"users_view": {"user_average_tokens_per_request": {"gt": 799.5, "lt": 800.5}}}
    assert len(user_ids(client, filter=fraction)) == 3
    late = {"users_view": {"user_last_active": {"gte": (TIMESTAMP + timedelta(days=2)).isoformat()}}}
    assert user_ids(client, filter=late) == ["ann"]
    unknown_cost = {"users_view": {"user_cost": {"equals": None}}}
    assert user_ids(client, filter=unknown_cost) == []
    assert metrics(client, filter={"users_view": {"user_cost": {"gte": 1}}})["count"] == 1


def test_requests_and_users_cannot_be_joined_by_or(client: Client) -> None:
    either = {
        "left": {"users_view": {"user_cost": {"gte": 1}}},
        "operator": "or",
        "right": leaf(model={"equals": "gpt-4o"}),
    }
    status, response = client.ask(METRICS, {"filter": either, "offset": 0, "limit": 1})
    assert status == 422
    assert "cannot be joined by or" in response["error"]


def test_times_are_shown_in_the_zone_of_the_client(client: Client) -> None:
    client.keep({"user_id": "ann"})
    (user,) = metrics(client, timeZoneDifferenceMinutes=-330)["users"]
    assert user["first_active"] == "2026-11-01T17:30:00.123+05:30"
    (user,) = metrics(client, timeZoneDifferenceMinutes=300)["users"]
    assert user["first_active"] == "2026-11-01T07:00:00.123-05:00"


@pytest.mark.first_on_server
@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"filter": "all", "offset": 0, "limit": 1001}, 400, "Limit cannot be greater than 1000"),
        ({"filter": "all", "offset": 0}, 422, "limit"),
        ({"offset": 0, "limit": 1}, 422, "filter"),
        ({"filter": "all", "offset": 0, "limit": 1, "sort": {"wealth": "desc"}}, 422, "unknown sort 'wealth'"),
        ({"filter": "all", "offset": 0, "limit": 1, "sort": {"cost": "up"}}, 422, "asc or desc"),
        ({"filter": {"users_view": {"shoe_size": {"gt": 1}}}, "offset": 0, "limit": 1}, 422, "unknown column"),
        ({"filter": "all", "offset": 0, "limit": 1, "colour": 1}, 422, "colour"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(client: Client, body: object, status: int, text: str) -> None:
    responded, refusal = client.ask(METRICS, body)
    assert responded == status
    assert text in refusal["error"]


def test_an_organization_without_users_gets_an_error(client: Client) -> None:
    assert metrics(client) == {"users": [], "count": 0, "hasUsers": False}
    client.keep({"user_id": ""})
    assert metrics(client)["hasUsers"] is False


def test_the_overview_counts_users_by_their_figures(client: Client) -> None:
    client.keep(
        *({"user_id": "ann", "cost_usd": Decimal("0.1")} for _ in range(11)),
        {"user_id": "bob", "cost_usd": Decimal("0.3")},
        {"user_id": "eve", **UNKNOWN},
    )
    status, response = client.ask(OVERVIEW, {"filter": "all", "pSize": "p99", "useInterquartile": False})
    assert status == 200
    requests, costs = response["data"]["request_count"], response["data"]["user_cost"]
    assert requests[0] == {"range_start": "1", "range_end": "2", "value": 2}
    assert requests[-1] == {"range_start": "10", "range_end": "11", "value": 1}
    assert sum(row["value"] for row in requests) == 3
    assert costs[0] == {"range_start": "0.3", "range_end": "0.38", "value": 1}
    assert costs[-1] == {"range_start": "1.02", "range_end": "1.1", "value": 1}
    assert sum(row["value"] for row in costs) == 2


def test_one_figure_for_all_is_one_bar(client: Client) -> None:
    client.keep({"user_id": "ann"}, {"user_id": "bob"})
    _, response = client.ask(OVERVIEW, {"filter": "all", "pSize": "p75", "useInterquartile": True})
    assert response["data"] == {
        "request_count": [{"range_start": "1", "range_end": "1", "value": 2}],
        "user_cost": [{"range_start": "0.00024", "range_end": "0.00024", "value": 2}],
    }


@pytest.mark.parametrize("factor", [1, 1000])
def test_users_are_summed_within_seconds_or_milliseconds(client: Client, factor: int) -> None:
    keep_three_users(client)
    within = {"startTimeUnixSeconds": SECOND * factor, "endTimeUnixSeconds": (SECOND + DAY) * factor}
    status, response = client.ask("/v1/user/query", {"userIds": ["ann", "bob"], "timeFilter": within})
    assert status == 200
    (ann,) = response["data"]
    assert ann | {"coverage": None} == {
        "count": 1,
        "prompt_tokens": 600,
        "completion_tokens": 200,
        "user_id": "ann",
        "cost": Decimal("0.25"),
        "coverage": None,
    }
    _, everyone = client.ask("/v1/user/query", {})
    assert {user["user_id"]: user["cost"] for user in everyone["data"]} == {
        "ann": Decimal("0.375"),
        "bob": 3,
        "": Decimal("0.5"),
    }


def test_an_unknown_cost_is_null_and_not_zero(client: Client) -> None:
    client.keep({"user_id": "eve", **UNKNOWN})
    (user,) = metrics(client)["users"]
    assert user["cost"] is None
    assert user["coverage"]["unpriced_requests"] == 1
    _, response = client.ask(OVERVIEW, {"filter": "all", "pSize": "p75", "useInterquartile": False})
    assert response["data"]["user_cost"] == []


def test_users_of_others_are_not_seen(client: Client) -> None:
    keep_three_users(client)
    stranger = client.service.key(f"{client.organization_id}-other")
    for path, body in (
        (METRICS, {"filter": "all", "offset": 0, "limit": 10}),
        ("/v1/user/query", {"userIds": ["ann"]}),
        (OVERVIEW, {"filter": "all", "pSize": "p99", "useInterquartile": False}),
    ):
        _, response = client.service.ask(path, body, key=stranger)
        assert not any(
            value for value in (response["data"] if isinstance(response["data"], list) else response["data"].values())
        )
