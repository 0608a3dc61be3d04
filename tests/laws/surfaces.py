"""The sum of all requests by surfaces that are more than one endpoint of Helicone's: pages, files, the command line."""

import io
import json
import urllib.request
from decimal import Decimal
from typing import Any

from pyarrow import parquet
from typer.testing import CliRunner

from services.cli.app import app
from tests.servers.querying import LIST, Client
from tests.support.exporting import csv_rows, exported, json_rows

Sum = tuple[Decimal, int]  # of known costs, and how many requests there are

RANGE = {"start": "2026-10-01T00:00:00Z", "end": "2026-12-01T00:00:00Z"}
PARQUET = "application/vnd.apache.parquet"
# What all requests might have been instead: it has a price for text, and so compares each one whose cost is known.
OTHER_MODEL = {"alternatives": [{"provider": "OPENAI", "model": "gpt-4o-mini"}]}

NIL = "00000000-0000-0000-0000-000000000000"


def added(rows: list[dict[str, Any]], cost: str, requests: str = "") -> Sum:
    """Each row is one request, or an attempt at one, where none of its fields says how many it is about."""
    return (
        sum((Decimal(row[cost] or 0) for row in rows), Decimal(0)),
        sum(int(row[requests]) for row in rows)
        if requests
        else sum(row.get("attempt_of") in (None, "", NIL) for row in rows),
    )


def responded(client: Client, path: str, body: object) -> Any:
    status, response = client.ask(path, body)
    assert status in (200, 201), (path, response)
    return response["data"]


def paged(client: Client, filter_json: object) -> Sum:
    """By cursors, two requests a page."""
    rows: list[dict[str, Any]] = []
    cursor: str | None = None
    while cursor is not None or not rows:
        status, page = client.ask(LIST, {"filter": filter_json, "limit": 2, "cursor": cursor})
        assert status == 201, page
        rows += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    return added([row for row in rows if RANGE["start"] <= row["request_created_at"] < RANGE["end"]], "cost")


def in_exports(client: Client, filter_json: object) -> dict[str, Sum]:
    body = {"filter": filter_json, "timeFilter": RANGE, "columns": ["request_id", "cost_usd", "attempt_of"]}
    file = io.BytesIO(exported(client, format="parquet", **body))
    return {
        "CSV export": added(csv_rows(exported(client, format="csv", **body)), "cost_usd"),
        "JSON lines export": added(json_rows(exported(client, format="jsonl", **body)), "cost_usd"),
        "Parquet export": added(parquet.read_table(file).to_pylist(), "cost_usd"),
    }


def billed(client: Client, filter_json: object) -> Decimal:
    """In FOCUS, where what has no known cost has no row."""
    return added(csv_rows(exported(client, format="focus", filter=filter_json, timeFilter=RANGE)), "BilledCost")[0]


def in_report_files(client: Client, filter_json: object) -> dict[str, Sum]:
    """Groups, rest and total."""
    body = {
        "measures": ["cost_usd", "requests"],
        "by": [{"property": "Feature"}, {"column": "user_id"}],
        "limit": 2,
        "filter": filter_json,
        "timeFilter": RANGE,
    }
    json_lines = [
        json.loads(line, parse_float=Decimal) for line in _file(client, body, "application/x-ndjson").splitlines()
    ]
    rows = parquet.read_table(io.BytesIO(_file(client, body, PARQUET))).to_pylist()
    return {
        f"{part} of a report in {name}": added(
            [line for line in lines if line["line"] in kinds], "cost_usd", "requests"
        )
        for name, lines in (("JSON lines", json_lines), ("Parquet", rows))
        for part, kinds in (("groups", ("group", "rest")), ("total", ("total",)))
    }


def _file(client: Client, body: object, accept: str) -> bytes:
    request = urllib.request.Request(
        f"http://127.0.0.1:{client.service.port}/v1/report",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {client.key}", "Content-Type": "application/json", "Accept": accept},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        content: bytes = response.read()
    return content


def in_analyses(client: Client, filter_json: object) -> dict[str, Sum]:
    """The sum of all requests, beside what these endpoints are for."""
    body = {"filter": filter_json, "timeFilter": RANGE}
    spread = responded(client, "/v1/report/distribution", {**body, "of": "request", "bars": 3})
    bars = added(spread["bars"], "cost_usd")[0] + spread["outlier_cost_usd"]
    (other,) = responded(client, "/v1/savings/what-if", body | OTHER_MODEL)["total"]
    changed = responded(client, "/v1/report/changes", {**body, "compare": {"start": "2020-01-01", "end": "2020-01-02"}})
    after = changed["total"]["after"]
    return {
        "distribution": (Decimal(spread["total_usd"] or 0), spread["count"]),
        "bars and outliers": (bars, spread["count"]),
        "what if": (Decimal(other["cost_usd"]), other["requests"] + other["other_requests"]),
        "what changed": (Decimal(after["cost_usd"] or 0), after["requests"]),
    }


def in_repeats(client: Client, filter_json: object) -> Decimal:
    """Of all requests of the period, repeated or not."""
    found = responded(client, "/v1/savings/repeats", {"filter": filter_json, "timeFilter": RANGE})
    return Decimal(found["period_cost_usd"] or 0)


def beside_value(client: Client, by: list[dict[str, str]]) -> Sum:
    """What groups earned less their margin. It is known of no group whose requests all have an unknown cost."""
    measures = ["value_usd", "margin_usd", "requests", "cost_usd"]
    report = client.report(measures=measures, by=by, timeFilter=RANGE)
    figures = [row["measures"] for row in report["rows"]] if by else [report["total"]]
    for one in figures:
        assert one["margin_usd"] is None or one["value_usd"] - one["margin_usd"] == (one["cost_usd"] or 0)
    return added(figures, "cost_usd", "requests")


def typed(client: Client, *arguments: str) -> bytes:
    """What the command line prints."""
    environ = {"FAREBOX_URL": f"http://127.0.0.1:{client.service.port}", "FAREBOX_KEY": client.key, "COLUMNS": "120"}
    printed = CliRunner().invoke(app, arguments, env=environ)
    assert printed.exit_code == 0, printed.stderr
    return printed.stdout_bytes


def on_the_command_line(client: Client) -> dict[str, Sum]:
    report = ("report", "--start", RANGE["start"], "--end", RANGE["end"], "--by", "Feature")
    lines = csv_rows(typed(client, *report, "--measures", "cost_usd,requests", "--csv"))
    total = json.loads(typed(client, *report, "--measures", "cost_usd,requests", "--json"), parse_float=Decimal)[
        "total"
    ]
    rows = json_rows(typed(client, "export", "--from", RANGE["start"], "--to", RANGE["end"], "--format", "jsonl"))
    return {
        "farebox report": added([line for line in lines if line["line"] == "group"], "cost_usd", "requests"),
        "total of farebox report": added([total], "cost_usd", "requests"),
        "farebox export": added(rows, "cost_usd"),
    }


def scored(client: Client, name: str) -> int:
    """How many requests have a score of this name."""
    daily = {"timeFilter": RANGE, "userFilter": "all", "dbIncrement": "day", "timeZoneDifference": 0}
    rows = responded(client, "/v1/dashboard/scores/query", daily)
    return sum(row["scored_requests"] for row in rows if row["score_key"] == name)
