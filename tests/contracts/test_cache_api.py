"""An administrator clears the response cache, and reports count hits: once, and at what they saved."""

import asyncio
import os
import subprocess
import sys
from datetime import timedelta

import pytest
from msgspec.structs import replace

from schemas.cache import CacheKey
from schemas.event import ExchangeEvent, Outcome, RequestTags
from schemas.key import Permission
from services.domain.enrich import to_record
from services.stores.cache.sqlite_cache import SqliteCache
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import an_event
from tests.servers.querying import Client, QueryService

PAID = "01932c07-2a00-7000-8000-00000000000a"


async def _save(service: QueryService, *organization_ids: str) -> None:
    cache = SqliteCache(service.journal.parent / "cache.sqlite", max_bytes=2**20)
    for organization_id in organization_ids:
        for number in range(2):
            key = CacheKey(organization_id=organization_id, digest=f"{organization_id}-{number}")
            await cache.save(key, b"x" * 50, slots=1, draw=0, lifetime_s=60)
    await cache.close()


def test_an_administrator_clears_what_the_organization_has_cached_and_no_more(admin: Client) -> None:
    service, organization_id = admin.service, admin.organization_id
    other = f"{organization_id}-2"
    asyncio.run(_save(service, organization_id, other))
    status, response = service.ask("/v1/cache", key=admin.key, method="DELETE")
    assert (status, response["data"]) == (200, {"entries": 2, "size_bytes": 100})
    theirs = service.key(other, Permission.ADMIN)
    command = [sys.executable, "-m", "services.cli", "cache", "clear", "--key", theirs]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FAREBOX_")}
    environ["FAREBOX_URL"] = f"http://127.0.0.1:{service.port}"
    printed = subprocess.run(command, check=False, capture_output=True, text=True, env=environ)
    assert printed.stdout == "2 responses deleted, 100 bytes\n", printed.stderr


def test_only_an_administrator_may(admin: Client) -> None:
    for permission in (Permission.READ, Permission.READ_WRITE):
        key = admin.service.key(admin.organization_id, permission)
        status, response = admin.service.ask("/v1/cache", key=key, method="DELETE")
        assert (status, "admin key" in response["error"]) == (403, True)


def test_hits_are_counted_once_however_often_their_events_come(admin: Client) -> None:
    paid = _event(admin, PAID, 0)
    hits = [_event(admin, f"01932c07-2a00-7000-8000-00000000000{number}", number, reference=PAID) for number in (1, 2)]
    prices = ShippedPrices()
    rows = [to_record(event, prices)[0] for event in (paid, *hits)]
    for _ in range(2):
        admin.insert(rows, [])
    measures = ["requests", "cost_usd", "cache_hits", "cache_hit_rate", "cache_savings_usd", "total_tokens"]
    total = admin.report(measures=measures)["total"]
    cost = rows[0].cost_usd
    assert cost
    assert (total["requests"], total["cache_hits"]) == (3, 2)
    assert (total["cost_usd"], total["cache_savings_usd"]) == (cost, 2 * cost)
    assert float(total["cache_hit_rate"]) == pytest.approx(2 / 3)
    assert total["total_tokens"] == rows[0].prompt_tokens + rows[0].completion_tokens


def _event(admin: Client, request_id: str, later_s: int, *, reference: str | None = None) -> ExchangeEvent:
    event = an_event(
        request_id=request_id,
        organization_id=admin.organization_id,
        tags=RequestTags(cache_enabled=True),
        outcome=Outcome.CACHED if reference else Outcome.COMPLETED,
        cache_reference_id=reference,
        request_sent=reference is None,
    )
    created_at = event.request.created_at + timedelta(seconds=later_s)
    return replace(event, request=replace(event.request, created_at=created_at))
