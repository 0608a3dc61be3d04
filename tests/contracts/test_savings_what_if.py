"""The same usage at other prices, on both shapes of the warehouse."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from schemas.event import Outcome
from schemas.price import CostState
from schemas.usage import Usage, UsageSource
from services.domain.pricing.charge import charge
from services.stores.shipped_prices.book import ShippedPrices
from tests.servers.querying import Client, QueryService

PERIOD: dict[str, Any] = {"timeFilter": {"start": "2026-11-01", "end": "2026-12-01"}}
AT = datetime(2026, 11, 10, tzinfo=UTC)
BOOK = ShippedPrices()
UNKNOWN: dict[str, Any] = {"cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL, "price_id": ""}
BATCH: dict[str, Any] = {"alternatives": [{"serviceTier": "batch"}]}


def used(provider: str, model: str, tier: str = "", **changes: Any) -> dict[str, Any]:
    """A request that was charged by the shipped prices."""
    tokens = {name: changes.pop(name) for name in Usage.__struct_fields__ if name in changes}
    price = BOOK.price_at(provider, model, AT, tier)
    charged = charge(Usage(**tokens), price)
    plain = {"prompt_tokens": 0, "prompt_cache_read_tokens": 0, "completion_tokens": 0}
    return {
        "request_created_at": AT,
        "provider": provider,
        "model": model,
        "service_tier": tier,
        "cost_usd": charged.cost_usd,
        "cost_state": charged.state,
        "price_id": charged.price_id,
        **plain,
        **tokens,
        **changes,
    }


def at(provider: str, model: str, tier: str = "", **tokens: int) -> Decimal:
    cost = charge(Usage(**tokens), BOOK.price_at(provider, model, AT, tier)).cost_usd
    assert cost is not None
    return cost


def requested(client: Client, **body: Any) -> dict[str, Any]:
    status, response = client.ask("/v1/savings/what-if", PERIOD | body)
    assert status == 200, response
    data: dict[str, Any] = response["data"]
    return data


def test_another_tier_of_the_same_model_is_exact_where_no_cache_was_used(client: Client) -> None:
    tokens: dict[str, Any] = {"prompt_tokens": 1234, "completion_tokens": 567, "reasoning_tokens": 89}
    client.keep(used("OPENAI", "gpt-5", **tokens), used("OPENAI", "gpt-4.1", **tokens))
    found = requested(client, by=[{"column": "model"}])
    assert [one["service_tier"] for one in found["alternatives"]] == ["batch", "flex"]
    rows = {row["by"][0]: row["figures"] for row in found["rows"]}
    for model in ("gpt-5", "gpt-4.1"):
        cost, batch = at("OPENAI", model, **tokens), at("OPENAI", model, "batch", **tokens)
        first = rows[model][0]
        assert (first["cost_usd"], first["exact"]) == (cost, True)
        assert first["alternative"] == {"low_usd": batch, "high_usd": batch}
        assert first["saving"] == {"low_usd": cost - batch, "high_usd": cost - batch}
    assert rows["gpt-5"][1]["alternative"]["low_usd"] == at("OPENAI", "gpt-5", "flex", **tokens)
    # That model has no price at that tier.
    assert (rows["gpt-4.1"][1]["requests"], rows["gpt-4.1"][1]["other_requests"]) == (0, 1)


def test_input_of_prompt_caches_may_be_cached_there_or_not(client: Client) -> None:
    client.keep(used("OPENAI", "gpt-5", prompt_tokens=100, prompt_cache_read_tokens=1000))
    (found,) = requested(client, **BATCH)["total"]
    assert found["alternative"] == {
        "low_usd": at("OPENAI", "gpt-5", "batch", prompt_tokens=100, prompt_cache_read_tokens=1000),
        "high_usd": at("OPENAI", "gpt-5", "batch", prompt_tokens=1100),
    }
    assert found["exact"] is False


def test_another_model_is_a_range_by_tokenizers_and_lengths(client: Client) -> None:
    client.keep(used("OPENAI", "gpt-5", prompt_tokens=1000, completion_tokens=1000))
    mini: dict[str, Any] = {"alternatives": [{"model": "gpt-4o-mini"}]}
    found = requested(client, **mini)
    low = at("OPENAI", "gpt-4o-mini", prompt_tokens=800, completion_tokens=700)
    high = at("OPENAI", "gpt-4o-mini", prompt_tokens=1200, completion_tokens=1300)
    assert found["total"][0]["alternative"] == {"low_usd": low, "high_usd": high}
    assert any("20%" in text and "30%" in text for text in found["assumptions"])
    exact = requested(client, **mini, inputTokensWithin=0, outputTokensWithin=0)["total"][0]
    assert (exact["exact"], exact["alternative"]["low_usd"]) == (
        True,
        at("OPENAI", "gpt-4o-mini", prompt_tokens=1000, completion_tokens=1000),
    )
    dearer = requested(client, alternatives=[{"provider": "ANTHROPIC", "model": "claude-sonnet-4-5"}])["total"][0]
    assert dearer["saving"]["high_usd"] < 0


def test_what_a_model_already_costs_is_what_it_costs(client: Client) -> None:
    client.keep(
        used("OPENAI", "gpt-5", prompt_tokens=1000, prompt_cache_read_tokens=500),
        used("OPENAI", "gpt-5", "batch", prompt_tokens=1000, prompt_cache_read_tokens=500),
    )
    found = requested(client, by=[{"column": "service_tier"}], **BATCH)
    of_batch = next(row["figures"][0] for row in found["rows"] if row["by"] == ["batch"])
    assert (of_batch["saving"], of_batch["exact"]) == ({"low_usd": 0, "high_usd": 0}, True)


def test_context_tiers_are_those_of_each_prompt(client: Client) -> None:
    sonnet = "claude-sonnet-4-5"
    client.keep(
        used("ANTHROPIC", sonnet, prompt_tokens=200_000, completion_tokens=10),
        used("ANTHROPIC", sonnet, prompt_tokens=200_001, completion_tokens=10),
    )
    (found,) = requested(client, **BATCH)["total"]
    expected = sum(at("ANTHROPIC", sonnet, "batch", prompt_tokens=n, completion_tokens=10) for n in (200_000, 200_001))
    assert (found["alternative"]["low_usd"], found["exact"]) == (expected, True)


@pytest.mark.first_on_server
@pytest.mark.parametrize(
    "changes",
    [
        UNKNOWN,
        {"outcome": Outcome.CACHED, "cost_usd": Decimal(0)},
        {"usage_source": UsageSource.ESTIMATED},
        {"usage_source": UsageSource.NONE},
        {"usage_incomplete": True},
        {"model": "no-such-model"},
        {"prompt_audio_tokens": 5},
        {"document_pages": 1},
    ],
)
def test_what_cannot_be_compared_is_counted_and_left_out(client: Client, changes: dict[str, Any]) -> None:
    row = used("OPENAI", "gpt-5", prompt_tokens=1000)
    client.keep(row, row | changes)
    (found,) = requested(client, **BATCH)["total"]
    assert (found["requests"], found["other_requests"], found["cost_usd"]) == (1, 1, row["cost_usd"])


def test_a_model_without_a_price_is_warned_of(client: Client) -> None:
    client.keep(used("OPENAI", "gpt-4o", prompt_tokens=1000, completion_tokens=10))
    known, wrong = {"provider": "OPENAI", "model": "gpt-4o-mini"}, {"provider": "OPENAI", "model": "gpt-4o-mini-x"}
    status, response = client.ask("/v1/savings/what-if", PERIOD | {"alternatives": [known, wrong, {"model": "no"}]})
    warned = [(one["code"], one["name"], one["nearest"]) for one in response["warnings"]]
    assert (status, warned) == (
        200,
        [("unknown_model", "gpt-4o-mini-x", "gpt-4o-mini"), ("unknown_model", "no", None)],
    )


def test_groups_add_up_with_the_rest_and_most_to_save_comes_first(client: Client) -> None:
    rows = [
        used("OPENAI", "gpt-5", prompt_tokens=1000 * 3**n, prompt_cache_read_tokens=n, user_id=f"user-{n}")
        for n in range(6)
    ]
    client.keep(*rows, used("ANTHROPIC", "claude-haiku-4-5", prompt_tokens=7, user_id="user-0"), rows[0] | UNKNOWN)
    body: dict[str, Any] = {
        "by": [{"column": "user_id"}],
        "alternatives": [{"serviceTier": "batch"}, {"model": "gpt-4o-mini", "provider": "OPENAI"}],
    }
    whole = requested(client, **body)
    assert [row["by"][0] for row in whole["rows"]] == [f"user-{n}" for n in reversed(range(6))]
    assert whole["rest"] is None
    for limit in (1, 3):
        cut = requested(client, **body, limit=limit)
        assert (cut["rows"], cut["total"]) == (whole["rows"][:limit], whole["total"])
        for place, total in enumerate(cut["total"]):
            parts = [row["figures"][place] for row in cut["rows"]] + [cut["rest"][place]]
            for name in ("requests", "cost_usd", "other_requests"):
                assert sum(part[name] for part in parts) == total[name]
            for bound in ("low_usd", "high_usd"):
                assert sum(part["saving"][bound] for part in parts) == total["saving"][bound]
            assert total["saving"]["high_usd"] <= total["cost_usd"]


def test_an_own_price_counts(admin: Client) -> None:
    price = {"model": "in-house", "usd_per_million_tokens": {"prompt_tokens": 1, "completion_tokens": 1}}
    status, response = admin.ask("/v1/prices", price | {"valid_from": "2026-10-01T00:00:00Z"})
    assert status == 201, response
    admin.keep(used("OPENAI", "gpt-5", prompt_tokens=1000, completion_tokens=1000))
    within = {"inputTokensWithin": 0, "outputTokensWithin": 0}
    (found,) = requested(admin, alternatives=[{"model": "in-house"}], **within)["total"]
    assert found["alternative"]["low_usd"] == Decimal("0.002")


def test_nobody_sees_the_usage_of_others(service: QueryService, client: Client) -> None:
    other = Client(service, f"{client.organization_id}-other", service.key(f"{client.organization_id}-other"))
    other.keep(used("OPENAI", "gpt-5", prompt_tokens=1000))
    assert requested(client, **BATCH)["total"][0]["requests"] == 0
    assert requested(other, **BATCH)["total"][0]["requests"] == 1


@pytest.mark.first_on_server
@pytest.mark.parametrize(
    ("body", "culprit"),
    [
        ({"by": [{"column": "colour"}]}, "colour"),
        ({"alternatives": []}, "alternatives"),
        ({"alternatives": [{"tier": "batch"}]}, "tier"),
        ({"inputTokensWithin": 1.5}, "inputTokensWithin"),
    ],
)
def test_what_cannot_be_requested_is_refused_by_name(client: Client, body: dict[str, Any], culprit: str) -> None:
    status, refusal = client.ask("/v1/savings/what-if", PERIOD | body)
    assert (status, culprit in refusal["error"]) == (422, True), refusal
