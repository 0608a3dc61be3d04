"""`farebox report` by any period, zone, grouping and filter: what a finance department types."""

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from itertools import dropwhile

import pytest
from typer.testing import CliRunner, Result

from services.cli.app import app
from tests.servers.querying import Client, QueryService

BERLIN = ("--month", "2026-10", "--zone", "Europe/Berlin")


@pytest.fixture(scope="module")
def october(embedded_service: QueryService) -> Client:
    """Requests of October in Berlin, and one of each month beside it."""
    client = Client(embedded_service, "org-report", embedded_service.key("org-report"))

    def row(at: str, feature: str, model: str, usd: str) -> dict[str, object]:
        return {
            "request_created_at": datetime.fromisoformat(at).astimezone(UTC),
            "properties": {"feature": feature, "environment": "production"},
            "property_spellings": ["Feature", "Environment"],
            "model": model,
            "cost_usd": Decimal(usd),
        }

    client.keep(
        row("2026-09-30T23:59:59.999+02:00", "search", "gpt-4o", "100"),
        row("2026-10-01T00:00:00+02:00", "search", "gpt-4o", "1.5"),
        row("2026-10-25T02:30:00+01:00", "search", "claude", "0.25"),
        row("2026-10-31T23:59:59.999+01:00", "chat", "gpt-4o", "0.000000000001"),
        row("2026-11-01T00:00:00+01:00", "chat", "gpt-4o", "1000"),
    )
    return client


def typed(client: Client, *arguments: str) -> Result:
    environ = {"FAREBOX_URL": f"http://127.0.0.1:{client.service.port}", "FAREBOX_KEY": client.key, "COLUMNS": "120"}
    return CliRunner().invoke(app, ["report", *arguments], env=environ)


def figures(client: Client, *arguments: str) -> list[dict[str, str]]:
    printed = typed(client, *arguments, "--csv")
    assert (printed.exit_code, printed.stderr) == (0, ""), printed
    table = dropwhile(lambda line: line.startswith("#"), io.StringIO(printed.stdout, newline=""))
    return list(csv.DictReader(table, strict=True))


def test_a_month_of_a_zone_comes_by_groups_as_csv(october: Client) -> None:
    lines = figures(october, *BERLIN, "--by", "Feature,model")
    assert [(line["line"], line["properties.Feature"], line["model"], line["cost_usd"]) for line in lines] == [
        ("group", "search", "gpt-4o", "1.5"),
        ("group", "search", "claude", "0.25"),
        ("group", "chat", "gpt-4o", "0.000000000001"),
        ("total", "", "", "1.750000000001"),
    ]
    in_utc = figures(october, "--month", "2026-10", "--by", "Feature,model")[-1]
    assert in_utc["cost_usd"] == "1000.250000000001"


@pytest.mark.parametrize(
    ("arguments", "total"),
    [
        (("--start", "2026-10-01", "--end", "2026-11-01", "--zone", "Europe/Berlin"), "1.750000000001"),
        (("--start", "2026-10-01", "--zone", "Europe/Berlin"), "1001.750000000001"),
        (("--start", "2026-09-30T22:00:00Z", "--end", "2026-10-26", "--zone", "Asia/Tokyo"), "1.75"),
        ((*BERLIN, "--filter", "Feature=search"), "1.75"),
        ((*BERLIN, "--filter", "Feature=search", "--filter", "model!=claude"), "1.5"),
        ((*BERLIN, "--filter", '{"properties": {"feature": {"equals": "chat"}}}'), "0.000000000001"),
        ((*BERLIN, "--filter", "request_created_at<2026-10-25"), "1.5"),
        ((*BERLIN, "--filter", "cost_usd>0.2"), "1.75"),
        (("--since", "48h"), "1000.000000000001"),
    ],
)
def test_any_period_and_any_filter_gives_its_total(october: Client, arguments: tuple[str, ...], total: str) -> None:
    assert figures(october, *arguments)[-1]["cost_usd"] == total


def test_a_month_is_compared_with_the_one_before_side_by_side(october: Client) -> None:
    printed = typed(october, *BERLIN, "--by", "Feature", "--compare", "month_before")
    assert (printed.exit_code, printed.stderr) == (0, ""), printed
    lines = printed.stdout.splitlines()
    assert lines[2] == "Compared with 1 Sep 2026 00:00 to 1 Oct 2026 00:00 (Europe/Berlin)"
    (search,) = [line.split() for line in lines if line.startswith("search")]
    assert search[:4] == ["search", "$1.75", "$100.00", "-98%"]
    quarters = figures(october, "--start", "2026-07-01", "--end", "2027-01-01", *BERLIN[2:], "--by", "quarter")
    assert [line["quarter"][:10] for line in quarters] == ["2026-07-01", "2026-10-01", ""]
    wrong = typed(october, *BERLIN, "--compare", "yesterday")
    assert (wrong.exit_code, "compare" in wrong.stderr) == (1, True)


def test_days_and_other_measures_are_columns_of_their_own(october: Client) -> None:
    lines = figures(october, *BERLIN, "--by", "day", "--measures", "requests,active_users")
    assert [(line["day"], line["requests"], line["active_users"]) for line in lines] == [
        ("2026-10-01T00:00:00+02:00", "1", "1"),
        ("2026-10-25T00:00:00+02:00", "1", "1"),
        ("2026-10-31T00:00:00+01:00", "1", "1"),
        ("", "3", "1"),
    ]


def test_without_csv_it_is_a_table_and_with_json_every_digit(october: Client) -> None:
    printed = typed(october, *BERLIN, "--by", "day,model", "--measures", "cost_usd,p95_latency_ms,last_request_at")
    assert (printed.exit_code, printed.stderr) == (0, "")
    lines = [line.split("  ") for line in printed.stdout.splitlines()]
    assert lines[1] == ["From 1 Oct 2026 00:00 to 1 Nov 2026 00:00 (Europe/Berlin)"]
    rows = [[cell.strip() for cell in line if cell.strip()] for line in lines[3:]]
    assert rows[0][:2] == ["day, model", "cost_usd"]
    assert [row[:2] for row in rows[1 : rows.index([])]] == [
        ["2026-10-01, gpt-4o", "$1.50"],
        ["2026-10-25, claude", "$0.25"],
        ["2026-10-31, gpt-4o", "<$0.000001"],
        ["Total", "$1.75"],
    ]
    assert rows[3][3] == "31 Oct 2026 23:59"
    exact = json.loads(typed(october, *BERLIN, "--by", "model", "--json").stdout, parse_float=Decimal)
    assert exact["total"]["cost_usd"] == Decimal("1.750000000001")


def test_the_summary_is_of_any_period_too(october: Client) -> None:
    printed = typed(october, *BERLIN)
    assert (printed.exit_code, printed.stderr) == (0, "")
    assert "Costs from 1 Oct 2026 00:00 to 1 Nov 2026 00:00 (Europe/Berlin)" in printed.stdout
    assert "$1.75" in printed.stdout
    assert "Top 1 user by cost" in printed.stdout
    alone = typed(october)
    assert "(UTC)" in alone.stdout
    assert json.loads(typed(october, *BERLIN, "--json").stdout)["start"] == "2026-09-30T22:00:00.000Z"


def test_a_name_that_no_request_has_is_warned_of_on_standard_error(october: Client) -> None:
    for more in ((), ("--json",), ("--csv",)):
        printed = typed(october, *BERLIN, "--by", "Feture", "--filter", "model=gpt-4p", *more)
        assert printed.exit_code == 0
        assert printed.stderr.splitlines() == [
            "farebox: warning: no request has the property 'feture'; the nearest is 'Feature'",
            "farebox: warning: no request has the value 'gpt-4p' in model; the nearest is 'gpt-4o'",
        ]


@pytest.mark.parametrize(
    ("arguments", "culprit"),
    [
        (("--month", "2026-13"), "--month: expected a year and a month, such as 2026-11, not '2026-13'"),
        (("--month", "2026-10", "--since", "7d"), "pass --month, or --since"),
        (("--zone", "Mars/Olympus"), "unknown --zone 'Mars/Olympus'"),
        (("--start", "yesterday"), "start takes a timestamp"),
        (("--start", "2026-10-02", "--end", "2026-10-01"), "start '2026-10-02' is after end '2026-10-01'"),
        (("--since", "7y", "--by", "model"), "since takes a number below 10000 and m, h, d or w"),
        (("--by", "request_body"), "unknown column 'request_body' to group by"),
        (("--measures", "cost"), "unknown measure 'cost': did you mean 'cost_usd'? Known are "),
        (("--filter", "Feature"), "--filter: expected Feature=search"),
        (("--filter", "model>5"), "unknown operator 'gt' of request_response_rmt.model"),
        (("--filter", '{"model": 1'), "--filter: '{\"model\": 1' is not JSON"),
        (("--csv", "--json"), "pass --csv or --json, not both"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_that_names_it(
    october: Client, arguments: tuple[str, ...], culprit: str
) -> None:
    printed = typed(october, *arguments)
    assert (printed.exit_code, printed.stdout, printed.stderr.count("\n")) == (1, "", 1), printed
    assert culprit in printed.stderr
