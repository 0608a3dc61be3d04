"""`farebox value`, as an operator types it, and the report that shows its margins."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from services.cli.app import app
from tests.servers.querying import Client


def typed(admin: Client, *arguments: str) -> Result:
    environ = {"FAREBOX_URL": f"http://127.0.0.1:{admin.service.port}", "FAREBOX_KEY": admin.key, "COLUMNS": "200"}
    return CliRunner().invoke(app, arguments, env=environ)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "november.csv"
    lines = [f"{number % 7},2026-11,user-{number},premium" for number in range(450)]
    path.write_text("\n".join(("\ufeffamount,period,user_id,properties.UserTier", *lines)))
    return path


def test_a_file_is_imported_once_however_often_and_listed(admin: Client, file: Path) -> None:
    assert "No value was given here" in typed(admin, "value", "list").stdout
    result = typed(admin, "value", "import", str(file))
    assert (result.exit_code, result.stdout) == (0, "november.csv: 450 created, 0 corrected, 0 unchanged\n")
    file.write_text(file.read_text().replace("0,2026-11,user-0,", "9,2026-11,user-0,"))
    again = typed(admin, "value", "import", str(file))
    assert again.stdout == "november.csv: 0 created, 1 corrected, 449 unchanged\n"

    shown = typed(admin, "value", "list", "--filter", "user_id=user-0").stdout
    for expected in ("$9.00", "user-0, usertier=premium", "1 Nov 2026 00:00", "1 Dec 2026 00:00", "november.csv"):
        assert expected in shown, shown
    assert "2 of 450 entries" in typed(admin, "value", "list", "--limit", "2").stdout
    as_json = json.loads(typed(admin, "value", "list", "--filter", "user_id=user-0", "--json").stdout)
    (entry,) = as_json["data"]
    assert (entry["amount"], entry["user_id"]) == (9, "user-0")
    as_csv = typed(admin, "value", "list", "--start", "2026-11-01", "--end", "2026-11-02", "--csv", "--limit", "1")
    assert as_csv.stdout.startswith("# farebox: value")
    assert "\nid,amount,currency,user_id,start,end" in as_csv.stdout.replace("\r\n", "\n")

    assert typed(admin, "value", "delete", entry["id"]).stdout == f"deleted {entry['id']}\n"
    assert "there is no value" in typed(admin, "value", "delete", entry["id"]).stderr
    assert "No value was given here" in typed(admin, "value", "list", "--filter", "user_id=user-0").stdout


def test_the_report_shows_margins_and_says_where_value_is_unknown(admin: Client, tmp_path: Path) -> None:
    admin.keep({"properties": {"usertier": "premium"}, "cost_usd": Decimal(380), "model": "a"})
    file = tmp_path / "tiers.csv"
    file.write_text("amount,period,properties.UserTier\n1200,2026-11,premium\n")
    assert typed(admin, "value", "import", str(file)).exit_code == 0
    measures = "value_usd,cost_usd,margin_usd,return_ratio,margin_ratio,p95_cost_per_user_usd"
    report = ("report", "--month", "2026-11", "--measures", measures)
    result = typed(admin, *report, "--by", "UserTier")
    line = next(line for line in result.stdout.splitlines() if line.startswith("premium"))
    assert line.split()[:7] == ["premium", "$1,200.00", "$380.00", "$820.00", "3.16", "68%", "$380.00"]
    by_model = typed(admin, *report, "--by", "model")
    assert "value is given for users, properties and times, so it cannot be grouped by model" in by_model.stderr
    assert next(line for line in by_model.stdout.splitlines() if line.startswith("a ")).split()[1] == "unknown"


@pytest.mark.parametrize(
    ("text", "culprit"),
    [
        ("amount,perod\n1,2026\n", "unknown column 'perod'"),
        ("amount,period\n1,2026-99\n", "entry 1: period takes"),
        ("amount,period,user_id\n1,2026,ann\n2,2025,ann\n3,2026,ann\n", "line 2 and line 4 have the same user"),
        ("amount,period\n", "has no entries"),
    ],
)
def test_a_file_that_cannot_be_taken_is_refused_with_the_culprit(
    admin: Client, tmp_path: Path, text: str, culprit: str
) -> None:
    file = tmp_path / "wrong.csv"
    file.write_text(text)
    result = typed(admin, "value", "import", str(file))
    assert (result.exit_code, culprit in result.stderr) == (1, True), result.stderr
    assert "cannot read" in typed(admin, "value", "import", str(tmp_path / "missing.csv")).stderr
