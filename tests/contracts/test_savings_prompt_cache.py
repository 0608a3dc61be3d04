"""What broken prompt caches of providers cost, on both shapes of the warehouse."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas.event import Outcome
from schemas.price import Price, Rate
from schemas.usage import UsageSource
from tests.servers.querying import Client, QueryService

START = datetime(2026, 11, 1, tzinfo=UTC)
PERIOD: dict[str, Any] = {"timeFilter": {"start": "2026-11-01", "end": "2026-11-02"}}
DAY_S = 86_400

# A millionth of a dollar for a token, twice that above 200,000; a tenth for reading, 1.25 and 2 for writing.
LIST = Price(
    id="prompt-cache-list",
    provider="ANTHROPIC",
    model="m",
    valid_from=None,
    source="test",
    rates={
        name: Rate(usd=Decimal(usd) / 10**6, tiers=((200_000, Decimal(usd) * 2 / 10**6),))
        for name, usd in {
            "prompt_tokens": "1",
            "prompt_cache_read_tokens": "0.1",
            "prompt_cache_write_5m_tokens": "1.25",
            "prompt_cache_write_1h_tokens": "2",
            "completion_tokens": "5",
        }.items()
    },
)


def sent(
    after_s: float, plain: int = 0, *, read: int = 0, w5m: int = 0, w1h: int = 0, took_s: float = 1, **changes: Any
) -> dict[str, Any]:
    came = START + timedelta(seconds=after_s)
    used = {
        "prompt_tokens": plain,
        "prompt_cache_read_tokens": read,
        "prompt_cache_write_5m_tokens": w5m,
        "prompt_cache_write_1h_tokens": w1h,
    }
    scale = 2 if sum(used.values()) > 200_000 else 1
    cost = sum((LIST.rates[name].usd * count for name, count in used.items()), Decimal(0)) * scale
    return {
        "request_created_at": came,
        "response_created_at": came + timedelta(seconds=took_s),
        "provider": "ANTHROPIC",
        "model": "m",
        "price_id": LIST.id,
        "provider_key_hash": "key",
        "completion_tokens": 0,
        "cost_usd": cost,
        **used,
        **changes,
    }


def requested(client: Client, **body: Any) -> dict[str, Any]:
    asyncio.run(client.service.warehouse.keep_prices([LIST]))
    status, response = client.ask("/v1/savings/prompt-cache", PERIOD | body)
    assert status == 200, response
    data: dict[str, Any] = response["data"]
    return data


def unread(found: dict[str, Any]) -> tuple[Any, ...]:
    return (
        *(found[f"unread_write_tokens_{how}"] for how in ("certain", "likely")),
        *(found["unread_writes"][f"{how}_usd"] for how in ("certain", "likely")),
    )


def repaid(found: dict[str, Any]) -> tuple[Any, ...]:
    return (
        *(found[f"repaid_tokens_{how}"] for how in ("certain", "likely")),
        *(found["repaid_input"][f"{how}_usd"] for how in ("certain", "likely")),
    )


def usd(text: str) -> Decimal:
    return Decimal(text)


@pytest.mark.first_on_server
@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], (0, 0, 0, 0)),
        # Nobody read: the surcharge of a quarter is lost; of an hour's cache all of the plain price once more.
        ([sent(0, w5m=4000)], (4000, 4000, usd("0.001"), usd("0.001"))),
        ([sent(0, w1h=4000)], (4000, 4000, usd("0.004"), usd("0.004"))),
        # Above a context tier everything costs twice as much.
        ([sent(0, w5m=400_000)], (400_000, 400_000, usd("0.2"), usd("0.2"))),
        # Somebody read of the same model in time, be it of another write.
        ([sent(0, w5m=4000), sent(60, 100, read=4000)], (0, 0, 0, 0)),
        ([sent(0, w5m=4000), sent(1799, 100, read=4000, user_id="bob")], (0, 0, 0, 0)),
        ([sent(0, w5m=4000), sent(1801, 100, read=4000)], (4000, 4000, usd("0.001"), usd("0.001"))),
        ([sent(0, w1h=4000), sent(3599, 100, read=4000)], (0, 0, 0, 0)),
        ([sent(0, 100, read=4000), sent(60, w5m=4000)], (4000, 4000, usd("0.001"), usd("0.001"))),
        ([sent(0, w5m=4000), sent(60, 100, read=4000, model="other")], (4000, 4000, usd("0.001"), usd("0.001"))),
        # Of one's own session nobody did.
        ([sent(0, w5m=4000, session_id="s"), sent(60, 9, read=4000)], (0, 4000, 0, usd("0.001"))),
        ([sent(0, w5m=4000, session_id="s"), sent(60, 9, read=4000, session_id="s")], (0, 0, 0, 0)),
        # What may still be read after the end is not known to be lost.
        ([sent(DAY_S - 1799, w5m=4000)], (0, 0, 0, 0)),
        ([sent(DAY_S - 1800, w5m=4000)], (4000, 4000, usd("0.001"), usd("0.001"))),
        # Too short for a cache, served from ours, or unknown.
        ([sent(0, w5m=1023)], (0, 0, 0, 0)),
        ([sent(0, w5m=4000, outcome=Outcome.CACHED)], (0, 0, 0, 0)),
        ([sent(0, w5m=4000, usage_source=UsageSource.ESTIMATED)], (0, 0, 0, 0)),
        ([sent(0, w5m=4000, price_id="")], (4000, 4000, None, None)),
    ],
)
def test_what_was_written_and_never_read_loses_what_writing_cost_more(
    client: Client, rows: list[dict[str, Any]], expected: tuple[Any, ...]
) -> None:
    client.keep(*rows)
    total = requested(client)["total"]
    assert unread(total) == expected
    assert total["unpriced_lost_tokens"] == (4000 if None in expected else 0)


SAME: dict[str, Any] = {"request_fingerprint": "a" * 16}
CHAT: dict[str, Any] = {"session_id": "s", "session_name": "chat", "session_path": "/"}


@pytest.mark.first_on_server
@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # The same prompt, cached a minute ago, was paid in full: nine tenths of it are lost.
        ([sent(0, w5m=4000, **SAME), sent(60, 4000, **SAME)], (4000, 4000, usd("0.0036"), usd("0.0036"))),
        ([sent(0, w5m=4000, **SAME), sent(60, 1000, read=3000, **SAME)], (1000, 1000, usd("0.0009"), usd("0.0009"))),
        ([sent(0, 100, read=4000, **SAME), sent(60, 4100, **SAME)], (4000, 4000, usd("0.0036"), usd("0.0036"))),
        # Written again: what it cost beyond plain input is no part of this.
        ([sent(0, w5m=4000, **SAME), sent(60, w5m=4000, **SAME)], (4000, 4000, usd("0.0036"), usd("0.0036"))),
        ([sent(0, w5m=4000, **SAME), sent(60, 9, read=4000, **SAME)], (0, 0, 0, 0)),
        # The next prompt of the session does not read what the one before had: it may be about something else.
        ([sent(0, w5m=4000, **CHAT), sent(60, 5000, **CHAT)], (0, 4000, 0, usd("0.0036"))),
        ([sent(0, w5m=4000, **CHAT), sent(60, 5000, **(CHAT | {"session_path": "/b"}))], (0, 0, 0, 0)),
        ([sent(0, w5m=4000, **CHAT), sent(60, 1500, **CHAT)], (0, 1500, 0, usd("0.00135"))),
        # It had expired, was of another account, or came before the first response had ended.
        ([sent(0, w5m=4000, **SAME), sent(300, 4000, **SAME)], (0, 0, 0, 0)),
        ([sent(0, w1h=4000, **SAME), sent(3599, 4000, **SAME)], (4000, 4000, usd("0.0036"), usd("0.0036"))),
        ([sent(0, w5m=4000, **SAME), sent(60, 4000, **SAME, provider_key_hash="b")], (0, 0, 0, 0)),
        ([sent(0, w5m=4000, took_s=9, **SAME), sent(8, 4000, **SAME)], (0, 0, 0, 0)),
        # Without a cache there was nothing to read.
        ([sent(0, 4000, **SAME), sent(60, 4000, **SAME)], (0, 0, 0, 0)),
        ([sent(-60, w5m=4000, **SAME), sent(0, 4000, **SAME)], (0, 0, 0, 0)),
    ],
)
def test_what_had_been_cached_and_is_paid_in_full_loses_what_reading_costs_less(
    client: Client, rows: list[dict[str, Any]], expected: tuple[Any, ...]
) -> None:
    client.keep(*rows)
    assert repaid(requested(client)["total"]) == expected


def test_the_groups_that_lost_most_come_first_and_add_up(client: Client) -> None:
    client.keep(
        sent(0, w5m=8000, user_id="ann", model="a"),
        sent(0, w1h=8000, user_id="bob", model="b"),
        sent(7200, w5m=2000, user_id="bob", model="c", price_id=""),
        sent(0, 5000, user_id="cid", model="d"),
        sent(0, w5m=4000, user_id="dan", model="e", **SAME),
        sent(60, w5m=4000, user_id="dan", model="e", **SAME),
    )
    whole = requested(client, by=[{"column": "user_id"}])
    assert [(row["by"], row["lost"]["certain_usd"]) for row in whole["rows"]] == [
        (["bob"], usd("0.008")),
        (["dan"], usd("0.0056")),
        (["ann"], usd("0.002")),
        (["cid"], 0),
    ]
    assert (whole["total"]["unpriced_lost_tokens"], whole["total"]["cache_write_tokens"]) == (2000, 26000)
    assert (whole["total"]["read_share"], whole["rest"], whole["truncated"]) == (0, None, False)
    for limit in (1, 2, 3):
        cut = requested(client, by=[{"column": "user_id"}], limit=limit)
        assert (cut["rows"], cut["truncated"], cut["total"]) == (whole["rows"][:limit], True, whole["total"])
        for part in ("lost", "unread_writes", "repaid_input"):
            for bound in ("certain_usd", "likely_usd"):
                assert sum(row[part][bound] for row in (*cut["rows"], cut["rest"])) == cut["total"][part][bound]
        assert sum(row["input_tokens"] for row in (*cut["rows"], cut["rest"])) == cut["total"]["input_tokens"]


def test_how_much_input_is_read_from_caches_is_shown_over_time(client: Client) -> None:
    client.keep(sent(0, 3000), sent(3600, 1000, read=3000), sent(3700, 2000, read=2000))
    found = requested(client, by=[{"time": "hour"}], timeZone="Europe/Berlin")
    shares = {row["by"][0]: row["read_share"] for row in found["rows"]}
    assert shares == {"2026-11-01T01:00:00+01:00": 0, "2026-11-01T02:00:00+01:00": Decimal("0.625")}


def test_the_hour_that_comes_twice_is_two(client: Client) -> None:
    """Clocks are set back at 01:00 UTC on 25 October 2026 in Berlin."""
    for at in (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)):
        client.keep(sent((at - START).total_seconds(), 3000))
    times = {"timeFilter": {"start": "2026-10-20", "end": "2026-10-30"}}
    found = requested(client, by=[{"time": "hour"}], timeZone="Europe/Berlin", **times)
    assert {row["by"][0] for row in found["rows"]} == {"2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"}


def test_what_others_read_counts_whoever_is_asked_about(client: Client) -> None:
    client.keep(sent(0, w5m=4000, user_id="ann"), sent(60, 9, read=4000, user_id="bob"))
    for user in ("ann", "bob"):
        found = requested(client, filter={"request_response_rmt": {"user_id": {"equals": user}}})
        assert (found["total"]["requests"], unread(found["total"])) == (1, (0, 0, 0, 0))


def test_nobody_reads_what_another_organization_wrote(service: QueryService, client: Client) -> None:
    other = Client(service, f"{client.organization_id}-other", service.key(f"{client.organization_id}-other"))
    client.keep(sent(0, w5m=4000, **SAME))
    other.keep(sent(60, 9, read=4000, **SAME), sent(70, 4000, **SAME))
    assert unread(requested(client)["total"])[0] == 4000
    assert (unread(requested(other)["total"])[0], repaid(requested(other)["total"])[0]) == (0, 4000)


def test_what_cannot_be_requested_is_refused_by_name(client: Client) -> None:
    for body, culprit in (({"by": [{"column": "colour"}]}, "colour"), ({"limit": 0}, "limit")):
        status, refusal = client.ask("/v1/savings/prompt-cache", PERIOD | body)
        assert (status, culprit in refusal["error"]) == (422, True), refusal


def test_what_was_read_saved_and_what_was_written_cost_more(client: Client) -> None:
    client.keep(sent(0, w5m=4000, user_id="ann"), sent(60, 100, read=4000, user_id="bob"))
    found = requested(client, by=[{"column": "user_id"}])
    figures = {row["by"][0]: (row["read_saved_usd"], row["write_extra_usd"]) for row in found["rows"]}
    assert figures == {"ann": (0, usd("0.001")), "bob": (usd("0.0036"), 0)}
    assert (found["total"]["read_saved_usd"], found["total"]["write_extra_usd"]) == (usd("0.0036"), usd("0.001"))


def test_what_caching_saved_is_unknown_without_a_price(client: Client) -> None:
    client.keep(sent(0, 100, read=4000, price_id=""))
    total = requested(client)["total"]
    assert (total["read_saved_usd"], total["write_extra_usd"]) == (None, None)
