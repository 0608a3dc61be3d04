"""A page says how many rows there are beside its own, so that nobody takes a page for all."""

import contextlib
import http.client
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import Busy, StoreUnavailable, Unavailable
from schemas.price import CostState
from schemas.statement import Statement
from tests.servers.querying import LIST, Client, leaf

ROWS = 25


@pytest.fixture
def filled(client: Client) -> Client:
    """Some rows, three of which were written again, and one of another model."""
    ids = client.keep(*({"user_id": f"user-{number}"} for number in range(ROWS - 1)), {"model": "other"})
    client.keep({}, {}, {})
    client.keep(*({"request_id": request_id, "version": 10**19} for request_id in ids[:3]))
    return client


def envelope(client: Client, **body: object) -> dict[str, Any]:
    status, response = client.ask(LIST, {"filter": "all"} | body)
    assert status == 201, response
    assert set(response) == {"data", "error", "seal", "warnings", "total_rows", "has_more", "next_cursor"}
    response["data"] = len(response["data"])
    return {name: response[name] for name in ("data", "total_rows", "has_more")}


def page(rows: int, total: int | None, has_more: bool) -> dict[str, object]:
    return {"data": rows, "total_rows": total, "has_more": has_more}


@pytest.mark.parametrize("sort", [{}, {"created_at": "asc"}, {"cost": "desc"}, {"random": True}])
def test_a_page_says_how_many_rows_there_are_and_whether_more_follow(filled: Client, sort: object) -> None:
    total = ROWS + 3
    for limit, offset, expected in (
        (10, 0, page(10, total, True)),
        (10, 20, page(8, total, False)),
        (total - 1, 0, page(total - 1, total, True)),
        (total, 0, page(total, total, False)),
        (1000, 0, page(total, total, False)),
        (10, total, page(0, total, False)),
        (10, 500, page(0, total, False)),
        (0, 0, page(0, total, True)),
    ):
        assert envelope(filled, sort=sort, limit=limit, offset=offset) == expected, (limit, offset)


def test_a_page_of_nothing_is_a_page_of_none(client: Client) -> None:
    assert envelope(client, limit=10) == envelope(client, limit=0) == page(0, 0, False)


def test_what_a_filter_leaves_out_is_not_counted(filled: Client) -> None:
    assert envelope(filled, filter=leaf(model={"equals": "other"}), limit=10) == page(1, 1, False)
    assert envelope(filled, filter=leaf(user_id={"like": "user-1%"}), limit=10)["total_rows"] == 17
    (one, *_) = filled.ids(limit=1)
    assert envelope(filled, filter=leaf(request_id={"equals": one}), limit=1) == page(1, 1, False)
    assert envelope(filled, filter=leaf(request_id={"equals": one}), limit=0) == page(0, 1, True)


def test_what_is_later_than_now_is_neither_shown_nor_counted(filled: Client) -> None:
    now = filled.service.clock.now()
    later = now + timedelta(minutes=6)
    filled.keep({"request_created_at": later}, {"request_created_at": later, "model": "other"})
    assert envelope(filled, limit=10) == page(10, ROWS + 3, True)
    assert envelope(filled, filter=leaf(model={"equals": "other"}), limit=0) == page(0, 1, True)


def test_bodies_are_searched_once_and_counted_where_that_costs_nothing(client: Client) -> None:
    client.keep({}, {}, {}, bodies=("hello", "there"))
    hello = leaf(request_body={"contains": "hello"})
    assert envelope(client, filter=hello, limit=3) == page(3, 3, False)
    assert envelope(client, filter=hello, limit=2) == page(2, None, True)


@pytest.mark.parametrize("error", [Busy("later"), StoreUnavailable("it takes too long")])
def test_a_page_is_worth_more_than_its_count(
    filled: Client, monkeypatch: pytest.MonkeyPatch, error: Unavailable
) -> None:
    query = filled.service.warehouse.query

    async def unable_to_count(statement: Statement) -> list[dict[str, Any]]:
        if " AS total_rows" in statement.sql:
            raise error
        return await query(statement)

    monkeypatch.setattr(filled.service.warehouse, "query", unable_to_count)
    assert envelope(filled, limit=2) == page(2, None, True)


def test_the_sum_over_all_pages_is_the_total(filled: Client) -> None:
    def pages() -> Iterator[dict[str, Any]]:
        offset, has_more = 0, True
        while has_more:
            _, response = filled.ask(
                LIST, {"filter": "all", "limit": 7, "offset": offset, "sort": {"created_at": "asc"}}
            )
            yield from response["data"]
            offset, has_more = offset + len(response["data"]), response["has_more"]

    rows = list(pages())
    total = filled.report(measures=["cost_usd"])["total"]
    assert (len(rows), sum(row["cost_usd"] for row in rows)) == (total["requests"], total["cost_usd"])


def test_the_documented_snippet_sums_all_pages(client: Client) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node to run JavaScript with")
    document = (Path(__file__).parents[2] / "services/query/README.md").read_text()
    (snippet,) = re.findall(r"```js\n(.*?)```", document, re.DOTALL)
    premium = {"properties": {"usertier": "premium"}, "property_spellings": ["UserTier"]}
    client.keep(*(premium | {"cost_usd": Decimal(number) / 100} for number in range(2300)), {"properties": {}})
    client.keep(premium | {"cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL})
    printed = subprocess.run(
        [node, "--input-type=module", "-e", snippet.replace(":8788", f":{client.service.port}")],
        env={"HELICONE_API_KEY": client.key},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    total = client.report(measures=["cost_usd"], filter={"properties": {"UserTier": {"equals": "premium"}}})["total"]
    assert (total["cost_usd"], total["requests"]) == (Decimal("26438.5"), 2301)
    assert printed.stdout.strip() == f"Premium user costs: ${total['cost_usd']:.2f} in {total['requests']} requests"


def test_csv_has_both_figures_in_headers(filled: Client) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", filled.service.port, timeout=30)) as connection:
        headers = {"Authorization": f"Bearer {filled.key}", "Content-Type": "application/json", "Accept": "text/csv"}
        connection.request("POST", LIST, json.dumps({"filter": "all", "limit": 5}), headers)
        response = connection.getresponse()
        response.read()
    assert (response.headers["Farebox-Total-Rows"], response.headers["Farebox-Has-More"]) == (str(ROWS + 3), "true")
