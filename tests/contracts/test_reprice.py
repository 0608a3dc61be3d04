"""What is not priced, and charging again, over HTTP on both shapes of the warehouse."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas.event import Outcome
from schemas.key import Permission
from schemas.price import CostState
from schemas.reprice import Criteria
from schemas.unpriced import Cause
from schemas.usage import UsageSource
from services.stores.state.reprices import LEASE_FOR
from tests.builders.records import TIMESTAMP
from tests.servers.querying import Client

UNKNOWN = {"model": "acme-7b", "cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL, "price_id": ""}
ALL = {"model": "*", "since": "2026-10-01T00:00:00Z"}


@pytest.fixture
def operator(client: Client) -> Client:
    """The client with a key that may change what was charged."""
    return Client(client.service, client.organization_id, client.service.key(client.organization_id, Permission.ADMIN))


def data(response: tuple[int, Any], status: int = 200) -> Any:
    assert (response[0], response[1].get("error")) == (status, None), response
    return response[1]["data"]


def price(operator: Client, model: str, usd: float) -> None:
    """One price for all text, per million tokens, since 2026."""
    rates = dict.fromkeys(("prompt_tokens", "prompt_cache_read_tokens", "completion_tokens"), usd)
    body = {"model": model, "usd_per_million_tokens": rates, "valid_from": "2026-01-01T00:00:00Z"}
    assert operator.ask("/v1/prices", body)[0] < 300


def test_unknown_models_are_listed_with_what_somebody_needs_to_price_them(client: Client) -> None:
    ids = client.keep(
        {},
        *(UNKNOWN | {"prompt_cache_write_5m_tokens": 7, "reasoning_tokens": 3} for _ in range(4)),
        {"cost_usd": None, "cost_state": CostState.NO_USAGE, "usage_source": UsageSource.NONE, "price_id": ""},
        UNKNOWN | {"request_created_at": TIMESTAMP - timedelta(days=30)},
    )
    unknown = data(client.ask("/v1/prices/unknown"))
    assert (unknown["requests"], unknown["unpriced_requests"], unknown["truncated"]) == (6, 5, False)
    advice = [model.pop("advice") for model in unknown["models"]]
    assert ["`farebox prices add`" in reported for reported in advice] == [True, False]
    assert unknown["models"] == [
        {
            "provider": "OPENAI",
            "model": "acme-7b",
            "reason": "unknown_model",
            "cause": "model_unpriced",
            "price_helps": True,
            "requests": 4,
            "prompt_tokens": 4 * (600 + 400 + 7),
            "completion_tokens": 4 * (200 + 3),
            "first_seen_at": "2026-11-01T12:00:01.123Z",
            "last_seen_at": "2026-11-01T12:00:04.123Z",
            "example_request_ids": [ids[4], ids[3], ids[2]],
            "nearest": None,
        },
        {
            "provider": "OPENAI",
            "model": "gpt-4o-mini-2024-07-18",
            "reason": "no_usage",
            "cause": "usage_missing",
            "price_helps": False,
            "requests": 1,
            "prompt_tokens": None,
            "completion_tokens": None,
            "first_seen_at": "2026-11-01T12:00:05.123Z",
            "last_seen_at": "2026-11-01T12:00:05.123Z",
            "example_request_ids": [ids[5]],
            "nearest": None,
        },
    ]
    assert data(client.ask("/v1/prices/unknown?since=9w"))["models"][0]["requests"] == 5
    assert client.ask("/v1/prices/unknown?since=yesterday")[0] == 422


ESTIMATED = {"usage_source": UsageSource.ESTIMATED, "is_stream": True}
SILENT = {"cost_state": CostState.NO_USAGE, "usage_source": UsageSource.NONE}
PARTIAL = {"cost_state": CostState.PARTIAL}
UNKNOWN_FOR: dict[str, tuple[dict[str, Any], str]] = {
    "response_truncated": (
        SILENT | {"cost_state": CostState.TRUNCATED, "outcome": Outcome.CLIENT_DISCONNECTED},
        "FAREBOX_CAPTURE_BYTES",
    ),
    "client_disconnected": (
        ESTIMATED | PARTIAL | {"outcome": Outcome.CLIENT_DISCONNECTED},
        "FAREBOX_ON_DISCONNECT=drain",
    ),
    "response_incomplete": (ESTIMATED | {"outcome": Outcome.TIMED_OUT}, "FAREBOX_TOTAL_TIMEOUT_S"),
    "stream_usage_missing": (ESTIMATED | PARTIAL, "FAREBOX_STREAM_USAGE=inject"),
    "usage_missing": (SILENT, "nothing to charge by"),
    "usage_unrecognized": (PARTIAL | {"usage_incomplete": True}, "provider_usage"),
    "usage_inconsistent": ({"usage_mismatch": True}, "provider_usage"),
    "model_missing": ({"model": ""}, "Helicone-Model-Override"),
    "model_unpriced": ({}, "farebox prices add"),
    "partially_unpriced": (PARTIAL, "/cost"),
}


def test_each_unknown_cost_comes_with_what_helps(client: Client) -> None:
    ids = client.keep(*(UNKNOWN | {"model": f"model {cause}"} | row for cause, (row, _) in UNKNOWN_FOR.items()))
    models = data(client.ask("/v1/prices/unknown"))["models"]
    assert {one["cause"] for one in models} == set(UNKNOWN_FOR) == set(Cause)
    for one in models:
        row, word = UNKNOWN_FOR[one["cause"]]
        assert one["model"] == row.get("model", f"model {one['cause']}")
        assert (word in one["advice"], "{" in one["advice"].replace('{"include_usage": true}', "")) == (True, False)
        assert one["price_helps"] == ("charge again" in one["advice"])
    parts = next(one for one in models if one["cause"] == "partially_unpriced")
    assert f"`GET /v1/request/{ids[-1]}/cost`" in parts["advice"]


LONG = {"provider": "ANTHROPIC", "model": "claude-sonnet-4-20250514", "prompt_tokens": 200_001}
ENDED = {"provider": "DEEPSEEK", "model": "deepseek-chat"}


def test_what_the_shipped_prices_do_not_say_comes_with_what_does(client: Client) -> None:
    ended = {"cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL, "price_id": ""}
    client.keep(LONG | {"cost_usd": None} | PARTIAL, ENDED | ended)
    advice = {one["model"]: one["advice"] for one in data(client.ask("/v1/prices/unknown"))["models"]}
    assert "more than 200,000 tokens cost more" in advice["claude-sonnet-4-20250514"]
    assert "`--above 200000:CLASS=USD`" in advice["claude-sonnet-4-20250514"]
    assert "The shipped price ended on 2025-09-05 at 16:00 UTC" in advice["deepseek-chat"]
    assert all("`farebox prices add`" in reported or "add a price" in reported for reported in advice.values())


def test_a_price_for_each_request_prices_what_reported_no_usage(operator: Client) -> None:
    silent = {"cost_usd": None, "usage_source": UsageSource.NONE, "cost_state": CostState.NO_USAGE, "price_id": ""}
    none = dict.fromkeys(("prompt_tokens", "prompt_cache_read_tokens", "completion_tokens"), 0)
    (picture,) = operator.keep(silent | none | {"model": "dall-e-3"})
    each = {"model": "dall-e-3", "usd_per_request": "0.04", "valid_from": "2026-01-01"}
    assert operator.ask("/v1/prices", each)[0] == 201
    run = data(operator.ask("/v1/reprice", ALL | {"dry_run": False}))
    assert (run["total"]["newly_priced"], run["total"]["after_usd"]) == (1, Decimal("0.04"))
    reported = [run["total"][f"{when}_coverage"]["unpriced_requests_without_tokens"] for when in ("before", "after")]
    assert reported == [1, 0]
    receipt = data(operator.ask(f"/v1/request/{picture}/cost"))
    assert [(line["usage_class"], line["amount_usd"]) for line in receipt["lines"]] == [("request", Decimal("0.04"))]
    assert (receipt["cost_usd"], receipt["reconciles"], receipt["why"]) == (Decimal("0.04"), True, None)


@pytest.mark.first_on_server
@pytest.mark.parametrize("cause", UNKNOWN_FOR)
def test_a_price_helps_exactly_where_it_is_advised(operator: Client, cause: str) -> None:
    operator.keep(UNKNOWN | {"model": "acme-7b"} | UNKNOWN_FOR[cause][0])
    price(operator, "acme-*", 2)
    run = data(operator.ask("/v1/reprice", ALL | {"dry_run": True}))
    assert run["total"]["newly_priced"] == (cause in ("model_unpriced", "partially_unpriced"))


def test_where_everything_is_priced_nothing_is_listed(client: Client) -> None:
    client.keep({})
    unknown = data(client.ask("/v1/prices/unknown"))
    assert (unknown["requests"], unknown["unpriced_requests"], unknown["models"]) == (1, 0, [])


def test_a_price_added_later_changes_nothing_until_somebody_charges_again(operator: Client) -> None:
    (request_id,) = operator.keep(UNKNOWN)
    path = f"/v1/request/{request_id}"
    before = data(operator.ask(path))
    price(operator, "acme-*", 2)
    assert data(operator.ask(path)) == before

    dry = data(operator.ask("/v1/reprice", ALL | {"dry_run": True}))
    assert dry["total"] == {
        "requests": 1,
        "changed": 1,
        "newly_priced": 1,
        "newly_unknown": 0,
        "before_usd": None,
        "before_coverage": coverage(1, Decimal(0)),
        "after_usd": Decimal("0.0024"),
        "after_coverage": coverage(0, Decimal(1)),
        "difference_usd": Decimal("0.0024"),
    }
    assert dry["days"] == [dry["total"] | {"model": "acme-7b", "day": "2026-11-01"}]
    assert (dry["state"], dry["rows_done"], dry["rows_total"], dry["dry_run"]) == ("done", 1, 1, True)
    assert data(operator.ask(path)) == before

    run = data(operator.ask("/v1/reprice", ALL | {"dry_run": False}))
    assert (run["total"], run["days"]) == (dry["total"], dry["days"])
    after = data(operator.ask(path))
    assert (after["cost_usd"], after["cost_state"]) == (Decimal("0.0024"), "priced")
    assert {name for name in before if before[name] != after[name]} == {
        "cost", "costUSD", "cost_usd", "calculated_cost_usd", "cost_state", "price_id", "reprice_id", "updated_at",
    }  # fmt: skip

    undone = data(operator.ask(f"/v1/reprice/{run['id']}/undo", {}))
    assert (undone["state"], undone["undone_at"] is None) == ("undone", False)
    assert data(operator.ask(path)) | {"updated_at": before["updated_at"]} == before
    assert data(operator.ask(f"/v1/reprice/{run['id']}/undo", {})) == undone
    assert data(operator.ask(f"/v1/reprice/{run['id']}")) == undone
    listed = data(operator.ask("/v1/reprice"))
    assert {one["id"]: (one["state"], one["days"]) for one in listed} == {
        run["id"]: ("undone", []),
        dry["id"]: ("done", []),
    }


def coverage(unpriced: int, share: Decimal) -> dict[str, object]:
    """Of requests with as many tokens each."""
    return {
        "unpriced_requests": unpriced,
        "priced_request_share": share,
        "priced_token_share": share,
        "unpriced_requests_without_tokens": 0,
    }


def test_a_run_says_of_how_much_its_amounts_are(operator: Client) -> None:
    operator.keep(UNKNOWN, UNKNOWN | {"model": "acme-9b"}, {"cost_usd": Decimal("0.5"), "prompt_tokens": 1200})
    price(operator, "acme-7*", 2)
    dry = data(operator.ask("/v1/reprice", ALL | {"model": "acme-*", "dry_run": True}))
    assert (dry["total"]["before_usd"], dry["total"]["after_usd"]) == (None, Decimal("0.0024"))
    assert dry["total"]["after_coverage"] == coverage(1, Decimal("0.5"))
    unheard = data(operator.ask("/v1/reprice", ALL | {"model": "acme-9*", "dry_run": True}))["total"]
    assert (unheard["before_usd"], unheard["after_usd"], unheard["difference_usd"]) == (None, None, None)
    empty = data(operator.ask("/v1/reprice", ALL | {"model": "nobody", "dry_run": True}))["total"]
    assert (empty["before_usd"], empty["difference_usd"], empty["before_coverage"]["priced_request_share"]) == (
        *(0, 0),
        None,
    )


def test_the_receipt_of_a_corrected_cost_agrees_and_shows_what_was_charged(operator: Client) -> None:
    (request_id,) = operator.keep({})
    price(operator, "gpt-4o-mini*", 0.5)
    run = data(operator.ask("/v1/reprice", ALL | {"dry_run": False}))
    receipt = data(operator.ask(f"/v1/request/{request_id}/cost"))
    assert receipt["reconciles"] is True
    assert (receipt["cost_usd"], receipt["total_usd"]) == (Decimal("0.0006"), Decimal("0.0006"))
    assert (receipt["original_cost_usd"], receipt["reprice_id"]) == (Decimal("0.00024"), run["id"])


@pytest.mark.first_on_server
@pytest.mark.parametrize(
    ("wrong", "culprit"),
    [
        ({"model": ""}, "model"),
        ({"since": "last year"}, "since"),
        ({"until": "7d"}, "until"),
        ({"until": "2026-09-01"}, "after until"),
        ({"dry_run": "yes"}, "dry_run"),
        ({"dryRun": True}, "dryRun"),
        ({"provider": None}, "provider"),
    ],
    ids=str,
)
def test_a_run_that_is_not_well_described_is_refused_by_name(operator: Client, wrong: Any, culprit: str) -> None:
    status, refusal = operator.ask("/v1/reprice", ALL | {"dry_run": True} | wrong)
    assert (status, culprit in refusal["error"]) == (422, True), refusal


def test_whether_it_is_a_dry_run_must_be_said(operator: Client) -> None:
    status, refusal = operator.ask("/v1/reprice", ALL)
    assert (status, "dry_run" in refusal["error"]) == (422, True)


@pytest.mark.parametrize("may", [Permission.READ, Permission.WRITE, Permission.READ_WRITE])
def test_only_the_key_of_an_admin_changes_what_was_charged(operator: Client, may: Permission) -> None:
    run = data(operator.ask("/v1/reprice", ALL | {"dry_run": False}))
    key = operator.service.key(operator.organization_id, may)
    for path, body in (("/v1/reprice", ALL | {"dry_run": True}), (f"/v1/reprice/{run['id']}/undo", {})):
        assert operator.service.ask(path, body, key=key)[0] == 403
    assert operator.service.ask(f"/v1/reprice/{run['id']}", key=key)[0] == (403 if may is Permission.WRITE else 200)


def test_another_organizations_run_is_not_there(operator: Client) -> None:
    run = data(operator.ask("/v1/reprice", ALL | {"dry_run": False}))
    stranger = operator.service.key(f"{operator.organization_id}-other", Permission.ADMIN)
    for path, body in ((f"/v1/reprice/{run['id']}", None), (f"/v1/reprice/{run['id']}/undo", {})):
        assert operator.service.ask(path, body, key=stranger)[0] == 404
    assert data(operator.service.ask("/v1/reprice", key=stranger)) == []


def test_two_runs_at_once_are_refused_until_the_first_has_not_been_heard_of_for_a_minute(operator: Client) -> None:
    service, criteria = operator.service, Criteria(model="*", provider="", since=TIMESTAMP, until=TIMESTAMP)
    begun = service.reprices.begin(operator.organization_id, criteria, dry_run=False, at=service.clock.now())
    first = asyncio.run(begun).id
    status, refusal = operator.ask("/v1/reprice", ALL | {"dry_run": True})
    assert (status, first in refusal["error"]) == (409, True)
    assert operator.ask(f"/v1/reprice/{first}/undo", {})[0] == 409

    service.clock.advance(seconds=LEASE_FOR.seconds + 1)
    assert data(operator.ask("/v1/reprice", ALL | {"dry_run": True}))["state"] == "done"
    broken = data(operator.ask(f"/v1/reprice/{first}"))
    assert (broken["state"], broken["error"], broken["total"]) == ("failed", "its process died", None)
    assert data(operator.ask(f"/v1/reprice/{first}/undo", {}))["state"] == "undone"
