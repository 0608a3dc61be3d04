"""`farebox savings`: the three kinds of savings in one view."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from schemas.usage import Usage
from services.cli.app import app
from services.domain.pricing.charge import charge
from services.stores.shipped_prices.book import ShippedPrices
from tests.servers.querying import Client, QueryService

START = datetime(2026, 10, 30, tzinfo=UTC)
PERIOD = ("--month", "2026-10")


def sent(after_s: int, fingerprint: str, **changes: Any) -> dict[str, Any]:
    tokens = {"prompt_tokens": 100_000, "completion_tokens": 1000, "prompt_cache_read_tokens": 0}
    came = START + timedelta(seconds=after_s)
    charged = charge(Usage(**tokens), ShippedPrices().price_at("OPENAI", "gpt-5", came))
    return {
        "request_created_at": came,
        "response_created_at": came + timedelta(seconds=1),
        "request_fingerprint": fingerprint,
        "model": "gpt-5",
        "cost_usd": charged.cost_usd,
        "price_id": charged.price_id,
        **tokens,
        **changes,
    }


@pytest.fixture(scope="module")
def october(embedded_service: QueryService) -> Client:
    client = Client(embedded_service, "org-savings", embedded_service.key("org-savings"))
    client.keep(
        *(sent(10 * position, "a" * 16) for position in range(10)),
        *(sent(10 * position, f"{position:016x}", properties={"feature": "\x1b[31msearch"}) for position in range(3)),
    )
    return client


def typed(client: Client, *arguments: str) -> Result:
    environ = {"FAREBOX_URL": f"http://127.0.0.1:{client.service.port}", "FAREBOX_KEY": client.key, "COLUMNS": "120"}
    return CliRunner().invoke(app, ["savings", *arguments], env=environ)


def test_the_biggest_saving_comes_first(october: Client) -> None:
    printed = typed(october, *PERIOD)
    assert (printed.exit_code, printed.stderr) == (0, "")
    headings = [line for line in printed.stdout.splitlines() if line and not line.startswith(" ")]
    assert headings == [
        "Savings to be had from 1 Oct 2026 00:00 to 1 Nov 2026 00:00 (UTC), of $1.76",
        "Repeated prompts: $1.22",
        "The same usage at other prices",
        "Broken prompt caches of providers: $0.00",
        "What these amounts take for granted",
    ]
    assert "would have served 9 of 10 requests with a prompt that came again" in printed.stdout
    in_batches = next(line.split() for line in printed.stdout.splitlines() if "tier batch" in line)
    assert in_batches == ["tier", "batch", "$0.88", "$1.76", "13", "0"]
    # Served for five seconds only, it would have saved nothing, and the tiers come first.
    shorter = typed(october, *PERIOD, "--max-age", "5s").stdout
    assert shorter.index("at other prices") < shorter.index("Repeated prompts: $0.00")


def test_groups_and_models_are_shown_and_cannot_steer_a_terminal(october: Client) -> None:
    printed = typed(october, *PERIOD, "--by", "Feature", "--model", "OPENAI/gpt-4o-mini", "--model", "gpt-5-nano")
    assert printed.exit_code == 0, printed.stderr
    assert "OPENAI/gpt-4o-mini" in printed.stdout
    assert "gpt-5-nano saves" in printed.stdout
    assert "\\x1b[31msearch" in printed.stdout
    assert "\x1b" not in printed.stdout


def test_names_that_nothing_has_are_warned_of_once(october: Client) -> None:
    printed = typed(october, *PERIOD, "--by", "Featur", "--model", "OPENAI/gpt-4o-minni")
    assert printed.stderr.splitlines() == [
        "farebox: warning: no request has the property 'featur'; the nearest is 'Feature'",
        "farebox: warning: no price is known for the model 'gpt-4o-minni' of OPENAI, so nothing is compared with it; "
        "the nearest is 'gpt-4o-mini'",
    ]


def test_it_prints_every_digit_as_json(october: Client) -> None:
    printed = typed(october, *PERIOD, "--json")
    found = json.loads(printed.stdout, parse_float=Decimal)
    assert found["repeats"]["total"]["saved_usd"] == Decimal("1.215")
    assert found["what_if"]["total"][0]["saving"]["low_usd"] == Decimal("0.8775")
    assert found["seal"]["state"]


@pytest.mark.parametrize(
    ("arguments", "culprit"),
    [
        (("--max-age", "soon"), "--max-age"),
        (("--max-age", "400d"), "maxAgeS"),
        (("--filter", "="), "--filter"),
        (("--month", "2026-13"), "--month"),
    ],
)
def test_what_cannot_be_requested_is_refused_in_one_line(october: Client, arguments: tuple[str], culprit: str) -> None:
    printed = typed(october, *arguments)
    assert (printed.exit_code, culprit in printed.stderr) == (1, True), printed.stderr


def test_without_requests_it_says_so(embedded_service: QueryService) -> None:
    nobody = Client(embedded_service, "org-no-savings", embedded_service.key("org-no-savings"))
    printed = typed(nobody, *PERIOD)
    assert "No prompt came more than once." in printed.stdout
    assert "No prompt was long enough for a cache." in printed.stdout
