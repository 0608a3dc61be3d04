"""Exports on both shapes of the warehouse: the same rows in every format, whatever breaks off in between."""

import asyncio
import contextlib
import gzip
import http.client
import io
import json
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pyarrow import parquet

from schemas.errors import Busy, StoreUnavailable
from schemas.price import CostState
from schemas.record import RequestRecord
from schemas.statement import Statement
from services.query.exports import batches, endpoint, pages
from services.query.exports.slots import MAX_OF_ONE, ExportSlots
from services.retry import RetryPolicy
from services.zstd import zstd
from tests.builders.records import TIMESTAMP, a_record
from tests.servers.querying import Client, leaf
from tests.servers.warehouses import ledger, many
from tests.support.exporting import (
    csv_checkpoints,
    csv_rows,
    exported,
    json_checkpoints,
    json_rows,
    opened,
    until_last_checkpoint,
)

UNKNOWN: dict[str, Any] = {"cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL}


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "PAGE_ROWS", 50)


@pytest.fixture
def filled(client: Client, monkeypatch: pytest.MonkeyPatch) -> list[RequestRecord]:
    """Rows over some months, a fifth of which were stored in two versions, and a tenth twice. Pages are small."""
    monkeypatch.setattr(endpoint, "PAGE_ROWS", 50)
    latest = many(client.organization_id, 200)
    older = [_before(row) for row in latest[:40]]
    client.insert(latest, [])
    client.insert([*older, *latest[:20]], [])
    return sorted(latest, key=lambda row: (row.request_created_at, row.request_id))


def _before(row: RequestRecord) -> RequestRecord:
    values = {name: getattr(row, name) for name in row.__struct_fields__}
    return a_record(**(values | {"version": row.version - 1, "cost_usd": Decimal(999)}))


def parquet_rows(content: bytes) -> list[dict[str, Any]]:
    return parquet.read_table(io.BytesIO(content)).to_pylist()  # type: ignore[no-any-return]


def test_all_formats_have_the_rows_of_the_list_and_the_sum_of_the_report(
    client: Client, filled: list[RequestRecord]
) -> None:
    total = client.report(measures=["cost_usd", "requests"], timeFilter={"start": "2026-01-01"})["total"]
    assert (total["requests"], total["cost_usd"]) == ledger(filled)
    as_json = json_rows(exported(client, format="jsonl"))
    as_csv = csv_rows(exported(client, format="csv"))
    as_parquet = parquet_rows(exported(client, format="parquet"))
    listed = {row["request_id"]: row for row in client.page(limit=1000)}
    assert {row["request_id"] for row in as_json} == set(listed)
    for row in as_json:
        shown = listed[row["request_id"]]
        # Of the other models there are names here, and what each of them cost there.
        compared = (row.keys() & shown.keys()) - {"other_models"}
        assert {name: row[name] for name in compared} == {name: shown[name] for name in compared}
    for rows in (as_json, as_csv, as_parquet):
        assert len(rows) == total["requests"]
        assert sum(Decimal(row["cost_usd"] or 0) for row in rows) == total["cost_usd"]
        assert [list(row) for row in rows] == [list(as_json[0])] * len(rows)
    assert [row["request_id"] for row in as_csv] == [row["request_id"] for row in as_json]
    for row, other in zip(as_json, as_parquet, strict=True):
        of_parquet = {name: _as_json(value) for name, value in other.items()}
        of_json = {
            name: Decimal(value) if name.endswith("_usd") and value is not None else value
            for name, value in row.items()
        }
        assert of_parquet == of_json


def _as_json(value: object) -> object:
    if isinstance(value, list):
        return dict(value)
    if isinstance(value, datetime):
        assert value.utcoffset() == timedelta(0)
        return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"
    return value


def test_parquet_has_exact_types_and_says_what_it_is(client: Client) -> None:
    client.keep({"cost_usd": Decimal("123456.123456789012")}, UNKNOWN)
    file = parquet.ParquetFile(io.BytesIO(exported(client, format="parquet", timeFilter={"start": "2026-11-01"})))
    types = {field.name: str(field.type) for field in file.schema_arrow}
    assert types["cost_usd"] == "decimal128(38, 12)"
    assert types["request_created_at"] == "timestamp[ms, tz=UTC]"
    assert (types["prompt_tokens"], types["is_stream"]) == ("int64", "bool")
    assert types["properties"].startswith("map<string, string")
    facts = json.loads(file.metadata.metadata[b"farebox"])
    assert facts["period"] == "2026-11-01T00:00:00+00:00 to 2026-11-02T12:00:01+00:00"
    assert (facts["state"], facts["priced_request_share"]) == ("complete", 0.5)
    assert json.loads(file.metadata.metadata[b"farebox.checkpoint"]) == {"rows": 2, "cursor": None, "state": "end"}
    assert [row["cost_usd"] for row in file.read().to_pylist()] == [Decimal("123456.123456789012"), None]


@pytest.mark.parametrize("format_", ["csv", "jsonl", "parquet"])
def test_an_export_of_nothing_is_a_whole_file(client: Client, format_: str) -> None:
    content = exported(client, format=format_, checkpoints=True)
    if format_ == "parquet":
        assert parquet_rows(content) == []
        return
    read, checkpoints = (json_rows, json_checkpoints) if format_ == "jsonl" else (csv_rows, csv_checkpoints)
    assert list(read(content)) == []
    assert checkpoints(content) == [{"rows": 0, "cursor": None, "state": "end"}]


def test_columns_filter_and_period_choose_what_is_in_it(client: Client) -> None:
    ids = client.keep({"model": "a"}, {"model": "b"}, {"model": "a"}, {"model": "a"})
    asked: dict[str, Any] = {
        "filter": leaf(model={"equals": "a"}),
        "timeFilter": {"start": "2026-11-01T13:00:00.124", "end": "2026-11-01T13:00:03.123"},
        "timeZone": "Europe/Berlin",
        "columns": ["properties.FEATURE", "request_id", "properties"],
    }
    rows = json_rows(exported(client, format="jsonl", **asked))
    assert rows == [
        {
            "properties.FEATURE": "chat",
            "request_id": ids[2],
            "properties": {"Feature": "chat", "UserTier": "premium"},
        }
    ]
    (line,) = csv_rows(exported(client, format="csv", **asked))
    assert json.loads(line["properties"]) == rows[0]["properties"]


@pytest.mark.parametrize("format_", ["csv", "jsonl"])
def test_an_export_that_broke_off_goes_on_without_a_gap_or_a_doubled_row(
    client: Client, filled: list[RequestRecord], format_: str
) -> None:
    """The connection is cut off at every place in turn, while rows come in and others are stored again."""
    read, checkpoints = (json_rows, json_checkpoints) if format_ == "jsonl" else (csv_rows, csv_checkpoints)
    body: dict[str, Any] = {"format": format_, "checkpoints": True}
    whole, kept, cuts = exported(client, **body), b"", 0
    step = len(whole) // 3
    state = "more"
    while state != "end":
        with opened(client, body) as response:
            part = response.read(step) if cuts < 8 else response.read()
        cuts += 1
        part = until_last_checkpoint(part)
        kept += part
        if found := checkpoints(part):
            body["cursor"], state = found[-1]["cursor"], found[-1]["state"]
        late = a_record(
            organization_id=client.organization_id,
            request_id=str(uuid.uuid4()),
            request_created_at=TIMESTAMP - timedelta(days=45, hours=cuts),
        )
        client.insert([late, *filled[::20], *map(_before, filled[::30])], [])
        step += len(whole) // 10
    ids = [row["request_id"] for row in read(kept)]
    assert cuts > 2
    assert len(set(ids)) == len(ids)
    assert {row.request_id for row in filled} <= set(ids)
    costs = {row.request_id: row.cost_usd for row in filled}
    mine = [row for row in read(kept) if row["request_id"] in costs]
    assert sum(Decimal(row["cost_usd"] or 0) for row in mine) == ledger(filled)[1]
    assert checkpoints(kept)[-1] == {"rows": len(ids), "cursor": None, "state": "end"}


@pytest.mark.usefixtures("filled")
def test_an_export_in_parts_is_the_same_as_in_one(client: Client) -> None:
    for format_ in ("jsonl", "parquet"):
        cursor: str | None = None
        ids: list[str] = []
        sizes: list[int] = []
        while cursor is not None or not sizes:
            content = exported(client, format=format_, limit=70, cursor=cursor, checkpoints=True)
            if format_ == "parquet":
                file = parquet.ParquetFile(io.BytesIO(content))
                rows, checkpoint = parquet_rows(content), json.loads(file.metadata.metadata[b"farebox.checkpoint"])
            else:
                rows, checkpoint = json_rows(content), json_checkpoints(content)[-1]
            ids += [row["request_id"] for row in rows]
            sizes.append(len(rows))
            cursor = checkpoint["cursor"]
            assert (checkpoint["state"] == "end") == (cursor is None)
            assert checkpoint["rows"] == len(ids)
        assert ids == [row["request_id"] for row in json_rows(exported(client, format="jsonl"))]
        assert sizes == [70, 70, 60]


@pytest.mark.usefixtures("small_pages")
def test_its_end_is_fixed_at_the_start(client: Client) -> None:
    client.keep(*({} for _ in range(60)))
    first = exported(client, format="jsonl", limit=10, checkpoints=True, timeFilter={"since": "7d"})
    client.service.clock.advance(seconds=3600)
    client.keep({"request_created_at": client.service.clock.now() - timedelta(minutes=1)})
    cursor = json_checkpoints(first)[-1]["cursor"]
    rest = exported(client, format="jsonl", checkpoints=True, timeFilter={"since": "7d"}, cursor=cursor)
    assert len(json_rows(first)) + len(json_rows(rest)) == 60


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = RetryPolicy(first_delay_s=0.01, last_delay_s=0.01, max_attempts=3)
    monkeypatch.setattr(pages, "_PATIENCE", policy)


def failing_after(client: Client, monkeypatch: pytest.MonkeyPatch, good: int, bad: int) -> Iterator[int]:
    """The warehouse responds to so many queries for pages, and to so many more it does not."""
    query, asked = client.service.warehouse.query, []

    async def sometimes(statement: Statement) -> list[dict[str, Any]]:
        if "target_url" in statement.sql:  # which pages of requests show
            asked.append(statement)
            if good < len(asked) <= good + bad:
                raise StoreUnavailable("clickhouse.internal is unreachable")
        return await query(statement)

    monkeypatch.setattr(client.service.warehouse, "query", sometimes)
    while True:
        yield len(asked)


@pytest.mark.usefixtures("impatient")
def test_an_error_on_the_way_cuts_the_response_off_and_shows_no_end(
    client: Client, filled: list[RequestRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    next(failing_after(client, monkeypatch, good=2, bad=3))
    with (
        opened(client, {"format": "jsonl", "checkpoints": True}) as response,
        pytest.raises(http.client.IncompleteRead) as cut,
    ):
        response.read()
    assert response.status == 200
    part = until_last_checkpoint(cut.value.partial)
    (checkpoint,) = json_checkpoints(part)[-1:]
    assert checkpoint["state"] == "more"
    rest = exported(client, format="jsonl", checkpoints=True, cursor=checkpoint["cursor"])
    ids = [row["request_id"] for row in json_rows(part + rest)]
    assert sorted(ids) == sorted(row.request_id for row in filled)


@pytest.mark.usefixtures("impatient")
def test_a_warehouse_that_is_busy_for_a_moment_is_waited_for(
    client: Client, filled: list[RequestRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = failing_after(client, monkeypatch, good=1, bad=2)
    assert next(asked) == 0
    assert len(json_rows(exported(client, format="jsonl"))) == len(filled)
    assert next(asked) == 7


def test_an_export_ends_when_its_client_disconnects(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "PAGE_ROWS", 500)
    client.insert(many(client.organization_id, 10_000), [])
    asked = failing_after(client, monkeypatch, good=1000, bad=0)
    assert next(asked) == 0
    with opened(client, {"format": "jsonl"}, buffer_bytes=16 * 1024) as response:
        response.read(100_000)
    deadline = time.monotonic() + 30
    before, now = -1, next(asked)
    while before != now and time.monotonic() < deadline:
        time.sleep(2)
        before, now = now, next(asked)
    assert now < 20
    for _ in range(MAX_OF_ONE + 1):
        assert len(json_rows(exported(client, format="jsonl", limit=1))) == 1


def test_bodies_are_exported_where_they_are_named(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON in one line as JSON, all else as text; in parts of so many bytes, between which an export goes on."""
    monkeypatch.setattr(batches, "MAX_BODIES_BYTES", 190)
    prompt = '{"model": "a",\n  "messages": [{"content": "line\\nend, \\"quoted\\""}]}'
    sizes = {"request_bytes": 6, "response_bytes": 4}  # compressed on the wire, which is not what a part may have
    stream = 'data: {"choices":[]}\n\n'
    ids = client.keep(*(sizes for _ in range(5)), bodies=(prompt, "=not JSON"))
    ids += client.keep({"request_created_at": TIMESTAMP + timedelta(minutes=1)}, bodies=("", stream))
    ids += client.keep({"request_created_at": TIMESTAMP + timedelta(minutes=2)})
    columns = ["request_id", "request_body", "response_body", "request_bytes"]
    rows = json_rows(exported(client, format="jsonl", columns=columns))
    assert [row["request_id"] for row in rows] == ids
    assert [row["request_body"] for row in rows] == [json.loads(prompt)] * 5 + [None, None]
    assert [row["response_body"] for row in rows] == ["=not JSON"] * 5 + [stream, None]
    assert rows[0]["request_bytes"] == 6
    of_csv = csv_rows(exported(client, format="csv", columns=columns))
    assert json.loads(of_csv[0]["request_body"]) == json.loads(prompt)
    assert of_csv[0]["response_body"] == "'=not JSON"
    of_parquet = parquet_rows(exported(client, format="parquet", columns=columns))
    assert [row["response_body"] for row in of_parquet] == [row["response_body"] for row in rows]
    assert json.loads(of_parquet[4]["request_body"]) == json.loads(prompt)
    cut = exported(client, format="jsonl", columns=columns, checkpoints=True)
    first = json_checkpoints(cut)[0]
    assert first["rows"] == 2
    behind = exported(client, format="jsonl", columns=columns, checkpoints=True, cursor=first["cursor"])
    assert json_rows(behind) == rows[2:]
    assert "request_body" not in json_rows(exported(client, format="jsonl"))[0]


def test_an_organization_has_so_many_exports_at_once_and_others_have_theirs() -> None:
    slots = ExportSlots()
    with slots.slot("org-1"), slots.slot("org-1"):
        with pytest.raises(Busy, match="2 exports of this organization are running"), slots.slot("org-1"):
            pass
        with contextlib.ExitStack() as others:
            for name in ("org-2", "org-3", "org-4"):
                for _ in range(MAX_OF_ONE):
                    others.enter_context(slots.slot(name))
            with pytest.raises(Busy, match="too many exports"), slots.slot("org-5"):
                pass
    with slots.slot("org-1"):
        pass


@pytest.mark.usefixtures("filled")
def test_what_is_sent_is_compressed_as_the_client_accepts(client: Client) -> None:
    plain = exported(client, format="csv")
    decoders: dict[str, Any] = {"gzip": gzip.decompress, "zstd": zstd.decompress}
    for accepted, expected in (
        *(("gzip", "gzip"), ("gzip, deflate, br, zstd", "zstd"), ("zstd;q=0, GZIP;q=0.5", "gzip")),
        *(("identity", None), ("gzip;q=0", None), ("", None)),
    ):
        with opened(client, {"format": "csv"}, headers={"Accept-Encoding": accepted}) as response:
            content = response.read()
        assert response.headers["Content-Encoding"] == expected, accepted
        assert (content if expected is None else decoders[expected](content)) == plain
    with opened(client, {"format": "parquet"}, headers={"Accept-Encoding": "gzip"}) as response:
        assert response.headers["Content-Encoding"] is None
        assert parquet_rows(response.read())


def test_its_headers_say_what_was_known_at_the_start(client: Client) -> None:
    client.keep({}, UNKNOWN, {})
    with opened(client, {"format": "csv", "filter": leaf(model={"not-equals": "gpt-4p"})}) as response:
        response.read()
    assert (response.headers["Farebox-Total-Rows"], response.headers["Farebox-Unpriced-Requests"]) == ("3", "1")
    assert json.loads(response.headers["Farebox-Seal"])["state"] == "complete"
    assert (
        json.loads(response.headers["Farebox-Warnings"])
        == ["no request has the value 'gpt-4p' in model; the nearest is 'gpt-4o-mini-2024-07-18'"]
        or "gpt-4p" in response.headers["Farebox-Warnings"]
    )
    assert response.headers["Content-Disposition"] == 'attachment; filename="requests.csv"'


@pytest.mark.first_on_server
@pytest.mark.parametrize(
    ("body", "culprit"),
    [
        ({"format": "xml"}, "format: Input should be 'csv', 'jsonl', 'parquet' or 'focus'"),
        ({"format": "csv", "columns": ["model", "modle"]}, "columns: unknown column 'modle': did you mean 'model'?"),
        ({"format": "csv", "columns": ["model", "model"]}, "columns: 'model' is in it twice"),
        ({"format": "csv", "columns": ["request_bodies"]}, "columns: unknown column 'request_bodies'"),
        ({"format": "focus", "columns": ["model"]}, "columns: those of focus are given"),
        ({"format": "focus", "limit": 5}, "limit: a row of focus is no request"),
        ({"format": "csv", "limit": 0}, "limit: "),
        ({"format": "csv", "cursor": "x"}, "cursor: this is no cursor of this Farebox"),
        ({"format": "csv", "timeFilter": {"since": "7y"}}, "since takes a number"),
        ({"format": "csv", "filter": leaf(modle={"equals": "a"})}, "unknown column 'modle'"),
        ({}, "format: Field required"),
    ],
)
def test_what_cannot_be_exported_is_refused_by_name(client: Client, body: dict[str, Any], culprit: str) -> None:
    status, response = client.ask("/v1/export", body)
    assert status == 422
    assert culprit in response["error"]


@pytest.mark.usefixtures("small_pages")
def test_a_cursor_goes_on_with_its_own_export_only(client: Client) -> None:
    client.keep(*({} for _ in range(60)))
    asked: dict[str, Any] = {"format": "jsonl", "limit": 10, "checkpoints": True}
    cursor = json_checkpoints(exported(client, **asked))[-1]["cursor"]
    for changed in ({"format": "csv"}, {"columns": ["model"]}, {"filter": leaf(model={"equals": "a"})}):
        status, response = client.ask("/v1/export", asked | changed | {"cursor": cursor})
        assert (status, "it belongs to another query" in response["error"]) == (422, True)
    other = Client(client.service, "org-2", client.service.key("org-2"))
    assert other.ask("/v1/export", asked | {"cursor": cursor})[0] == 422
    assert len(json_rows(exported(client, **(asked | {"cursor": cursor, "limit": 1000})))) == 50


def test_no_organization_sees_rows_of_another(client: Client) -> None:
    client.keep({"user_id": "mine"})
    organization_id = f"org-{uuid.uuid4()}"
    other = Client(client.service, organization_id, client.service.key(organization_id))
    assert json_rows(exported(other, format="jsonl")) == []
    (row,) = json_rows(exported(client, format="jsonl"))
    assert row["user_id"] == "mine"


@pytest.mark.usefixtures("small_pages")
def test_a_query_of_the_same_organization_has_its_turn_between_two_pages(client: Client) -> None:
    client.insert(many(client.organization_id, 2000), [])

    async def story() -> tuple[int, float]:
        exports = [asyncio.to_thread(exported, client, format="csv") for _ in range(MAX_OF_ONE)]
        running = asyncio.gather(*exports)
        began_s = time.monotonic()
        counted = await asyncio.to_thread(client.ask, "/v1/request/count/query", {"filter": "all"})
        took_s = time.monotonic() - began_s
        assert counted[1]["data"] == 2000
        contents = await running
        return len(contents), took_s

    count, took_s = asyncio.run(story())
    assert count == MAX_OF_ONE
    assert took_s < 20
