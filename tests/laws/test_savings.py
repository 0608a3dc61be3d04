"""Savings are those of a cache that is replayed by hand, never more than what was spent, and parts make the whole."""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from schemas.event import Outcome
from schemas.price import CostState
from schemas.record import RequestRecord
from schemas.usage import Usage
from services.domain.pricing.charge import charge
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import TIMESTAMP, a_record
from tests.servers.querying import Client, QueryService, query_service
from tests.support.examples import examples

RANGE = {"start": "2026-11-01T00:00:00Z", "end": "2026-11-02T00:00:00Z"}
PROVIDER, MODEL = "ANTHROPIC", "claude-haiku-4-5"
PRICE = ShippedPrices().price_at(PROVIDER, MODEL, TIMESTAMP) or pytest.fail("no shipped price")
ADDED = ("requests", "hits", "unpriced_hits", "unpriced_requests")


@st.composite
def changes(draw: st.DrawFn) -> dict[str, Any]:
    came = TIMESTAMP + timedelta(seconds=draw(st.integers(0, 120)))
    tokens = {
        "prompt_tokens": draw(st.sampled_from([10, 2000, 5000])),
        "prompt_cache_read_tokens": draw(st.sampled_from([0, 0, 3000])),
        "prompt_cache_write_5m_tokens": draw(st.sampled_from([0, 0, 3000])),
        "prompt_cache_write_1h_tokens": draw(st.sampled_from([0, 0, 1000])),
        "completion_tokens": draw(st.integers(0, 1000)),
    }
    charged = charge(Usage(**tokens), PRICE)
    is_known = draw(st.integers(0, 4)) > 0
    return {
        "request_created_at": came,
        "response_created_at": came + timedelta(seconds=draw(st.integers(1, 4))),
        "provider": PROVIDER,
        "model": MODEL,
        "request_fingerprint": draw(st.sampled_from(["a" * 16, "b" * 16, ""])),
        "provider_key_hash": draw(st.sampled_from(["key", ""])),
        "session_id": draw(st.sampled_from(["", "s", "t"])),
        "user_id": draw(st.sampled_from(["", "ann", "bob"])),
        "outcome": draw(st.sampled_from([Outcome.COMPLETED, Outcome.COMPLETED, Outcome.CLIENT_DISCONNECTED])),
        "status": draw(st.sampled_from([200, 200, 200, 500])),
        "cost_usd": charged.cost_usd if is_known else None,
        "cost_state": charged.state if is_known else CostState.UNKNOWN_MODEL,
        "price_id": charged.price_id if is_known else "",
        **tokens,
    }


stories = st.lists(st.tuples(changes(), st.booleans()), max_size=10)


@pytest.fixture(scope="module")
def service(
    embedded_warehouse: ClickHouseWarehouse, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[QueryService]:
    with query_service(embedded_warehouse, tmp_path_factory.mktemp("state")) as running:
        yield running


def kept(client: Client, story: list[tuple[dict[str, Any], bool]]) -> list[RequestRecord]:
    """The rows; some are delivered twice."""
    rows = [
        a_record(organization_id=client.organization_id, request_id=str(uuid.uuid4()), **changed)
        for changed, _ in story
    ]
    client.insert(rows, [])
    client.insert([row for row, (_, is_again) in zip(rows, story, strict=True) if is_again], [])
    return rows


def replayed(rows: list[RequestRecord], max_age_s: int, *, by_user: bool) -> dict[str, Any]:
    """By hand: each stored response is served in an interval of its own. Nobody waits longer than the maximum age."""
    prompts = defaultdict(list)
    for row in rows:
        if row.request_fingerprint:
            prompts[row.request_fingerprint, row.user_id if by_user else ""].append(row)
    found: dict[str, Any] = dict.fromkeys(ADDED, 0) | {"saved_usd": Decimal(0)}
    for repeated in (of for of in prompts.values() if len(of) > 1):
        stored: list[RequestRecord] = []
        for row in sorted(repeated, key=lambda row: (row.request_created_at, uuid.UUID(row.request_id).int)):
            age = timedelta(seconds=max_age_s)
            ended = (one.response_created_at for one in stored)
            is_hit = any(end <= row.request_created_at < end + age for end in ended)
            if not is_hit and row.status == 200 and row.outcome is Outcome.COMPLETED:
                stored.append(row)
            found["requests"] += 1
            found["hits"] += is_hit
            found["unpriced_requests"] += row.cost_usd is None
            found["unpriced_hits"] += is_hit and row.cost_usd is None
            found["saved_usd"] += row.cost_usd if is_hit and row.cost_usd else 0
    return found


def responded(client: Client, path: str, **body: Any) -> dict[str, Any]:
    status, response = client.ask(f"/v1/savings/{path}", {"timeFilter": RANGE, **body})
    assert status == 200, response
    data: dict[str, Any] = response["data"]
    return data


def spent(rows: list[RequestRecord]) -> Decimal:
    return sum((row.cost_usd or Decimal(0) for row in rows), Decimal(0))


@given(
    mine=stories,
    yours=stories,
    max_age_s=st.sampled_from([5, 30, 1000]),
    by_user=st.booleans(),
    limit=st.integers(1, 4),
)
@settings(
    max_examples=examples(6),
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # an example takes a second: too long to shrink
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_savings_are_ones_own_and_never_more_than_was_spent(
    service: QueryService, mine: Any, yours: Any, max_age_s: int, by_user: bool, limit: int
) -> None:
    for story in (mine, yours):
        organization_id = f"org-{uuid.uuid4()}"
        client = Client(service, organization_id, service.key(organization_id))
        rows = kept(client, story)
        asyncio.run(service.warehouse.keep_prices([PRICE]))
        grouped: dict[str, Any] = {"by": [{"column": "user_id"}], "limit": limit}
        scope = [{"column": "user_id"}] if by_user else []
        repeats = responded(client, "repeats", **grouped, maxAgeS=max_age_s, scope=scope, top=limit)
        check_repeats(repeats, replayed(rows, max_age_s, by_user=by_user))
        cache = responded(client, "prompt-cache", **grouped)
        check_losses(cache, spent(rows))
        check_alternatives(responded(client, "what-if", **grouped), rows)


def check_repeats(found: dict[str, Any], expected: dict[str, Any]) -> None:
    total = found["total"]
    assert {name: total[name] for name in ADDED} == {name: expected[name] for name in ADDED}
    assert (total["saved_usd"] or 0) == expected["saved_usd"]
    assert (total["saved_usd"] or 0) <= (total["cost_usd"] or 0) <= (found["period_cost_usd"] or 0)
    rest = [found["rest"]] if found["rest"] else []
    for parts in ([*found["rows"], *rest], [*found["prompts"], found["other_prompts"]]):
        for name in (*ADDED, "saved_usd", "cost_usd"):
            assert sum(part[name] or 0 for part in parts) == (total[name] or 0), name


def check_losses(found: dict[str, Any], spent_usd: Decimal) -> None:
    total, parts = found["total"], [*found["rows"], *([found["rest"]] if found["rest"] else [])]
    for part in (total, *parts):
        for loss in (part["unread_writes"], part["repaid_input"], part["lost"]):
            assert 0 <= (loss["certain_usd"] or 0) <= (loss["likely_usd"] or 0) <= spent_usd
        for name in ("unread_write_tokens", "repaid_tokens"):
            assert part[f"{name}_certain"] <= part[f"{name}_likely"]
    for name in ("requests", "input_tokens", "cache_read_tokens", "repaid_tokens_likely", "unpriced_lost_tokens"):
        assert sum(part[name] for part in parts) == total[name], name
    for bound in ("certain_usd", "likely_usd"):
        assert sum(part["lost"][bound] or 0 for part in parts) == (total["lost"][bound] or 0)


def check_alternatives(found: dict[str, Any], rows: list[RequestRecord]) -> None:
    parts = [row["figures"] for row in found["rows"]] + ([found["rest"]] if found["rest"] else [])
    for place, total in enumerate(found["total"]):
        assert total["requests"] + total["other_requests"] == len(rows)
        assert total["cost_usd"] <= spent(rows)
        for figures in (total, *(part[place] for part in parts)):
            assert figures["saving"]["low_usd"] <= figures["saving"]["high_usd"] <= figures["cost_usd"]
        for bound in ("low_usd", "high_usd"):
            assert sum(part[place]["saving"][bound] for part in parts) == total["saving"][bound]
