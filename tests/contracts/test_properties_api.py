"""Properties by Helicone's endpoints: names, values, and what each value cost."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas.key import Permission
from schemas.price import CostState
from services.stores.state.hidden_properties import SqlHiddenProperties
from services.stores.state.migrations.run import migrate_state
from tests.builders.records import TIMESTAMP
from tests.servers.querying import Client

UNKNOWN: dict[str, Any] = {"cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL}
PERIOD = {"start": "2026-01-01T00:00:00Z", "end": "2027-01-01T00:00:00Z"}
TOP = {"timeFilter": PERIOD}


def of(feature: str | None, **more: object) -> dict[str, Any]:
    if feature is None:
        return {"properties": {}, "property_spellings": [], **more}
    return {"properties": {"feature": feature}, "property_spellings": ["Feature"], **more}


def responded(client: Client, path: str, body: object) -> Any:
    status, response = client.ask(f"/v1/property{path}", body)
    assert (status, response.get("error")) == (200, None), response
    return response["data"]


def test_names_are_listed_as_they_are_spelled(client: Client) -> None:
    assert responded(client, "/query", {}) == []
    client.keep({})
    assert responded(client, "/query", {}) == [{"property": "Feature"}, {"property": "UserTier"}]


def test_a_hidden_name_is_left_out_until_it_is_restored(client: Client) -> None:
    client.keep({})
    writer = client.service.key(client.organization_id, Permission.READ_WRITE)
    hidden = client.service.ask("/v1/property/hide", {"key": "FEATURE"}, key=writer)
    assert hidden == (200, {"data": {"ok": True}, "error": None})
    assert client.service.ask("/v1/property/hide", {"key": "feature"}, key=writer)[0] == 200
    assert responded(client, "/query", {}) == [{"property": "UserTier"}]
    assert responded(client, "/hidden/query", {}) == [{"property": "Feature"}]
    stranger = client.service.key(f"{client.organization_id}-other")
    assert client.service.ask("/v1/property/hidden/query", {}, key=stranger)[1]["data"] == []
    assert len(client.page({"properties": {"Feature": {"equals": "chat"}}})) == 1
    assert client.service.ask("/v1/property/restore", {"key": "Feature"}, key=writer)[0] == 200
    assert responded(client, "/query", {}) == [{"property": "Feature"}, {"property": "UserTier"}]
    assert responded(client, "/hidden/query", {}) == []


@pytest.mark.parametrize("path", ["/hide", "/restore"])
def test_who_may_only_read_hides_nothing(client: Client, path: str) -> None:
    status, refusal = client.ask(f"/v1/property{path}", {"key": "Feature"})
    assert (status, refusal["error"]) == (403, "this API key is read-only")


@pytest.mark.parametrize("key", ["", "x" * 501, "a\x00b"])
def test_what_cannot_be_a_hidden_name_is_refused(client: Client, key: str) -> None:
    writer = client.service.key(client.organization_id, Permission.READ_WRITE)
    status, refusal = client.service.ask("/v1/property/hide", {"key": key}, key=writer)
    assert status == 422
    assert "key" in refusal["error"]


def test_values_are_found_by_a_part_of_them(client: Client) -> None:
    client.keep(of("chat"), of("Chat history"), of("chat"), of("search"), of(None))
    assert responded(client, "/Feature/search", {"searchTerm": "CHAT"}) == ["chat", "Chat history"]
    assert responded(client, "/feature/search", {"searchTerm": ""}) == ["chat", "Chat history", "search"]
    assert responded(client, "/Feature/search", {"searchTerm": "%"}) == []
    assert responded(client, "/Nothing/search", {"searchTerm": ""}) == []


def test_at_most_25_values_are_found(client: Client) -> None:
    client.keep(*(of(f"value {number}") for number in range(30)))
    assert len(responded(client, "/Feature/search", {"searchTerm": "value"})) == 25


def test_the_ten_dearest_values_and_all_others_add_up(client: Client) -> None:
    client.keep(
        *(of(f"f{number:02}", cost_usd=Decimal(number) / 8) for number in range(1, 13)),
        of(None, cost_usd=Decimal(9)),
        of("f01", **UNKNOWN),
        of("outside", cost_usd=Decimal(99), request_created_at=TIMESTAMP + timedelta(days=365)),
    )
    rows = responded(client, "/Feature/top-costs/query", TOP)
    assert [(row["value"], row["cost"]) for row in rows] == [
        ("", 9),
        *((f"f{number:02}", Decimal(number) / 8) for number in range(12, 3, -1)),
        ("Other", Decimal("0.75")),
    ]
    assert sum(row["cost"] for row in rows) == Decimal(9) + sum(Decimal(number) / 8 for number in range(1, 13))
    assert rows[-1]["coverage"]["unpriced_requests"] == 1
    counts = responded(client, "/Feature/top-requests/query", TOP)
    assert counts[0] == {"value": "f01", "count": 2}
    assert counts[-1] == {"value": "Other", "count": 3}
    assert sum(row["count"] for row in counts) == 14


def test_unknown_costs_are_null_and_no_others_are_not_shown(client: Client) -> None:
    client.keep(of("chat", **UNKNOWN))
    (row,) = responded(client, "/Feature/top-costs/query", TOP)
    assert (row["value"], row["cost"], row["coverage"]["requests"]) == ("chat", None, 1)
    assert responded(client, "/Feature/top-requests/query", TOP) == [{"value": "chat", "count": 1}]


def test_values_are_shown_over_time_in_the_zone_of_the_client(client: Client) -> None:
    client.keep(
        of("chat", cost_usd=Decimal("0.5")),
        of("chat", cost_usd=Decimal("0.25"), request_created_at=TIMESTAMP + timedelta(hours=8)),
        of("search", request_created_at=TIMESTAMP + timedelta(hours=8)),
        of(None),
    )
    body = {
        "timeFilter": PERIOD,
        "userFilter": "all",
        "dbIncrement": "day",
        "timeZoneDifference": -330,
        "propertyKey": "FEATURE",
    }
    rows = responded(client, "/properties/over-time", body)
    assert [{**row, "coverage": None} for row in rows] == [
        {
            "property": value,
            "total_cost": Decimal(cost),
            "request_count": 1,
            "created_at_trunc": start,
            "coverage": None,
        }
        for value, cost, start in [
            ("chat", "0.5", "2026-10-31T18:30:00.000Z"),
            ("chat", "0.25", "2026-11-01T18:30:00.000Z"),
            ("search", "0.00024", "2026-11-01T18:30:00.000Z"),
        ]
    ]


def test_a_name_with_a_slash_can_be_requested(client: Client) -> None:
    client.keep({"properties": {"team/unit": "a"}, "property_spellings": ["Team/Unit"]})
    assert responded(client, "/Team%2FUnit/search", {"searchTerm": ""}) == ["a"]


def test_hidden_names_are_kept_by_both_databases(state_url: str) -> None:
    async def story() -> None:
        await migrate_state(state_url)
        store = SqlHiddenProperties(state_url)
        for key in ("a", "a", "b" * 500):
            await store.hide_property("org-1", key)
        await store.hide_property("org-2", "c")
        assert await store.hidden_properties("org-1") == {"a", "b" * 500}
        await store.restore_property("org-1", "a")
        await store.restore_property("org-1", "never hidden")
        assert await store.hidden_properties("org-1") == {"b" * 500}
        assert await store.hidden_properties("org-2") == {"c"}
        await store.close()

    asyncio.run(story())
