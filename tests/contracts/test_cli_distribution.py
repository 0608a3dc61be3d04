"""`farebox distribution`: what one session, user or request costs, on the screen, as CSV and as JSON."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from typer.testing import CliRunner, Result

from schemas.price import CostState
from services.cli.app import app
from tests.servers.querying import Client, QueryService

START = datetime(2026, 10, 30, tzinfo=UTC)
PERIOD = ("--month", "2026-10")


@pytest.fixture(scope="module")
def october(embedded_service: QueryService) -> Client:
    """Ten sessions of $1.00 to $1.09 and one of $9, in two requests each, and a session of unknown cost."""
    client = Client(embedded_service, "org-distribution", embedded_service.key("org-distribution"))
    costs = [*(Decimal(100 + cents) / 100 for cents in range(10)), Decimal(9)]
    for number, cost in enumerate(costs):
        of_session = {"session_id": f"s-{number}", "session_name": "\x1b[31mAnalysis", "user_id": f"user-{number % 2}"}
        at = START + timedelta(minutes=number)
        client.keep(*({"request_created_at": at, "cost_usd": cost / 2, **of_session} for _ in range(2)))
    unknown = {"cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL}
    client.keep({"request_created_at": START, "session_id": "s-unknown", **unknown})
    return client


def typed(client: Client, *arguments: str) -> Result:
    environ = {"FAREBOX_URL": f"http://127.0.0.1:{client.service.port}", "FAREBOX_KEY": client.key, "COLUMNS": "120"}
    return CliRunner().invoke(app, ["distribution", *arguments], env=environ)


def test_percentiles_bars_and_outliers_are_shown_and_cannot_steer_a_terminal(october: Client) -> None:
    printed = typed(october, "session", *PERIOD)
    assert (printed.exit_code, printed.stderr, printed.exception) == (0, "", None)
    lines = printed.stdout.splitlines()
    assert lines[1] == "What one session cost from 1 Oct 2026 00:00 to 1 Nov 2026 00:00 (UTC)"
    assert lines[3].split() == ["average", "min", "p25", "p50", "p75", "p90", "p95", "p99", "max"]
    assert lines[4].split() == ["$1.77", "$1.00", "$1.02", "$1.05", "$1.08", "$1.09", "$9.00", "$9.00", "$9.00"]
    assert "  11 sessions cost $19.45 together." in lines
    assert "1 outlier above $1.26, of $9.00 together" in lines
    assert next(line.split() for line in lines if line.startswith("  s-10"))[:4] == [
        *("s-10", "(\\x1b[31mAnalysis)", "$9.00", "2"),
    ]
    assert "  Not among them: 1 session of unknown cost." in lines
    assert "\x1b" not in printed.stdout


def test_a_filter_chooses_whose_costs_they_are(october: Client) -> None:
    printed = typed(october, "user", *PERIOD, "--filter", "user_id=user-1", "--json")
    found = json.loads(printed.stdout, parse_float=Decimal)
    assert (found["count"], found["total_usd"]) == (1, Decimal("5.25"))
    assert found["seal"]["state"]


def test_csv_has_a_line_for_each_percentile_and_bar(october: Client) -> None:
    printed = typed(october, "session", *PERIOD, "--csv")
    table = [line for line in printed.stdout.splitlines() if not line.startswith("#")]
    assert table[0] == "line,id,name,from_usd,to_usd,count,cost_usd"
    assert table[-1] == "total,,,,,11,19.45"


def test_without_any_it_says_so(october: Client) -> None:
    assert "  No session." in typed(october, "session", "--month", "2025-10").stdout.splitlines()


@pytest.mark.parametrize(("arguments", "culprit"), [(("thing",), "of:"), (("user", "--outliers", "101"), "outliers")])
def test_what_cannot_be_requested_is_refused_in_one_line(
    october: Client, arguments: tuple[str, ...], culprit: str
) -> None:
    printed = typed(october, *arguments)
    assert (printed.exit_code, culprit in printed.stderr) == (1, True), printed.stderr
