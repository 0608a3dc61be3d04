"""What a response cache would have saved, on both shapes of the warehouse."""

import csv
import io
import json
import urllib.request
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import dropwhile
from typing import Any

import pytest

from schemas.event import Outcome
from schemas.price import CostState
from tests.builders.records import a_record
from tests.servers.querying import Client, QueryService

START = datetime(2026, 11, 1, tzinfo=UTC)
PERIOD: dict[str, Any] = {"timeFilter": {"start": "2026-11-01", "end": "2026-12-01"}}
UNKNOWN: dict[str, Any] = {"cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL, "price_id": ""}
FAILED: dict[str, Any] = {"status": 500, "outcome": Outcome.PROVIDER_ERROR}


def sent(after_s: float, fingerprint: str = "a" * 16, *, took_s: float = 1, **changes: Any) -> dict[str, Any]:
    """A request that came so long after the period began, and cost a dollar unless reported otherwise."""
    came = START + timedelta(seconds=after_s)
    return {
        "request_created_at": came,
        "response_created_at": came + timedelta(seconds=took_s),
        "request_fingerprint": fingerprint,
        "cost_usd": Decimal(1),
        **changes,
    }


def requested(client: Client, **body: Any) -> dict[str, Any]:
    status, response = client.ask("/v1/savings/repeats", PERIOD | body)
    assert status == 200, response
    assert response["warnings"] == []
    assert response["seal"]["state"]
    data: dict[str, Any] = response["data"]
    return data


def brief(repeated: dict[str, Any]) -> tuple[int, int, Any, int]:
    return tuple(repeated[name] for name in ("requests", "hits", "saved_usd", "unpriced_hits"))


@pytest.mark.first_on_server
@pytest.mark.parametrize(
    ("rows", "maximum", "expected"),
    [
        ([], 60, (0, 0, 0, 0)),
        ([sent(0), sent(10, "b" * 16)], 60, (0, 0, 0, 0)),
        ([sent(0), sent(10)], 60, (2, 1, 1, 0)),
        ([sent(0), sent(10), sent(20)], 60, (3, 2, 2, 0)),
        # Served until a minute after the response was stored, and not a millisecond longer.
        ([sent(0), sent(60.999)], 60, (2, 1, 1, 0)),
        ([sent(0), sent(61)], 60, (2, 0, 0, 0)),
        # From the write: that it was served in between makes it no younger, and the next miss stores again.
        ([sent(0), sent(50), sent(61), sent(120)], 60, (4, 2, 2, 0)),
        # What comes before the first response has ended is not served.
        ([sent(0, took_s=5), sent(4.999), sent(5)], 60, (3, 1, 1, 0)),
        ([sent(0, took_s=9), sent(1, took_s=2), sent(4)], 60, (3, 1, 1, 0)),
        # The later of two that came together is stored over the earlier one, and lasts longer.
        ([sent(0, took_s=5), sent(4, took_s=6), sent(68)], 60, (3, 1, 1, 0)),
        # Only whole responses of status 200 are stored; to what fails the cache would have responded.
        ([sent(0, **FAILED), sent(10)], 60, (2, 0, 0, 0)),
        ([sent(0, status=201), sent(10)], 60, (2, 0, 0, 0)),
        ([sent(0), sent(10, **FAILED, cost_usd=Decimal(0))], 60, (2, 1, 0, 0)),
        ([sent(0, outcome=Outcome.CLIENT_DISCONNECTED), sent(10), sent(20)], 60, (3, 1, 1, 0)),
        # Unknown is not zero.
        ([sent(0), sent(10, **UNKNOWN)], 60, (2, 1, None, 1)),
        ([sent(0), sent(10, **UNKNOWN), sent(20)], 60, (3, 2, 1, 1)),
        # What the response cache has served, what was refused, and what has no fingerprint is no part of it.
        ([sent(0), sent(10, outcome=Outcome.CACHED, cost_usd=Decimal(0))], 60, (0, 0, 0, 0)),
        ([sent(0, ""), sent(10, "")], 60, (0, 0, 0, 0)),
        # The same body at another address is another prompt.
        ([sent(0), sent(10, target_url="https://api.openai.com/v1/responses")], 60, (0, 0, 0, 0)),
        ([sent(0), sent(10, provider="GROQ")], 60, (0, 0, 0, 0)),
    ],
)
def test_a_cache_serves_from_the_write_until_its_maximum_age(
    client: Client, rows: list[dict[str, Any]], maximum: int, expected: tuple[Any, ...]
) -> None:
    client.keep(*rows)
    found = requested(client, maxAgeS=maximum)
    assert brief(found["total"]) == expected
    assert [brief(prompt) for prompt in found["prompts"]] == ([expected] if expected[0] else [])


def test_only_those_of_one_scope_share_responses(client: Client) -> None:
    client.keep(
        *(sent(position, user_id=user) for position, user in enumerate(["ann", "bob", "ann", "bob", "cid"])),
        sent(20, user_id="ann", properties={"feature": "search"}),
    )
    for scope, hits in (
        ([], 5),
        ([{"column": "user_id"}], 3),
        ([{"column": "user_id"}, {"property": "Feature"}], 2),
    ):
        found = requested(client, scope=scope, maxAgeS=60)
        assert found["total"]["hits"] == hits, scope


def test_a_scope_that_no_request_has_is_warned_of(client: Client) -> None:
    client.keep(sent(0), sent(10))
    status, response = client.ask("/v1/savings/repeats", PERIOD | {"scope": [{"property": "Featur"}]})
    assert (status, [warning["nearest"] for warning in response["warnings"]]) == (200, ["Feature"])


def test_prompts_and_groups_that_would_have_saved_most_come_first_and_add_up(client: Client) -> None:
    ids = client.keep(
        *(sent(10 * position, "a" * 16, user_id=f"user-{position % 2}") for position in range(5)),
        *(sent(10 * position, "b" * 16, cost_usd=Decimal("0.7"), user_id="user-0") for position in range(3)),
        *(sent(10 * position, "c" * 16, cost_usd=Decimal("1e-12"), model="m") for position in range(9)),
        sent(0, "d" * 16, cost_usd=Decimal(100)),
    )
    whole = requested(client, by=[{"column": "user_id"}])
    assert whole["period_cost_usd"] == Decimal("107.100000000009")
    assert brief(whole["total"]) == (17, 14, Decimal("5.400000000008"), 0)
    shown = [(prompt["request_fingerprint"][0], *brief(prompt)[:3]) for prompt in whole["prompts"]]
    assert shown == [("a", 5, 4, 4), ("b", 3, 2, Decimal("1.4")), ("c", 9, 8, Decimal("0.000000000008"))]
    first = whole["prompts"][0]
    assert (first["users"], first["user_ids"], first["features"]) == (2, ["user-0", "user-1"], ["chat"])
    assert (first["models"], first["example_request_id"]) == (["gpt-4o-mini-2024-07-18"], ids[4])
    assert first["last_request_at"] == "2026-11-01T00:00:40.000Z"
    groups = [(row["by"], *brief(row)[:3]) for row in whole["rows"]]
    assert groups[0] == (["user-0"], 6, 4, Decimal("3.4"))
    assert groups[1] == (["user-1"], 2, 2, 2)
    for limit in (1, 2):
        cut = requested(client, by=[{"column": "user_id"}], limit=limit, top=limit)
        assert (cut["rows"], cut["truncated"]) == (whole["rows"][:limit], True)
        assert cut["prompts"] == whole["prompts"][:limit]
        for parts in ([*cut["rows"], cut["rest"]], [*cut["prompts"], cut["other_prompts"]]):
            for name in ("requests", "hits", "cost_usd", "saved_usd", "unpriced_requests"):
                assert sum(part[name] for part in parts) == whole["total"][name], name


def test_it_is_about_the_requests_of_the_filter_and_the_period(client: Client) -> None:
    client.keep(
        sent(-10), sent(0), sent(10, user_id="bob"), sent(20), sent(40, user_id="bob"), sent(86_400 * 40, user_id="bob")
    )
    assert requested(client)["total"]["hits"] == 3
    only = {"request_response_rmt": {"user_id": {"equals": "bob"}}}
    assert brief(requested(client, filter=only)["total"]) == (2, 1, 1, 0)


def test_nobody_sees_the_prompts_of_others(service: QueryService, client: Client) -> None:
    other = Client(service, f"{client.organization_id}-other", service.key(f"{client.organization_id}-other"))
    client.keep(sent(0), sent(10))
    other.keep(sent(0), sent(10, cost_usd=Decimal(5)), sent(20, cost_usd=Decimal(7)))
    assert brief(requested(client)["total"]) == (2, 1, 1, 0)
    assert brief(requested(other)["total"]) == (3, 2, 12, 0)


def test_what_is_delivered_again_or_corrected_counts_once(client: Client) -> None:
    rows = [
        a_record(
            **(sent(10 * position) | {"organization_id": client.organization_id, "request_id": f"{position:032x}"})
        )
        for position in range(3)
    ]
    client.insert(rows, [])
    before = requested(client)
    client.insert(rows, [])
    assert requested(client) == before
    corrected = [
        a_record(
            **(
                sent(20, cost_usd=Decimal(9))
                | {"organization_id": client.organization_id, "request_id": f"{2:032x}", "version": rows[0].version + 1}
            )
        )
    ]
    client.insert(corrected, [])
    assert brief(requested(client)["total"]) == (3, 2, 10, 0)


@pytest.mark.parametrize("by", [[], [{"property": "Feature"}]])
def test_it_comes_as_csv(client: Client, by: list[dict[str, str]]) -> None:
    client.keep(sent(0), sent(10), sent(20, **UNKNOWN))
    request = urllib.request.Request(
        f"http://127.0.0.1:{client.service.port}/v1/savings/repeats",
        json.dumps(PERIOD | {"by": by}).encode(),
        {"Authorization": f"Bearer {client.key}", "Content-Type": "application/json", "Accept": "text/csv"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        text = response.read().decode()
    assert text.startswith("# farebox: repeats")
    table = list(
        csv.DictReader(dropwhile(lambda line: line.startswith("#"), io.StringIO(text, newline="")), strict=True)
    )
    assert [line["line"] for line in table] == (["group", "total"] if by else ["prompt", "rest", "total"])
    assert (table[0]["saved_usd"], table[0]["unpriced_hits"], table[-1]["hits"]) == ("1", "1", "2")


@pytest.mark.first_on_server
@pytest.mark.parametrize(
    ("body", "culprit"),
    [
        ({"by": [{"column": "colour"}]}, "colour"),
        ({"scope": [{"column": "colour"}]}, "colour"),
        ({"scope": [{"time": "day"}]}, "scope"),
        ({"maxAgeS": 0}, "maxAgeS"),
        ({"maxAgeS": 31_536_001}, "maxAgeS"),
        ({"top": 101}, "top"),
        ({"timeZone": "Moon"}, "Moon"),
    ],
)
def test_what_cannot_be_requested_is_refused_by_name(client: Client, body: dict[str, Any], culprit: str) -> None:
    status, refusal = client.ask("/v1/savings/repeats", PERIOD | body)
    assert (status, culprit in refusal["error"]) == (422, True), refusal
