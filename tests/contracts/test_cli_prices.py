"""`farebox prices`, as an operator types it, and what is shown then."""

import json
from decimal import Decimal
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from services.cli.app import app
from tests.servers.querying import Client


def typed(admin: Client, *arguments: str) -> Result:
    environ = {"FAREBOX_URL": f"http://127.0.0.1:{admin.service.port}", "FAREBOX_KEY": admin.key, "COLUMNS": "200"}
    return CliRunner().invoke(app, ["prices", *arguments], env=environ)


def rows(admin: Client) -> list[dict[str, Any]]:
    result = typed(admin, "list", "--json")
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout, parse_float=Decimal)
    return found


def test_a_price_is_added_listed_shown_and_ended(admin: Client) -> None:
    assert "No prices were added here" in typed(admin, "list").stdout
    result = typed(
        admin, *("add", "acme-*", "--provider", "CUSTOM", "--from", "2026-10-01"),
        *("--input", "0.60", "--output", "1.8", "--cached", "0.06", "--per-request", "0.001"),
        *("--price", "web_searches=0.01", "--price", "prompt_audio_tokens=10"),
        *("--price", "prompt_audio_ms=0.111"),
        *("--above", "200000:prompt_tokens=1.2", "--above", "200000:completion_tokens=3.6"),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    (row,) = rows(admin)
    assert row["usd_per_million_tokens"] == {
        "prompt_tokens": Decimal("0.6"),
        "completion_tokens": Decimal("1.8"),
        "prompt_cache_read_tokens": Decimal("0.06"),
        "prompt_audio_tokens": 10,
    }
    assert (row["usd_per_unit"], row["usd_per_request"]) == ({"web_searches": Decimal("0.01")}, Decimal("0.001"))
    assert row["usd_per_hour"] == {"prompt_audio_ms": Decimal("0.111")}
    assert [tier["usd_per_million_tokens"] for tier in row["tiers"]] == [
        {"prompt_tokens": Decimal("1.2"), "completion_tokens": Decimal("3.6")}
    ]
    assert (row["valid_from"], row["valid_until"]) == ("2026-10-01T00:00:00.000Z", None)

    shown = typed(admin, "show", "acme-large", "--provider", "CUSTOM").stdout
    for expected in (
        f"operator/{row['row_id']}",
        "since 1 Oct 2026 00:00",
        "0.6 per million prompt_tokens",
        "0.01 each web_searches",
        "0.111 an hour of prompt_audio_ms",
        "0.001 per request",
        "1.2 per million prompt_tokens, above 200000 tokens",
    ):
        assert expected in shown, shown

    assert typed(admin, "end", row["row_id"], "--at", "2026-10-15").exit_code == 0
    assert rows(admin)[0]["valid_until"] == "2026-10-15T00:00:00.000Z"
    listed = typed(admin, "list").stdout
    assert row["row_id"] in listed
    assert "until 15 Oct 2026 00:00" in listed
    assert "No price is known" in typed(admin, "show", "acme-large", "--provider", "CUSTOM").stdout


def test_what_a_price_of_ones_own_replaces_is_shown(admin: Client) -> None:
    before = typed(admin, "show", "gpt-4o-mini").stdout
    assert "0.15 per million prompt_tokens" in before
    assert "Instead of" not in before
    assert typed(admin, "add", "gpt-4o-mini", "--input", "0.1", "--output", "0.4").exit_code == 0
    after = typed(admin, "show", "gpt-4o-mini").stdout
    charged, _, replaced = after.partition("Instead of")
    assert "0.1 per million prompt_tokens" in charged
    assert "0.15 per million prompt_tokens" in replaced
    data = json.loads(typed(admin, "show", "gpt-4o-mini", "--json").stdout)
    assert data["in_force"]["source"] == "operator"


def test_a_price_shows_how_far_it_goes_and_nothing_free_that_is_not(admin: Client) -> None:
    assert (
        "prompts above 200000 tokens cost more; rate unknown" in typed(admin, "show", "claude-sonnet-4-20250514").stdout
    )
    audio = typed(admin, "show", "whisper-1").stdout
    assert "0.36 an hour of prompt_audio_ms" in audio
    assert "prompt_tokens" not in audio


def test_a_price_is_found_without_the_name_of_who_sells_it(admin: Client) -> None:
    for model, seller in (("gpt-4o-mini", "OPENAI"), ("claude-sonnet-4-5", "ANTHROPIC"), ("grok-4", "CUSTOM")):
        assert f"A request of {seller} is charged by\n" in typed(admin, "show", model).stdout
    for arguments, sellers in (((), "OPENAI, ANTHROPIC, GOOGLE, CUSTOM"), (("--provider", "XAI"), "XAI")):
        result = typed(admin, "show", "no-such-model", *arguments)
        assert f"No price is known for it at {sellers}: " in result.stdout
        assert result.exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        (("add", "m"), "no price is given"),
        (("add", "m", "--input", "much"), "--input: 'much' is not an amount of US dollars"),
        (("add", "m", "--input", "1", "--output", "NaN"), "--output: 'NaN' is not an amount of US dollars"),
        (("add", "m", "--price", "prompt_tokens=-inf"), "--price prompt_tokens: '-inf' is not an amount"),
        (("add", "m", "--input", "0.0000025"), "give 2.5"),
        (("add", "m", "--price", "tokens=1"), "unknown usage class 'tokens'"),
        (("add", "m", "--price", "prompt_tokens"), "--price: expected CLASS=USD, such as prompt_tokens=2.50"),
        (("add", "m", "--input", "1", "--price", "prompt_tokens=2"), "prompt_tokens has two prices"),
        (("add", "m", "--input", "1", "--above", "many:prompt_tokens=1"), "--above: expected TOKENS:CLASS=USD"),
        (("add", "m", "--above", "10:prompt_tokens=1"), "--above: prompt_tokens needs a price for smaller prompts too"),
        (("add", "m", "--input", "1", "--per-request", "x"), "--per-request: 'x' is not an amount"),
        (("add", "m", "--input", "1", "--from", "soon"), "valid_from takes a timestamp"),
        (("end", "no-such-row"), "no price of this organization has the id 'no-such-row'"),
    ],
)
def test_what_cannot_be_done_is_reported_in_one_line(admin: Client, arguments: tuple[str, ...], result: str) -> None:
    said = typed(admin, *arguments)
    assert (said.exit_code, said.stderr.count("\n")) == (1, 1), said.output
    assert result in said.stderr
    assert rows(admin) == []


def test_a_key_that_may_only_read_lists_and_does_not_add(admin: Client) -> None:
    reader = Client(admin.service, admin.organization_id, admin.service.key(admin.organization_id))
    assert rows(reader) == []
    said = typed(reader, "add", "m", "--input", "1")
    assert (said.exit_code, "--permission admin" in said.stderr) == (1, True)


def test_whoever_adds_a_price_hears_which_requests_it_is_not_for(admin: Client) -> None:
    recent = admin.service.clock.now()
    admin.keep({"request_model": "gpt-4o", "model": "gpt-4o-2024-08-06", "request_created_at": recent})
    result = typed(admin, "add", "gpt-4o", "--input", "2")
    assert result.exit_code == 0, result.output
    assert "requests for gpt-4o were billed as gpt-4o-2024-08-06: this price is not for them" in result.stdout
    assert "billed" not in typed(admin, "add", "gpt-4o*", "--input", "2").stdout


def test_times_of_prices_are_those_of_a_zone(admin: Client) -> None:
    berlin = ("--zone", "Europe/Berlin")
    result = typed(admin, "add", "acme-zone", "--input", "1", "--provider", "CUSTOM", "--from", "2026-10-01", *berlin)
    assert result.exit_code == 0, result.output
    (row,) = (row for row in rows(admin) if row["model"] == "acme-zone")
    assert row["valid_from"] == "2026-09-30T22:00:00.000Z"
    for at, is_priced in (("2026-10-01T00:00", True), ("2026-09-30T23:59", False)):
        shown = typed(admin, "show", "acme-zone", "--provider", "CUSTOM", "--at", at, *berlin).stdout
        assert ("No price is known" in shown) is not is_priced, at
    assert typed(admin, "end", row["row_id"], "--at", "2026-11-01", *berlin).exit_code == 0
    (row,) = (row for row in rows(admin) if row["model"] == "acme-zone")
    assert row["valid_until"] == "2026-10-31T23:00:00.000Z"
    refused = typed(admin, "add", "x", "--input", "1", "--zone", "Moon")
    assert (refused.exit_code, "unknown time_zone 'Moon'" in refused.stderr) == (1, True)
