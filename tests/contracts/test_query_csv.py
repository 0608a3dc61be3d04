"""Responses as CSV: the same figures, nothing for what is unknown, and nothing that a spreadsheet program would run."""

import csv
import http.client
import io
import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from schemas.price import CostState
from services.query.http.csv import cell
from services.sql.measures import ADDED_UP
from services.stores.shipped_prices.book import ShippedPrices
from tests.servers.querying import LIST, Client, leaf

BLOCK_LINES = 12
REPORT = {"measures": ["requests"], "timeFilter": {"start": "2026-01-01T00:00:00Z"}}
UNKNOWN = {"cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL}


def fetched(client: Client, path: str, body: object, accept: str = "text/csv") -> tuple[int, str, str]:
    """Status, content type and text."""
    connection = http.client.HTTPConnection("127.0.0.1", client.service.port, timeout=30)
    headers = {"Authorization": f"Bearer {client.key}", "Content-Type": "application/json", "Accept": accept}
    connection.request("POST", path, json.dumps(body), headers)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, response.headers["Content-Type"], text


def lines_of(client: Client, path: str, body: object) -> list[dict[str, str]]:
    status, kind, text = fetched(client, path, body)
    assert (status, kind.startswith("text/csv; charset=utf-8")) == (201 if path == LIST else 200, True), text
    return list(csv.DictReader(io.StringIO(table_of(text), newline=""), strict=True))


def block_of(text: str) -> dict[str, str]:
    """What a file says of itself, by name."""
    lines = text.split("\r\n")[:BLOCK_LINES]
    assert all(line.startswith("# ") for line in lines)
    return dict(line.removeprefix("# ").split(": ", 1) for line in lines)


def table_of(text: str) -> str:
    """Without the block before it."""
    return text.split("\r\n", BLOCK_LINES)[BLOCK_LINES]


def test_a_page_is_the_same_in_csv_and_what_is_unknown_is_an_empty_cell(client: Client) -> None:
    exact = Decimal("123456.123456789012")
    client.keep(
        {"cost_usd": exact},
        {**UNKNOWN, "user_id": 'a,"b"\r\nc'},
        {"cost_usd": Decimal(0), "cost_state": CostState.FREE},
        bodies=('{"n": 1}', "plain, text"),
    )
    requested = {"filter": leaf(user_id={"not-equals": "nobody"}), "limit": 3, "includeInputs": True}
    lines, page = lines_of(client, LIST, requested), client.page(filter_json=requested["filter"], includeInputs=True)
    reported = [(line["cost_usd"], line["cost_state"]) for line in lines]
    assert reported == [("0", "free"), ("", "unknown_model"), (str(exact), "priced")]
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
    assert (status, table_of(text).count("\r\n"), "cost_usd,cost_state" in text) == (201, 1, True)


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
    requested = {
        "measures": ["cost_usd"],
        "by": [{"property": "Feature"}, {"column": "model"}, {"time": "day"}],
        "timeFilter": {"start": "2026-01-01"},
        "orderBy": {"measure": "cost_usd"},
        "limit": 2,
    }
    lines = lines_of(client, "/v1/report", requested)
    assert list(lines[0]) == [
        *("line", "properties.Feature", "model", "day"),
        *("cost_usd", "attempts", "unpriced_requests", "priced_request_share", "priced_token_share"),
        *("unpriced_requests_without_tokens", "requests"),
    ]
    first, second, rest, total = ([*line.values()] for line in lines)
    model, day = "gpt-4o-mini-2024-07-18", "2026-11-01T00:00:00+00:00"
    assert first == ["group", "chat", model, day, "0.1", "2", "1", "0.5", "0.5", "0", "2"]
    assert second == ["group", "", model, day, "0.000000000001", "1", "0", "1.0", "1.0", "0", "1"]
    assert rest == ["rest", "", "", "", "", "1", "1", "", "", "0", "1"]
    assert total == ["total", "", "", "", "0.100000000001", "4", "2", "0.5", "0.5", "0", "4"]
    nothing_known = lines_of(
        client, "/v1/report", requested | {"filter": {"properties": {"feature": {"equals": "search"}}}}
    )
    assert [line["cost_usd"] for line in nothing_known] == ["", ""]


def test_the_lines_of_a_report_that_was_cut_add_up_to_its_total(client: Client) -> None:
    costs = [None if number % 4 == 3 else Decimal(number).scaleb(-3) for number in range(20)]
    client.keep(*({"user_id": f"user-{number}", **_costing(cost)} for number, cost in enumerate(costs)))
    requested = {
        "measures": ["cost_usd", *sorted(ADDED_UP - {"cost_usd"}), "average_cost_usd", "active_users"],
        "by": [{"column": "user_id"}],
        "timeFilter": {"start": "2026-01-01"},
    }
    for limit in (1, 9, 14, 19, 20):
        *lines, total = lines_of(client, "/v1/report", requested | {"limit": limit})
        assert [line["line"] for line in lines] == ["group"] * limit + ["rest"] * (limit < 20)
        for name in ADDED_UP:
            assert sum(Decimal(line[name] or 0) for line in lines) == Decimal(total[name] or 0), name
        if limit < 20:
            assert (lines[-1]["average_cost_usd"], lines[-1]["active_users"]) == ("", "")
            # Of the last five no cost is known, which is no zero.
            assert (lines[-1]["cost_usd"] == "") == (limit >= 15)


def _costing(usd: Decimal | None) -> dict[str, Any]:
    return UNKNOWN if usd is None else {"cost_usd": usd}


def test_what_changed_is_lines_that_add_up_and_so_do_their_reasons(client: Client) -> None:
    for month, usd in ((10, "1.5"), (11, "4.000000000001")):
        at = datetime(2026, month, 5, tzinfo=UTC)
        client.keep(*({"user_id": user, "cost_usd": Decimal(usd), "request_created_at": at} for user in "abc"))
    client.keep({**UNKNOWN, "user_id": "a", "request_created_at": datetime(2026, 11, 6, tzinfo=UTC)})
    requested = {
        "timeFilter": {"start": "2026-11-01", "end": "2026-12-01"},
        "by": [{"column": "user_id"}, {"property": "Feature"}],
        "limit": 2,
    }
    lines = lines_of(client, "/v1/report/changes", requested)
    view = client.ask("/v1/report/changes", requested)[1]["data"]
    assert [line["line"] for line in lines] == ["group", "group", "rest", "total"]
    assert (lines[0]["user_id"], lines[0]["properties.Feature"], lines[0]["presence"]) == ("a", "chat", "both")
    reasons = [name for name in lines[0] if name in view["total"]["reasons"]]
    assert len(reasons) == 6
    for line, shown in zip(lines, [*view["rows"], view["rest"], view["total"]], strict=True):
        assert Decimal(line["difference_usd"]) == shown["difference_usd"]
        assert sum(Decimal(line[name]) for name in reasons) == shown["difference_usd"]
        assert (line["before.cost_usd"], line["after.cost_usd"]) == tuple(
            f"{shown[period]['cost_usd']:f}" for period in ("before", "after")
        )
    for name in ("difference_usd", "after.cost_usd", "before.requests", "after.unpriced_requests", *reasons):
        assert sum(Decimal(line[name]) for line in lines[:-1]) == Decimal(lines[-1][name])
    text = fetched(client, "/v1/report/changes", requested)[2]
    assert (block_of(text)["farebox"], block_of(text)["rows"]) == ("changes", "2 groups and the rest and the total")


def test_the_documentation_describes_csv(client: Client) -> None:
    paths = client.ask("/openapi.json")[1]["paths"]
    reported = {path for path in paths if "text/csv" in str(paths[path].get("post", {}).get("responses"))}
    assert reported == {
        *(LIST, "/v1/request/query", "/v1/value/query", "/v1/export"),
        *("/v1/report", "/v1/report/changes", "/v1/report/distribution", "/v1/report/anomalies"),
        *("/v1/savings/repeats", "/v1/savings/prompt-cache", "/v1/savings/what-if"),
    }


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


@pytest.mark.first_on_server
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


def test_a_file_says_of_which_period_it_is_at_which_prices_and_how_complete(client: Client) -> None:
    client.keep({"cost_usd": Decimal("0.1")}, {**UNKNOWN})
    requested = {
        "measures": ["cost_usd"],
        "timeFilter": {"start": "2025-12-31T23:00:00Z", "end": "2026-12-31T23:00:00Z"},
        "timeZone": "Europe/Berlin",
    }
    report = block_of(fetched(client, "/v1/report", requested)[2])
    assert report | {"complete_until": ""} == {
        "farebox": "report",
        "period": "2026-01-01T00:00:00+01:00 to 2027-01-01T00:00:00+01:00",
        "zone": "Europe/Berlin",
        "rows": "the total",
        "prices": ShippedPrices().release,
        "state": "complete",
        "complete_until": "",
        "events_waiting": "0",
        "dead_lettered_events": "0",
        "priced_request_share": "0.5",
        "priced_token_share": "0.5",
        "reason": "",
    }
    listed = block_of(fetched(client, LIST, {"filter": "all"})[2])
    assert list(listed) == list(report)
    assert (listed["farebox"], listed["priced_request_share"]) == ("requests", "0.5")


def test_a_file_of_requests_says_of_which_period_in_which_zone_and_which_page(client: Client) -> None:
    client.keep(*({"user_id": f"user-{number}"} for number in range(7)), bodies=("hello", "there"))
    of_november = leaf(request_created_at={"gte": "2026-11-01", "lt": "2026-12-01"})
    requested = {"filter": of_november, "timeZone": "Europe/Berlin", "limit": 3}

    def facts(**beside: object) -> tuple[str, ...]:
        block = block_of(fetched(client, LIST, requested | beside)[2])
        return block["period"], block["zone"], block["rows"]

    berlin = ("2026-11-01T00:00:00+01:00 to 2026-12-01T00:00:00+01:00", "Europe/Berlin")
    assert facts() == (*berlin, "1 to 3 of 7")
    assert facts(offset=6) == (*berlin, "7 to 7 of 7")
    assert facts(offset=7) == (*berlin, "none of 7")
    assert facts(filter="all", timeZone="UTC") == ("the first request to now", "UTC", "1 to 3 of 7")
    in_bodies = leaf(request_body={"contains": "hello"})
    assert facts(filter=in_bodies)[2] == "1 to 3 of more"
    groups = {"by": [{"column": "user_id"}], "limit": 2}
    assert block_of(fetched(client, "/v1/report", REPORT | groups)[2])["rows"] == "2 groups and the rest and the total"


@pytest.mark.parametrize("text", ["C# help", "#1", 'a "#" b'])
def test_a_number_sign_is_no_comment_for_who_skips_the_block_as_comments(client: Client, text: str) -> None:
    """What pandas reads with comment="#": it cuts lines at each that stands outside quotes, and says nothing."""
    client.keep({"user_id": text, "properties": {"c#": text}, "cost_usd": Decimal(3)})
    by = [{"property": "c#"}, {"column": "user_id"}]
    _, _, content = fetched(client, "/v1/report", REPORT | {"measures": ["cost_usd"], "by": by})
    outside = re.sub(r'"(?:[^"]|"")*"', "", table_of(content))
    assert "#" not in outside
    (line, _) = csv.DictReader(io.StringIO(table_of(content), newline=""), strict=True)
    assert (line["properties.c#"], line["user_id"], line["cost_usd"]) == (text, text, "3")


def test_no_line_of_the_block_needs_quotes(client: Client) -> None:
    for path, body in ((LIST, {"filter": "all"}), ("/v1/report", REPORT)):
        for line in fetched(client, path, body)[2].split("\r\n")[:BLOCK_LINES]:
            assert next(csv.reader([line])) == [line]
