"""GET /v1/request/{id}/cost: the sum redone from what is stored, for every kind of row and for ever."""

import asyncio
import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from schemas.event import ExchangeEvent, Outcome
from schemas.price import Price, Rate
from services.domain.enrich import recorded_at_of, to_record
from services.domain.pricing.price_book import PriceBookHistory, RecordingPriceBook
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.exchanges import some_exchanges
from tests.builders.records import an_event, an_operator_price, chat_response
from tests.servers.querying import Client, QueryService

BOOKS = PriceBookHistory(ShippedPrices())
ORIGINAL = "01932c07-2a00-7000-8000-00000000000f"


def keep(client: Client, event: ExchangeEvent, books: PriceBookHistory = BOOKS) -> str:
    """What the worker keeps of `event`: its price, and then its row."""
    return keep_all(client, [event], books)[0]


def keep_all(client: Client, events: Iterable[ExchangeEvent], books: PriceBookHistory = BOOKS) -> list[str]:
    """The same of several, as one batch."""
    used: dict[str, Price] = {}
    records = [
        to_record(event, RecordingPriceBook(books.prices_of(client.organization_id, recorded_at_of(event)), used))[0]
        for event in events
    ]
    asyncio.run(client.service.warehouse.keep_prices(list(used.values())))
    client.insert(records, [])
    return [record.request_id for record in records]


def receipt(client: Client, request_id: str) -> dict[str, Any]:
    status, response = client.ask(f"/v1/request/{request_id}/cost")
    assert status == 200, response
    found: dict[str, Any] = response["data"]
    return found


def event_of(client: Client, **changes: Any) -> ExchangeEvent:
    return an_event(organization_id=client.organization_id, **changes)


def sum_of(lines: list[dict[str, Any]]) -> Decimal:
    return sum((Decimal(line["amount_usd"]) for line in lines), Decimal(0))


def test_a_receipt_is_the_sum_by_hand(client: Client) -> None:
    """600 x 0.15 $ + 400 x 0.075 $ + 200 x 0.60 $, each per million: 0.00009 + 0.00003 + 0.00012 = 0.00024."""
    request_id = keep(client, event_of(client))
    reported = receipt(client, request_id)
    assert reported["lines"] == [
        {
            "model": "gpt-4o-mini-2024-07-18",
            "usage_class": name,
            "quantity": quantity,
            "unit_usd": Decimal(unit),
            "per": 1,
            "usd_per_million": Decimal(per_million),
            "amount_usd": Decimal(amount),
        }
        for name, quantity, unit, per_million, amount in [
            ("prompt_tokens", 600, "0.00000015", "0.15", "0.00009"),
            ("prompt_cache_read_tokens", 400, "0.000000075", "0.075", "0.00003"),
            ("completion_tokens", 200, "0.0000006", "0.6", "0.00012"),
        ]
    ]
    assert reported["cost_usd"] == reported["total_usd"] == Decimal("0.00024")
    assert (reported["request_id"], reported["model"], reported["provider"]) == (
        request_id,
        "gpt-4o-mini-2024-07-18",
        "OPENAI",
    )
    assert (reported["cost_state"], reported["why"], reported["reconciles"], reported["rounding_usd"]) == (
        "priced",
        None,
        True,
        0,
    )
    assert (reported["usage_source"], reported["usage_mismatch"], reported["service_tier"]) == ("provider", False, "")
    assert reported["context_tier"] == {
        "prompt_tokens": 1000,
        "above_tokens": None,
        "why": "the price has no tiers by prompt size",
    }
    assert reported["price"]["source"].startswith("genai-prices ")
    assert reported["price"]["id"] == client.page()[0]["price_id"]
    assert reported["provider_usage"]["prompt_tokens_details"] == {"cached_tokens": 400}
    assert (reported["reprice_id"], reported["original_cost_usd"], reported["provider_cost_usd"]) == (None, None, None)
    assert (reported["cache_reference_id"], reported["cache_saved_usd"]) == (None, None)


def test_receipts_of_all_kinds_of_exchanges_add_up_to_the_stored_cost(client: Client) -> None:
    states = set()
    ids = keep_all(client, some_exchanges(60, organization_id=client.organization_id))
    rows = {row["request_id"]: row for row in client.page(limit=100)}
    for request_id in ids:
        reported, stored = receipt(client, request_id), rows[request_id]
        assert reported["reconciles"], reported
        assert (reported["cost_usd"], reported["cost_state"]) == (stored["cost_usd"], stored["cost_state"])
        assert (reported["why"] is None) == (reported["cost_state"] == "priced")
        if reported["cost_usd"] is not None:
            assert sum_of(reported["lines"]) == reported["total_usd"] == reported["cost_usd"]
        states.add(reported["cost_state"])
    assert {"priced", "free"} <= states


def test_a_receipt_of_what_is_not_known_says_why_and_shows_what_was_used(client: Client) -> None:
    reported = receipt(client, keep(client, event_of(client, response_body=chat_response(model="no-such-model"))))
    assert (reported["cost_usd"], reported["total_usd"], reported["cost_state"]) == (None, None, "unknown_model")
    assert reported["why"].startswith("no price is known for model 'no-such-model' of OPENAI")
    assert (reported["price"], reported["context_tier"], reported["reconciles"]) == (None, None, True)
    assert [(line["usage_class"], line["quantity"], line["amount_usd"]) for line in reported["lines"]] == [
        ("prompt_tokens", 600, None),
        ("prompt_cache_read_tokens", 400, None),
        ("completion_tokens", 200, None),
    ]


def test_a_receipt_without_usage_has_no_lines(client: Client) -> None:
    reported = receipt(client, keep(client, event_of(client, response_body=b'{"model":"gpt-4o-mini","choices":[]}')))
    assert (reported["cost_usd"], reported["cost_state"], reported["lines"]) == (None, "no_usage", [])
    assert reported["why"] == "the provider reported no usage"
    assert (reported["usage_source"], reported["provider_usage"]) == ("none", None)


def test_a_receipt_of_what_contradicts_itself_says_so(client: Client) -> None:
    response = json.loads(chat_response())
    response["usage"]["total_tokens"] = 7
    reported = receipt(client, keep(client, event_of(client, response_body=json.dumps(response).encode())))
    assert (reported["cost_usd"], reported["cost_state"], reported["usage_mismatch"]) == (None, "partial", True)
    assert "usage is inconsistent" in reported["why"]
    assert reported["price"]["source"].startswith("genai-prices ")
    assert [line["amount_usd"] for line in reported["lines"]] == [None] * 3


def test_an_error_response_costs_nothing_and_says_why(client: Client) -> None:
    event = event_of(client, outcome=Outcome.PROVIDER_ERROR, status=429, response_body=b'{"error":{"message":"slow"}}')
    reported = receipt(client, keep(client, event))
    assert (reported["cost_usd"], reported["total_usd"], reported["cost_state"], reported["lines"]) == (
        0,
        0,
        "free",
        [],
    )
    assert reported["why"] == "an error response without usage: providers do not bill these"


def test_a_cached_response_costs_nothing_and_says_what_it_saved_and_who_paid(client: Client) -> None:
    reported = receipt(client, keep(client, event_of(client, outcome=Outcome.CACHED, cache_reference_id=ORIGINAL)))
    assert (reported["cost_usd"], reported["cost_state"], reported["lines"]) == (0, "free", [])
    assert reported["why"] == "served from the response cache: nothing was sent to the provider"
    assert (reported["cache_reference_id"], reported["cache_saved_usd"]) == (ORIGINAL, Decimal("0.00024"))


def test_the_operators_price_is_on_the_receipt(client: Client) -> None:
    row = an_operator_price(organization_id=client.organization_id)
    event = event_of(client, provider="CUSTOM", response_body=chat_response(model="llama-3-70b", cached=0))
    reported = receipt(client, keep(client, event, PriceBookHistory(ShippedPrices(), [row])))
    assert (reported["price"]["id"], reported["price"]["source"]) == (f"operator/{row.id}", "operator")
    assert reported["cost_usd"] == sum_of(reported["lines"]) == Decimal("0.00096")


def test_a_receipt_stays_the_same_when_the_shipped_price_has_changed(client: Client) -> None:
    """An older package said something else of the same model, under the same name with another digest."""
    shipped = ShippedPrices().price_at("OPENAI", "gpt-4o-mini", event_of(client).request.created_at)
    assert shipped is not None
    rates = {name: Rate(usd=2 * rate.usd) for name, rate in shipped.rates.items()}
    older = msgspec.structs.replace(shipped, id=shipped.id.partition("#")[0] + "#0000beef", rates=rates)
    asyncio.run(client.service.warehouse.keep_prices([older]))
    request_id = client.keep({"price_id": older.id, "cost_usd": Decimal("0.00048")})[0]
    reported = receipt(client, request_id)
    assert reported["reconciles"]
    assert reported["cost_usd"] == sum_of(reported["lines"]) == Decimal("0.00048")
    assert reported["price"]["id"] == older.id


def test_a_price_that_is_kept_again_is_the_same_price(client: Client) -> None:
    request_id = keep(client, event_of(client))
    first = receipt(client, request_id)
    for _ in range(3):
        keep(client, event_of(client))
    assert receipt(client, request_id) == first


def test_a_sum_that_does_not_come_out_is_not_hidden(client: Client) -> None:
    keep(client, event_of(client))
    price_id = client.page()[0]["price_id"]
    wrong, lost = client.keep({"price_id": price_id, "cost_usd": Decimal("0.0003")}, {"price_id": "no/such/price"})
    reported = receipt(client, wrong)
    assert (reported["cost_usd"], reported["total_usd"], reported["reconciles"]) == (
        Decimal("0.0003"),
        Decimal("0.00024"),
        False,
    )
    reported = receipt(client, lost)
    assert (reported["cost_usd"], reported["total_usd"], reported["reconciles"]) == (Decimal("0.00024"), None, False)
    assert reported["price"] is None


def test_a_receipt_states_corrections_and_of_the_providers_own_figure(client: Client) -> None:
    reprice_id = "6d9b0f61-0000-4000-8000-000000000001"
    changes = {
        "reprice_id": reprice_id,
        "original_cost_usd": Decimal("0.0001"),
        "provider_cost_usd": Decimal("0.00025"),
    }
    reported = receipt(client, client.keep(changes)[0])
    assert (reported["reprice_id"], reported["original_cost_usd"], reported["provider_cost_usd"]) == (
        reprice_id,
        Decimal("0.0001"),
        Decimal("0.00025"),
    )


def test_a_service_tier_and_a_context_tier_are_reported_with_their_reason(client: Client) -> None:
    event = event_of(
        client,
        provider="GOOGLE",
        response_body=chat_response(model="gemini-2.5-pro", prompt=250_000, cached=0),
        target_url="https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
    )
    reported = receipt(client, keep(client, event))
    assert reported["context_tier"]["above_tokens"] == 200_000
    assert reported["context_tier"]["why"].startswith("the prompt has 250000 tokens, more than 200000")
    assert reported["price"]["tiers"][0]["above_tokens"] == 200_000
    unit = reported["price"]["tiers"][0]["usd_per_million_tokens"]["prompt_tokens"]
    assert reported["lines"][0]["usd_per_million"] == unit
    assert sum_of(reported["lines"]) == reported["cost_usd"]


def test_a_receipt_is_for_its_organization_only(client: Client, service: QueryService) -> None:
    request_id = keep(client, event_of(client))
    assert service.ask(f"/v1/request/{request_id}/cost", key=service.key("a-stranger-without-rows"))[0] == 404
    assert service.ask(f"/v1/request/{request_id}/cost", key="sk-helicone-nobody")[0] == 401
    assert client.ask(f"/v1/request/{ORIGINAL}/cost")[0] == 404
    assert client.ask("/v1/request/no-id/cost")[0] == 422
