"""Reports as files: the same figures in every format, to the last digit."""

import http.client
import io
import json
from decimal import Decimal
from typing import Any

from pyarrow import parquet

from schemas.price import CostState
from tests.servers.querying import Client

UNKNOWN = {"cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL}


def fetched(client: Client, body: object, accept: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", client.service.port, timeout=60)
    headers = {"Authorization": f"Bearer {client.key}", "Content-Type": "application/json", "Accept": accept}
    connection.request("POST", "/v1/report", json.dumps(body), headers)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response, content


def test_json_lines_and_parquet_have_the_figures_of_the_report(client: Client) -> None:
    client.keep(
        {"cost_usd": Decimal("0.100000000001"), "user_id": "a"},
        {**UNKNOWN, "user_id": "b", "properties": {}, "property_spellings": []},
        {"cost_usd": Decimal("0.25"), "user_id": "c", "model": "other"},
    )
    body: dict[str, Any] = {
        "measures": ["cost_usd", "requests", "last_request_at", "p95_latency_ms"],
        "by": [{"property": "Feature"}, {"column": "is_stream"}, {"column": "model"}, {"time": "day"}],
        "timeFilter": {"start": "2026-01-01"},
        "limit": 2,
        "compare": "previous",
    }
    view = client.report(**body)
    response, content = fetched(client, body, "application/x-ndjson")
    assert (response.status, json.loads(response.headers["Farebox-Seal"])["state"]) == (200, "complete")
    lines = [json.loads(line, parse_float=Decimal) for line in content.splitlines()]
    assert [line["line"] for line in lines] == ["group", "group", "rest", "total"]
    for line, row in zip(lines, view["rows"], strict=False):
        assert [line[name] for name in ("properties.Feature", "is_stream", "model", "day")] == row["by"]
        assert {name: line[name] for name in row["measures"]} == row["measures"]
        assert line["presence"] == row["compared"]["presence"]
    assert {name: lines[-1][name] for name in view["total"]} == view["total"]
    response, content = fetched(client, body, "application/vnd.apache.parquet")
    file = parquet.ParquetFile(io.BytesIO(content))
    types = {field.name: str(field.type) for field in file.schema_arrow}
    assert (types["cost_usd"], types["requests"], types["model"]) == ("decimal128(38, 12)", "int64", "string")
    assert (types["is_stream"], types["priced_request_share"]) == ("bool", "double")
    facts = json.loads(file.metadata.metadata[b"farebox"])
    assert (facts["farebox"], facts["rows"], facts["state"]) == (
        "report",
        "2 groups and the rest and the total",
        "complete",
    )
    for row, line in zip(file.read().to_pylist(), lines, strict=True):
        assert {name: _as_read(value) for name, value in row.items()} == {
            name: _as_read(value) for name, value in line.items()
        }


def _as_read(value: object) -> object:
    return Decimal(str(value)) if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else value


def test_a_file_is_one_table(client: Client) -> None:
    body = {"measures": ["requests"], "timeFilter": {"since": "7d"}, "breakdowns": [{"by": [{"column": "model"}]}]}
    for accept, name in (
        *(("text/csv", "CSV"), ("application/x-ndjson", "JSON lines"), ("application/vnd.apache.parquet", "Parquet")),
    ):
        response, content = fetched(client, body, accept)
        assert response.status == 422
        assert f"breakdowns: {name} is one table" in json.loads(content)["error"]
    _, content = fetched(
        client, {"measures": ["cost_usd"], "timeFilter": {"since": "7d"}}, "application/vnd.apache.parquet"
    )
    (total,) = parquet.read_table(io.BytesIO(content)).to_pylist()
    assert (total["line"], total["requests"]) == ("total", 0)
