"""Where bodies are omitted nothing that people said is kept, and no key: in no file, table, log or response."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import httpx
import pytest

from tests.servers.plain_http import TRUSTS_NOBODY
from tests.servers.processes import Process, free_port
from tests.servers.scripted_provider import ScriptedProvider
from tests.support.canary import OMIT, assert_nothing_kept, eventually, files_in, tell

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

STATES = {
    "priced": 7,
    "truncated": 2,  # large ones: the request, or the tier, was not in what was kept
    "partial": 4,  # broken off: an estimate; and one of a tier that has no price
    "no_usage": 3,  # no JSON, or cut in the middle
    "free": 3,  # failed
}
READ_TABLES = """
    import sys
    from tests.servers.warehouses import ask, migrated

    with migrated(sys.argv[1]) as warehouse:
        for table in ask(warehouse, "SELECT name FROM system.tables WHERE database = 'farebox'"):
            print(table["name"], ask(warehouse, f"SELECT * FROM {table['name']}"))
"""
EVERYTHING = {"filter": "all", "limit": 100, "offset": 0}


def _up(folder: Path, provider_url: str, ports: tuple[int, int], omission: str) -> Process:
    env = {
        "FAREBOX_OPENAI_URL": provider_url,
        "FAREBOX_PROXY_PORT": str(ports[0]),
        "FAREBOX_QUERY_PORT": str(ports[1]),
        "FAREBOX_OMIT_BODIES": omission,
        "FAREBOX_CAPTURE_BYTES": "100000",
        "FAREBOX_LOG_LEVEL": "debug",
    }
    return Process(
        ["-m", "services.cli", "up", "--data", str(folder / "data")],
        env=env,
        log=folder / "up.log",
        ready_url=f"http://127.0.0.1:{ports[1]}/readyz",
    )


@pytest.mark.parametrize(("omission", "headers"), [("none", OMIT), ("both", {})], ids=["by the client", "by all"])
async def test_nothing_of_omitted_bodies_and_no_key_is_kept(
    tmp_path: Path, omission: str, headers: dict[str, str]
) -> None:
    provider, ports = ScriptedProvider(), (free_port(), free_port())
    query_url = f"http://127.0.0.1:{ports[1]}"
    async with provider.listening():
        process = _up(tmp_path, provider.url, ports, omission)
        await asyncio.to_thread(process.start().ready)
        shown = len(process.output())  # its first key too, to whoever started it
        try:
            key_file = tmp_path / "data/api-key"
            key = key_file.read_text().strip()
            count = await tell(provider, f"http://127.0.0.1:{ports[0]}", key, headers)
            responses = await _responses(query_url, key, count)
        finally:
            assert await asyncio.to_thread(process.stop) == 0
    key_file.unlink()
    process.log.write_text(process.output()[shown:])
    places = assert_nothing_kept(files_in(tmp_path), key)
    assert any("journal.sqlite: segment" in place for place in places)
    assert_nothing_kept(_tables(tmp_path), key)
    assert_nothing_kept(iter(responses), key)
    _all_charged(json.loads(dict(responses)["/v1/request/query-clickhouse"])["data"], count)


def _all_charged(rows: list[dict[str, Any]], count: int) -> None:
    """What reports its usage has its cost, and what does not says why, as if everything had been kept."""
    assert len(rows) == count
    assert Counter(row["cost_state"] for row in rows) == STATES


async def _responses(query_url: str, key: str, count: int) -> list[tuple[str, bytes]]:
    """All that the query service says about `count` requests, once it has them."""
    async with httpx.AsyncClient(base_url=query_url, timeout=30, trust_env=False, verify=TRUSTS_NOBODY) as client:
        client.headers["Authorization"] = f"Bearer {key}"

        async def all_there() -> bool:
            response = await client.post("/v1/request/count/query", json={"filter": "all"})
            return int(response.json()["data"]) >= count

        await eventually(all_there, f"there are {count} rows")
        listing = await client.post("/v1/request/query-clickhouse", json=EVERYTHING | {"includeInputs": True})
        ids = [row["request_id"] for row in listing.json()["data"]]
        paths = [f"/v1/request/{request_id}{rest}" for request_id in ids for rest in ("", "/cost")]
        paths += ["/v1/report/summary?since=1d", "/v1/prices/unknown?since=1d", "/metrics"]
        csv = await client.post("/v1/request/query-clickhouse", json=EVERYTHING, headers={"Accept": "text/csv"})
        reported = [(path, (await client.get(path)).content) for path in paths]
        return [("/v1/request/query-clickhouse", listing.content), ("CSV", csv.content), *reported]


def _tables(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every row of every table. Read by a process of its own, since one can open one folder only."""
    shown = Process(
        ["-c", dedent(READ_TABLES), f"chdb:{folder / 'data/warehouse'}"], env={}, log=folder / "tables.txt"
    ).run()
    assert "request_response_rmt" in shown
    assert "gpt-4o-mini" in shown
    yield "tables", shown.encode()
