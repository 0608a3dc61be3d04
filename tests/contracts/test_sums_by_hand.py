"""What is shown of a request is enough to work out its cost again, and says the same everywhere."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from schemas.price import CostState
from schemas.usage import CACHE_READ, CACHE_WRITE, COMPLETION, COUNTS, PROMPT, TOTAL, USAGE_CLASSES, UsageSource
from tests.contracts.test_query_csv import lines_of
from tests.servers.querying import LIST, Client, leaf

USED = {name: 10 ** (position // 5) * (position % 5 + 1) for position, name in enumerate(USAGE_CLASSES)}
UNPRICED = {"cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL, "price_id": ""}


def by_class(shown: Mapping[str, Any]) -> dict[str, int]:
    """The disjoint classes, from what a row shows."""
    reported = {name: int(shown[name]) for name in COUNTS}
    for whole in (PROMPT, COMPLETION, CACHE_READ):
        reported[whole[0]] -= sum(reported[name] for name in whole[1:])
    return {name: reported[name] for name in USAGE_CLASSES}


def csv_row(client: Client) -> dict[str, str]:
    (row,) = lines_of(client, LIST, {"filter": "all"})
    return row


def test_every_class_of_use_can_be_read_from_a_row_its_line_and_a_report(client: Client) -> None:
    client.keep(USED | UNPRICED)
    (row,) = client.page()
    total = client.report(measures=[*COUNTS])["total"]
    assert by_class(row) == by_class(csv_row(client)) == by_class(total) == USED
    assert {name: row[name] for name in COUNTS} == {name: total[name] for name in COUNTS}


def test_every_count_that_is_shown_can_be_requested(client: Client) -> None:
    (request_id, _) = client.keep(USED, {"usage_source": UsageSource.NONE})
    row = next(row for row in client.page() if row["request_id"] == request_id)
    for name in COUNTS:
        assert client.ids(leaf(**{name: {"equals": row[name]}})) == [request_id], name
        assert len(client.ids(leaf(**{name: {"equals": None}}))) == 1, name


def test_the_total_of_tokens_has_every_class_of_the_receipt_but_those_of_a_cache(client: Client) -> None:
    """As of a response of sonar-deep-research: what it cites is charged, so it is in the total."""
    (request_id,) = client.keep(USED | UNPRICED)
    lines = client.ask(f"/v1/request/{request_id}/cost")[1]["data"]["lines"]
    assert {line["usage_class"]: line["quantity"] for line in lines} == USED
    tokens = {name: quantity for name, quantity in USED.items() if name.endswith("_tokens")}
    cached = sum(USED[name] for name in (*CACHE_READ, *CACHE_WRITE))
    (row,) = client.page()
    assert row["total_tokens"] == sum(tokens.values()) - cached == sum(USED[name] for name in TOTAL)
    assert int(csv_row(client)["total_tokens"]) == row["total_tokens"]
    assert client.report(measures=["total_tokens"])["total"]["total_tokens"] == row["total_tokens"]


def test_what_decided_a_cost_is_shown_beside_it(client: Client) -> None:
    facts = {
        "service_tier": "flex",
        "usage_mismatch": True,
        "usage_incomplete": True,
        "provider_cost_usd": Decimal("0.25"),
        "reprice_id": "run-1",
        "original_cost_usd": Decimal("0.125"),
    }
    (request_id,) = client.keep(facts)
    (row,) = client.page()
    assert {name: row[name] for name in facts} == facts
    assert client.ask(f"/v1/request/{request_id}")[1]["data"] == row | {"also_created_at": []}
    line = csv_row(client)
    assert [line[name] for name in facts] == ["flex", "true", "true", "0.25", "run-1", "0.125"]


def test_counts_that_nobody_reported_are_empty(client: Client) -> None:
    client.keep({"usage_source": UsageSource.NONE})
    (row,), line = client.page(), csv_row(client)
    assert {(row[name], line[name]) for name in COUNTS} == {(None, "")}
