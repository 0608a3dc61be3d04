"""What clients name reaches an operator's terminal as letters; and 80 columns are enough for every table."""

import re
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from schemas.price import CostState
from tests.servers.querying import Client
from tests.support.command_line import farebox

HOSTILE = "[red]eve\x1b[2J\x1b]0;pwned\x07\r\nTotal costs  $0.00\u202e\x9b"
SHOWN = r"[red]eve\x1b[2J\x1b]0;pwned\x07\r\nTotal"
UNKNOWN = {"cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL, "price_id": ""}
LONG_MODEL = "anthropic.claude-3-7-sonnet-20250219-v1:0-and-more"


def typed(admin: Client, *arguments: str) -> subprocess.CompletedProcess[str]:
    url = f"http://127.0.0.1:{admin.service.port}"
    return farebox(*arguments, FAREBOX_URL=url, FAREBOX_KEY=admin.key, COLUMNS="80")


def steers(text: str) -> bool:
    return bool(re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text))


@pytest.mark.parametrize(
    "command",
    [
        ("report", "--since", "500w"),
        ("doctor", "--since", "500w"),
        ("reprice", "--model", "*", "--since", "2026-10-01", "--dry-run"),
    ],
    ids=lambda command: command[0],
)
def test_names_of_clients_steer_no_terminal(admin: Client, command: tuple[str, ...]) -> None:
    properties = {"Environment": HOSTILE, "Feature": HOSTILE, "UserTier": HOSTILE}
    row: dict[str, Any] = {"user_id": HOSTILE, "model": HOSTILE, "properties": properties}
    admin.keep(row, row | UNKNOWN)
    result = typed(admin, *command)
    assert SHOWN in "".join(result.stdout.split()), result
    assert not steers(result.stdout + result.stderr)
    assert "\nTotal costs  $0.00" not in result.stdout


def test_errors_and_names_of_keys_steer_no_terminal(tmp_path: Path) -> None:
    refused = farebox("report", "--url", f"ftp://{HOSTILE}".replace("\0", ""))
    assert (refused.returncode, steers(refused.stderr), refused.stderr.count("\n")) == (1, False, 1)
    here = ("--data", str(tmp_path))
    assert farebox("keys", "create", "--name", HOSTILE, *here).returncode == 0
    listed = farebox("keys", "list", *here).stdout
    assert (SHOWN in listed, steers(listed)) == (True, False)


def test_at_80_columns_a_dry_run_shows_models_days_and_amounts_whole(admin: Client) -> None:
    admin.keep({"model": LONG_MODEL, "cost_usd": Decimal("654321.09")}, {"model": LONG_MODEL} | UNKNOWN)
    priced = typed(admin, "prices", "add", LONG_MODEL, "--input", "1", "--output", "1", "--from", "2026-01-01")
    assert priced.returncode == 0, priced
    result = typed(admin, "reprice", "--model", "*", "--since", "2026-10-01", "--dry-run").stdout
    assert f"\n{LONG_MODEL}\n" in result
    assert re.search(r"^  1 Nov 2026  \$654,321\.09 .* -\$654,321\.09 .* 2 of 2\b", result, re.MULTILINE), result
    assert max(map(len, result.splitlines())) <= 80
    (run_id,) = re.findall(r"[0-9a-f-]{36}", typed(admin, "reprice", "--list").stdout)
    assert run_id


def test_at_80_columns_prices_are_listed_whole(admin: Client) -> None:
    added = typed(
        admin, *("prices", "add", LONG_MODEL, "--provider", "BEDROCK", "--input", "1234.5678", "--output", "2"),
        *("--from", "2026-01-01", "--until", "2027-01-01"),
    )  # fmt: skip
    assert added.returncode == 0, added
    result = typed(admin, "prices", "list").stdout
    assert re.search(rf"^[0-9a-f-]{{36}}\n  {re.escape(LONG_MODEL)}, BEDROCK\n", result, re.MULTILINE), result
    assert "\n  1234.5678 per million prompt_tokens\n" in result
    assert "\n  since 1 Jan 2026 00:00, until 1 Jan 2027 00:00; added " in result
    assert max(map(len, result.splitlines())) <= 80
