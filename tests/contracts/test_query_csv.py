"""Answers as CSV: the same figures, nothing for what is unknown, and nothing that a spreadsheet program would run."""

import csv
import http.client
import io
import json
from decimal import Decimal
from typing import Any

import pytest

from schemas.price import CostState
from services.query.http.csv import cell
from services.sql.measures import ADDED_UP
from tests.querying import LIST, Client, leaf

UNKNOWN = {"cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL}


def fetched(client: Client, path: str, body: object, accept: str = "text/csv") -> tuple[int, str, str]:
    """Status, content type and text."""
    connection = http.client.HTTPConnection("127.0.0.1", client.service.port, timeout=30)
    headers = {"Authorization": f"Bearer {client.key}", "Content-Type": "application/json", "Accept": accept}
    connection.request("POST", path, json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, answer.headers["Content-Type"], text


def lines_of(client: Client, path: str, body: object) -> list[dict[str, str]]:
    status, kind, text = fetched(client, path, body)
    assert (status, kind.startswith("text/csv; charset=utf-8")) == (201 if path == LIST else 200, True), text
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_a_page_is_the_same_in_csv_and_what_is_unknown_is_an_empty_cell(client: Client) -> None:
    exact = Decimal("123456.123456789012")
    client.keep(
        {"cost_usd": exact},
        {**UNKNOWN, "user_id": 'a,"b"\r\nc'},
        {"cost_usd": Decimal(0), "cost_state": CostState.FREE},
        bodies=('{"n": 1}', "plain, text"),
    )
    asked = {"filter": leaf(user_id={"not-equals": "nobody"}), "limit": 3, "includeInputs": True}
    lines, page = lines_of(client, LIST, asked), client.page(filter_json=asked["filter"], includeInputs=True)
    told = [(line["cost_usd"], line["cost_state"]) for line in lines]
    assert told == [("0", "free"), ("", "unknown_model"), (str(exact), "priced")]
    left_out = ("cost", "costUSD", "request_properties", "signed_body_url")
    names = [name for name in page[0] if name not in left_out]
    assert list(lines[0]) == ["request_id", *(name for name in names if name != "request_id")]
    assert [line["request_id"] for line in lines] == [row["request_id"] for row in page]
    assert lines[1]["request_user_id"] == 'a,"b"\r\nc'
    assert json.loads(lines[0]["properties"]) == page[0]["properties"]
    assert (lines[0]["request_body"], lines[0]["response_body"]) == ('{"n": 1}', "plain, text")
    assert (lines[0]["time_to_first_token"], lines[0]["is_stream"]) == ("", "false")


def test_an_empty_page_has_its_head(client: Client) -> None:
    status, _, text = fetched(client, LIST, {"filter": "all"})
    assert (status, text.count("\r\n"), "cost_usd,cost_state" in text) == (201, 1, True)


def test_csv_comes_only_to_those_who_ask_for_it_and_refusals_stay_json(client: Client) -> None:
    for accept in ("*/*", "application/json", "text/csvx", ""):
        assert fetched(client, LIST, {"filter": "all"}, accept)[1] == "application/json", accept
    for accept in ("text/csv", "TEXT/CSV; q=0.9", "text/html, text/csv"):
        assert fetched(client, LIST, {"filter": "all"}, accept)[1].startswith("text/csv"), accept
    status, kind, text = fetched(client, LIST, {"filter": leaf(colour={"equals": 1})})
    assert (status, kind, "colour" in text) == (422, "application/json", True)


def test_a_report_in_csv_has_its_groups_its_coverage_and_its_total(client: Client) -> None:
    client.keep(
        {"properties": {"feature": "chat"}, "cost_usd": Decimal("0.1")},
        {"properties": {"feature": "chat"}, **UNKNOWN},
        {"properties": {"feature": "search"}, **UNKNOWN},
        {"properties": {}, "cost_usd": Decimal("0.000000000001")},
    )
    asked = {
        "measures": ["cost_usd"],
        "by": [{"property": "Feature"}, {"column": "model"}, {"time": "day"}],
        "timeFilter": {"start": "2026-01-01"},
        "orderBy": {"measure": "cost_usd"},
        "limit": 2,
    }
    lines = lines_of(client, "/v1/report", asked)
    assert list(lines[0]) == [
        *("line", "properties.Feature", "model", "day"),
        *("cost_usd", "requests", "unpriced_requests", "priced_request_share", "priced_token_share"),
        "unpriced_requests_without_tokens",
    ]
    first, second, rest, total = ([*line.values()] for line in lines)
    model, day = "gpt-4o-mini-2024-07-18", "2026-11-01T00:00:00+00:00"
    assert first == ["group", "chat", model, day, "0.1", "2", "1", "0.5", "0.5", "0"]
    assert second == ["group", "", model, day, "0.000000000001", "1", "0", "1.0", "1.0", "0"]
    assert rest == ["rest", "", "", "", "", "1", "1", "", "", "0"]
    assert total == ["total", "", "", "", "0.100000000001", "4", "2", "0.5", "0.5", "0"]
    nothing_known = lines_of(
        client, "/v1/report", asked | {"filter": {"properties": {"feature": {"equals": "search"}}}}
    )
    assert [line["cost_usd"] for line in nothing_known] == ["", ""]


def test_the_lines_of_a_report_that_was_cut_add_up_to_its_total(client: Client) -> None:
    costs = [None if number % 4 == 3 else Decimal(number).scaleb(-3) for number in range(20)]
    client.keep(*({"user_id": f"user-{number}", **_costing(cost)} for number, cost in enumerate(costs)))
    asked = {
        "measures": ["cost_usd", *sorted(ADDED_UP - {"cost_usd"}), "average_cost_usd", "active_users"],
        "by": [{"column": "user_id"}],
        "timeFilter": {"start": "2026-01-01"},
    }
    for limit in (1, 9, 14, 19, 20):
        *lines, total = lines_of(client, "/v1/report", asked | {"limit": limit})
        assert [line["line"] for line in lines] == ["group"] * limit + ["rest"] * (limit < 20)
        for name in ADDED_UP:
            assert sum(Decimal(line[name] or 0) for line in lines) == Decimal(total[name]), name
        if limit < 20:
            assert (lines[-1]["average_cost_usd"], lines[-1]["active_users"]) == ("", "")
            # Of the last five no cost is known, which is no zero.
            assert (lines[-1]["cost_usd"] == "") == (limit >= 15)


def _costing(usd: Decimal | None) -> dict[str, Any]:
    return UNKNOWN if usd is None else {"cost_usd": usd}


def test_the_documentation_tells_of_csv(client: Client) -> None:
    paths = client.ask("/openapi.json")[1]["paths"]
    told = {path for path in paths if "text/csv" in str(paths[path].get("post", {}).get("responses"))}
    assert told == {LIST, "/v1/request/query", "/v1/report"}


FORMULAS = [
    "=1+1",
    "+SUM(A1)",
    "-2+3",
    "@SUM",
    "\t=1",
    "\r=1",
    " =cmd|'/c calc'!A0",
    "\n=1",
    "＝1+1",
    "\xa0=1",
    "\x00=1",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_that_would_be_run_is_marked_as_text(client: Client, text: str) -> None:
    client.keep({"user_id": text, "properties": {"feature": text}}, bodies=(text, text))
    (line,) = lines_of(client, LIST, {"filter": "all", "includeInputs": True})
    assert line["request_user_id"] == line["request_body"] == f"'{text}"
    of_group, _ = lines_of(
        client,
        "/v1/report",
        {"measures": ["requests"], "by": [{"property": "Feature"}], "timeFilter": {"start": "2026-01-01"}},
    )
    assert of_group["properties.Feature"] == f"'{text}"
    assert not any(one.lstrip().startswith(("=", "+", "@")) for one in (*line.values(), *of_group.values()))


@pytest.mark.parametrize("value", ["-2", "-0.5", "3e-05", "text", "a=b", "", "'", '{"a": "=1"}'])
def test_numbers_and_other_texts_stand_as_they_are(value: str) -> None:
    assert cell(value) == value
