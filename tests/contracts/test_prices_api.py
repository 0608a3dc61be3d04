"""Prices over HTTP: looked at by whoever may read, added and ended by whoever may do both, each in his organization."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas.key import Permission
from tests.builders.records import TIMESTAMP
from tests.servers.querying import Client, QueryService

MODEL = "llama-3-70b"
RATES = {"prompt_tokens": 0.6, "completion_tokens": 1.8}
BODY = {"model": MODEL, "provider": "CUSTOM", "usd_per_million_tokens": RATES}


@pytest.fixture
def operator(service: QueryService, organization_id: str) -> Client:
    return Client(service, organization_id, service.key(organization_id, Permission.ADMIN))


def added(client: Client, **changes: object) -> dict[str, Any]:
    """The row, as it is listed from then on."""
    row, _ = added_and_reported(client, **changes)
    return row


def added_and_reported(client: Client, **changes: object) -> tuple[dict[str, Any], list[str]]:
    """The row, and the models that were billed otherwise."""
    status, response = client.ask("/v1/prices", BODY | changes)
    assert status == 201, response
    row: dict[str, Any] = response["data"]
    return row, row.pop("other_billed_models")


def prices(client: Client, query: str = "") -> dict[str, Any]:
    status, response = client.ask(f"/v1/prices{query}")
    assert status == 200, response
    found: dict[str, Any] = response["data"]
    return found


def test_a_price_is_added_listed_and_charged_by(operator: Client) -> None:
    row = added(operator, valid_from="2026-10-01T00:00:00Z", usd_per_unit={"web_searches": 0.01}, usd_per_request=0.002)
    assert row == {
        "id": f"operator/{row['row_id']}",
        "source": "operator",
        "page_url": "",
        "checked_on": None,
        "provider": "CUSTOM",
        "model": MODEL,
        "service_tier": "",
        "valid_from": "2026-10-01T00:00:00.000Z",
        "usd_per_million_tokens": {"prompt_tokens": Decimal("0.6"), "completion_tokens": Decimal("1.8")},
        "usd_per_unit": {"web_searches": Decimal("0.01")},
        "usd_per_hour": {},
        "billed_at_least": {},
        "usd_per_request": Decimal("0.002"),
        "tiers": [],
        "max_prompt_tokens": None,
        "row_id": row["row_id"],
        "valid_until": None,
        "effective_for_events_since": row["effective_for_events_since"],
        "ended_at": None,
    }
    found = prices(operator, f"?provider=custom&model={MODEL.upper()}")
    assert (found["rows"], found["shipped"]) == ([row], None)
    assert found["in_force"] == {name: row[name] for name in found["in_force"]}


def test_whoever_prices_a_name_that_is_requested_learns_by_which_names_it_is_billed(operator: Client) -> None:
    requested = {"request_model": "gpt-4o", "request_created_at": operator.service.clock.now() - timedelta(days=6)}
    operator.keep(
        requested | {"model": "gpt-4o-2024-08-06"},
        requested | {"model": "gpt-4o-2024-11-20"},
        requested | {"model": "gpt-4o-2024-11-20"},
        requested | {"model": "GPT-4o"},
        requested | {"model": "gpt-4o-azure", "provider": "AZURE"},
        requested | {"model": "gpt-4o-2024-05-13", "request_created_at": TIMESTAMP - timedelta(days=90)},
        requested | {"model": "gpt-4o-mini-2024-07-18", "request_model": "gpt-4o-mini"},
    )
    dated = ["gpt-4o-2024-11-20", "gpt-4o-2024-08-06"]
    assert added_and_reported(operator, model="gpt-4o", provider="OpenAI")[1] == dated
    assert added_and_reported(operator, model="GPT-4O", provider="")[1] == [*dated, "gpt-4o-azure"]
    assert added_and_reported(operator, model="gpt-4o*", provider="")[1] == []
    assert added_and_reported(operator, model="gpt_4o", provider="")[1] == []


def test_by_default_a_price_holds_from_now_on(operator: Client) -> None:
    now = operator.service.clock.now()
    assert added(operator)["valid_from"] == now.strftime("%Y-%m-%dT%H:%M:%S.") + "123Z"
    before = (now - timedelta(milliseconds=1)).isoformat().replace("+00:00", "Z")
    query = f"?provider=CUSTOM&model={MODEL}"
    assert prices(operator, query)["in_force"] is not None
    assert prices(operator, f"{query}&at={before}")["in_force"] is None


def test_tiers_come_back_as_they_were_given(operator: Client) -> None:
    tiers = [{"above_tokens": 200_000, "usd_per_million_tokens": {"prompt_tokens": 1.2}}]
    row = added(operator, tiers=tiers)
    assert row["tiers"] == [
        {"above_tokens": 200_000, "usd_per_million_tokens": {"prompt_tokens": Decimal("1.2")}, "usd_per_unit": {}}
    ]


def test_the_shipped_price_is_shown_beside_what_replaces_it(operator: Client) -> None:
    query = "?provider=OPENAI&model=gpt-4o-mini"
    before = prices(operator, query)
    assert before["shipped"] == before["in_force"]
    assert before["shipped"]["usd_per_million_tokens"]["prompt_tokens"] == Decimal("0.15")
    row = added(operator, provider="", model="gpt-4o*")
    after = prices(operator, query)
    assert after["shipped"] == before["shipped"]
    assert after["in_force"]["id"] == row["id"]
    flex = prices(operator, f"{query}&service_tier=flex")["in_force"]
    assert (flex["service_tier"], flex["usd_per_million_tokens"]) == ("flex", {})


def test_rows_are_found_by_what_they_are_about(operator: Client) -> None:
    exact, pattern = added(operator), added(operator, provider="", model="gpt-*")
    assert prices(operator)["rows"] == [exact, pattern]
    assert prices(operator, "?provider=OPENAI")["rows"] == [pattern]
    assert prices(operator, f"?model={MODEL}")["rows"] == [exact]
    assert prices(operator, "?model=claude")["rows"] == []


def test_a_price_is_ended_and_kept(operator: Client) -> None:
    row = added(operator, valid_from="2026-10-01T00:00:00Z")
    at = TIMESTAMP - timedelta(days=1)
    status, response = operator.ask(f"/v1/prices/{row['row_id']}/end", {"at": at.isoformat()})
    assert status == 200, response
    assert response["data"]["valid_until"] == "2026-10-31T12:00:00.123Z"
    assert response["data"]["ended_at"] is not None
    assert prices(operator)["rows"] == [response["data"]]
    assert prices(operator, f"?provider=CUSTOM&model={MODEL}")["in_force"] is None


def test_a_price_is_ended_by_the_id_that_rows_show_too_and_by_default_now(operator: Client) -> None:
    row = added(operator, valid_from="2026-10-01T00:00:00Z")
    status, response = operator.ask(f"/v1/prices/{row['row_id']}/end", b"")
    assert (status, response["data"]["valid_until"]) == (200, "2026-11-02T12:00:00.123Z")


def test_what_is_not_there_cannot_be_ended(operator: Client, service: QueryService) -> None:
    row = added(operator)
    stranger = service.key("somebody-else", Permission.ADMIN)
    assert service.ask(f"/v1/prices/{row['row_id']}/end", {}, key=stranger)[0] == 404
    assert operator.ask("/v1/prices/no-such-row/end", {})[0] == 404
    assert prices(operator)["rows"] == [row]


def test_prices_of_one_organization_are_not_anothers(operator: Client, service: QueryService) -> None:
    added(operator)
    stranger = Client(service, "somebody-else", service.key("somebody-else"))
    found = prices(stranger, f"?provider=CUSTOM&model={MODEL}")
    assert (found["rows"], found["in_force"]) == ([], None)


@pytest.mark.parametrize("permission", [Permission.READ, Permission.WRITE, Permission.READ_WRITE])
def test_only_the_key_of_an_admin_changes_prices(
    operator: Client, service: QueryService, permission: Permission
) -> None:
    row = added(operator)
    key = service.key(operator.organization_id, permission)
    status, refusal = service.ask("/v1/prices", BODY, key=key)
    assert (status, "farebox keys create --permission admin" in refusal["error"]) == (403, True)
    assert service.ask(f"/v1/prices/{row['row_id']}/end", {}, key=key)[0] == 403
    assert prices(operator)["rows"] == [row]


@pytest.mark.first_on_server
@pytest.mark.parametrize(
    ("changes", "reported"),
    [
        ({"usd_per_million_tokens": {"prompt_tokens": -1}}, "zero or more"),
        ({"usd_per_million_tokens": {"prompt_tokens": 2_000_000}}, "exceeds the maximum"),
        ({"usd_per_million_tokens": {"prompt_tokens": 0.0000025}}, "give 2.5"),
        ({"usd_per_million_tokens": {"tokens": 1}}, "unknown usage class 'tokens': known are prompt_tokens"),
        ({"usd_per_million_tokens": {"prompt_tokens": True}}, "usd_per_million_tokens"),
        ({"usd_per_million_tokens": {"prompt_tokens": "a lot"}}, "usd_per_million_tokens"),
        ({"usd_per_million_tokens": {}}, "no price is given"),
        ({"model": ""}, "model is empty"),
        ({"model": "gpt\u0000"}, "printable"),
        ({"valid_from": "tomorrow"}, "valid_from takes a timestamp"),
        ({"valid_from": 20261101}, "valid_from"),
        ({"valid_until": "2020-01-01T00:00:00Z"}, "valid_until must be after"),
        ({"usdPerMillionTokens": {}}, "usdPerMillionTokens"),
        ({"tiers": [{"above_tokens": "1", "usd_per_million_tokens": {}}]}, "above_tokens"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_named(operator: Client, changes: dict[str, object], reported: str) -> None:
    status, response = operator.ask("/v1/prices", BODY | changes)
    assert (status, reported in response["error"]) == (422, True), response
    assert prices(operator)["rows"] == []
