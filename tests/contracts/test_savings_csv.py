"""Savings as CSV: the same lines as the JSON, for spreadsheets."""

import csv
import io
import json
import urllib.request
from datetime import UTC, datetime
from decimal import Decimal
from itertools import dropwhile
from typing import Any

import pytest

from schemas.usage import Usage
from services.domain.pricing.charge import charge
from services.stores.shipped_prices.book import ShippedPrices
from tests.servers.querying import Client

AT = datetime(2026, 11, 10, tzinfo=UTC)
PERIOD: dict[str, Any] = {"timeFilter": {"start": "2026-11-01", "end": "2026-12-01"}}


@pytest.fixture
def spending(admin: Client) -> Client:
    """Of two features."""
    tokens = {"prompt_tokens": 4000, "prompt_cache_read_tokens": 0, "completion_tokens": 10}
    charged = charge(Usage(**tokens), ShippedPrices().price_at("OPENAI", "gpt-5", AT))
    row: dict[str, Any] = {
        "request_created_at": AT,
        "model": "gpt-5",
        "cost_usd": charged.cost_usd,
        "price_id": charged.price_id,
        **tokens,
    }
    admin.keep(row, row, row | {"properties": {"feature": "=1+1"}})
    return admin


def lines(client: Client, path: str, **body: Any) -> list[dict[str, str]]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{client.service.port}/v1/savings/{path}",
        json.dumps(PERIOD | body).encode(),
        {"Authorization": f"Bearer {client.key}", "Content-Type": "application/json", "Accept": "text/csv"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        text = response.read().decode()
    table = dropwhile(lambda line: line.startswith("#"), io.StringIO(text, newline=""))
    return list(csv.DictReader(table, strict=True))


def test_prompt_caches_come_with_a_line_for_each_group(spending: Client) -> None:
    found = lines(spending, "prompt-cache", by=[{"property": "Feature"}], limit=1)
    assert [line["line"] for line in found] == ["group", "rest", "total"]
    assert [line["requests"] for line in found] in (["2", "1", "3"], ["1", "2", "3"])
    assert (found[-1]["lost_certain_usd"], found[-1]["read_share"]) == ("0", "0.0")


def test_other_prices_come_with_a_line_for_each_group_and_alternative(spending: Client) -> None:
    alternatives = [{"serviceTier": "batch"}, {"provider": "OPENAI", "model": "gpt-4o-mini"}]
    found = lines(spending, "what-if", by=[{"property": "Feature"}], alternatives=alternatives)
    shown = [(line["line"], line["properties.Feature"], line["service_tier"], line["model"]) for line in found]
    assert shown == [
        *(("group", "chat", tier, model) for tier, model in (("batch", ""), ("", "gpt-4o-mini"))),
        *(("group", "'=1+1", tier, model) for tier, model in (("batch", ""), ("", "gpt-4o-mini"))),
        *(("total", "", tier, model) for tier, model in (("batch", ""), ("", "gpt-4o-mini"))),
    ]
    batch = [Decimal(line["saving_low_usd"]) for line in found[::2]]
    assert batch[0] + batch[1] == batch[2] == Decimal("0.00765")
    assert found[0]["exact"] == "true"
