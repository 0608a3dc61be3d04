"""What one query may take, and what becomes of it when nobody waits for it any more."""

import asyncio
import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import QueryLimitExceeded
from schemas.query_limits import QueryLimits
from schemas.statement import Statement
from services.query.fair_warehouse import FairWarehouse
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from tests.servers.querying import LIST, AwayWarehouse, query_service
from tests.servers.warehouses import ask, insert, many

ENDLESS = "SELECT countIf(MD5(toString(number)) = '') AS n FROM numbers(900000000)"
LIMITED = {
    "FAREBOX_QUERY_TIMEOUT_S": (QueryLimits(time_s=0.5), ENDLESS),
    "FAREBOX_QUERY_MAX_READ_ROWS": (QueryLimits(read_rows=1000), "SELECT sum(number) AS n FROM numbers(100000)"),
    "FAREBOX_QUERY_MAX_MEMORY_BYTES": (
        QueryLimits(memory_bytes=20_000_000),
        "SELECT length(groupArray(number)) AS n FROM numbers(50000000)",
    ),
    "FAREBOX_QUERY_MAX_RESULT_ROWS": (QueryLimits(result_rows=10), "SELECT number FROM numbers(11)"),
}


@pytest.mark.parametrize("setting", LIMITED)
def test_a_query_beyond_a_limit_is_refused_with_the_setting_and_what_to_do(
    warehouse: ClickHouseWarehouse, setting: str
) -> None:
    limits, sql = LIMITED[setting]

    async def story() -> list[dict[str, Any]]:
        limited = await ClickHouseWarehouse.open(warehouse.url, limits=limits)
        try:
            with pytest.raises(QueryLimitExceeded, match=rf"\({setting}\): choose a shorter period"):
                await limited.query(Statement(sql=sql, parameters={}, is_limited=True))
            return await limited.query(Statement(sql="SELECT 1 AS one", parameters={}, is_limited=True))
        finally:
            await limited.close()

    assert asyncio.run(story()) == [{"one": 1}]


def test_what_no_client_asked_for_has_no_limit_but_that_of_time(warehouse: ClickHouseWarehouse) -> None:
    limited = asyncio.run(ClickHouseWarehouse.open(warehouse.url, limits=QueryLimits(read_rows=10, result_rows=10)))
    assert len(ask(limited, "SELECT number FROM numbers(1000)")) == 1000
    asyncio.run(limited.close())


def test_in_process_the_first_query_has_all_cores_and_the_next_what_it_leaves(
    embedded_warehouse: ClickHouseWarehouse,
) -> None:
    threads = Statement(
        sql="SELECT toUInt64(getSetting('max_threads')) AS n, sleep(0.2)", parameters={}, is_limited=True
    )

    async def story() -> list[int]:
        found = await asyncio.gather(*(embedded_warehouse.query(threads) for _ in range(4)))
        return [rows[0]["n"] for rows in found]

    cores = os.cpu_count() or 1
    assert asyncio.run(story()) == [max(1, cores - before) for before in range(4)]


def test_a_statement_may_be_worth_less_time_than_others(warehouse: ClickHouseWarehouse) -> None:
    began_s = time.monotonic()
    with pytest.raises(QueryLimitExceeded):
        asyncio.run(warehouse.query(Statement(sql=ENDLESS, parameters={}, is_limited=True, timeout_s=0.2)))
    assert time.monotonic() - began_s < 20  # of 30 for others


REFUSED = (
    (LIST, {"filter": "all"}),
    ("/v1/report", {"measures": ["cost_usd"], "timeFilter": {"start": "2025-01-01T00:00:00Z"}}),
    ("/v1/report/changes", {"timeFilter": {"since": "7d"}, "by": [{"column": "model"}]}),
)


def test_a_request_beyond_a_limit_gets_422_in_the_form_of_all_errors(
    warehouse: ClickHouseWarehouse, organization_id: str, tmp_path: Path
) -> None:
    insert(warehouse, many(organization_id, 400))
    limited = asyncio.run(ClickHouseWarehouse.open(warehouse.url, limits=QueryLimits(read_rows=100)))
    with query_service(limited, tmp_path) as service:
        key = service.key(organization_id)
        for path, body in REFUSED:
            status, refusal = service.ask(path, body, key=key)
            text = (
                "the query reads more than 100 rows, which is its limit (FAREBOX_QUERY_MAX_READ_ROWS): "
                "choose a shorter period, or filter by an id, a user, a session or a property"
            )
            assert (status, refusal["error"], refusal["details"]["query_limit"]["message"]) == (422, text, text)
    asyncio.run(limited.close())


class EndlessWarehouse(AwayWarehouse):
    """A warehouse whose queries take for ever, in a real engine, but for the estimate of how many rows they read."""

    def __init__(self, engine: ClickHouseWarehouse) -> None:
        self._engine = engine

    async def query(self, statement: Statement) -> list[dict[str, Any]]:
        if statement.sql.startswith("EXPLAIN ESTIMATE"):
            return []
        return await self._engine.query(Statement(sql=ENDLESS, parameters={}, is_limited=statement.is_limited))


def _running(warehouse: ClickHouseWarehouse) -> int:
    sql = (
        "SELECT count() AS n FROM system.processes WHERE query LIKE '/*farebox%' AND query LIKE '%numbers(900000000)%'"
    )
    return int(ask(warehouse, sql)[0]["n"])


def _soon(condition: Callable[[], bool]) -> bool:
    deadline_s = time.monotonic() + 20
    while time.monotonic() < deadline_s:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_a_query_ends_in_the_engine_when_its_client_disconnects(
    warehouse: ClickHouseWarehouse, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with query_service(EndlessWarehouse(warehouse), tmp_path) as service:
        body = json.dumps({"measures": ["requests"], "timeFilter": {"since": "7d"}}).encode()
        head = (
            f"POST /v1/report HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {service.key('org-1')}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", service.port)) as client:
            client.sendall(head.encode() + body)
            assert _soon(lambda: _running(warehouse) > 0)
        assert _soon(lambda: _running(warehouse) == 0)
        assert service.ask("/healthz", key="")[0] == 200
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


class CountingWarehouse(AwayWarehouse):
    """Answers each query once `released` is set, with its number."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0
        self.released = asyncio.Event()

    async def query(self, _: Statement) -> list[dict[str, Any]]:
        self.begun += 1
        number = self.begun
        try:
            await self.released.wait()
        finally:
            self.ended += 1
        return [{"number": number}]


def _statement(organization_id: str = "org-1", **parameters: object) -> Statement:
    return Statement(sql="SELECT 1", parameters=parameters, organization_id=organization_id)  # type: ignore[arg-type]


async def _settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.anyio
async def test_ten_who_ask_the_same_are_one_query_and_each_has_rows_of_its_own() -> None:
    engine = CountingWarehouse()
    fair = FairWarehouse(engine)
    asked = [asyncio.create_task(fair.query(_statement(p0=1))) for _ in range(10)]
    await _settled()
    engine.released.set()
    found = await asyncio.gather(*asked)
    found[0][0]["number"] = "changed"
    assert (engine.begun, found[1:]) == (1, [[{"number": 1}]] * 9)
    assert await fair.query(_statement(p0=1)) == [{"number": 2}]


@pytest.mark.anyio
async def test_what_the_first_does_to_its_rows_at_once_no_other_sees() -> None:
    engine = CountingWarehouse()
    fair = FairWarehouse(engine)

    async def change_number(number: int) -> object:
        (row,) = await fair.query(_statement())
        before, row["number"] = row["number"], number
        return before

    asked = [asyncio.create_task(change_number(10 + place)) for place in range(3)]
    await _settled()
    engine.released.set()
    assert (engine.begun, await asyncio.gather(*asked)) == (1, [1, 1, 1])


@pytest.mark.anyio
async def test_nothing_is_shared_with_another_organization_or_another_value() -> None:
    engine = CountingWarehouse()
    fair = FairWarehouse(engine)
    different = (_statement(p0=1), _statement("org-2", p0=1), _statement(p0=2))
    asked = [asyncio.create_task(fair.query(statement)) for statement in different]
    await _settled()
    engine.released.set()
    assert sorted(rows[0]["number"] for rows in await asyncio.gather(*asked)) == [1, 2, 3]


@pytest.mark.anyio
async def test_who_has_a_newer_seal_does_not_get_the_rows_of_an_older_query() -> None:
    engine, seals = CountingWarehouse(), [0.0]
    fair = FairWarehouse(engine, seal_s=lambda: seals[0])
    first = asyncio.create_task(fair.query(_statement()))
    await _settled()
    seals[0] = time.monotonic() + 0.001  # the log was looked at after the first query began
    second = asyncio.create_task(fair.query(_statement()))
    await _settled()
    engine.released.set()
    assert (await first, await second) == ([{"number": 1}], [{"number": 2}])


@pytest.mark.anyio
async def test_rows_are_not_older_than_what_was_written_through_the_same_warehouse() -> None:
    engine = CountingWarehouse()
    fair = FairWarehouse(engine)
    first = asyncio.create_task(fair.query(_statement()))
    await _settled()
    await fair.execute(_statement())
    second = asyncio.create_task(fair.query(_statement()))
    await _settled()
    engine.released.set()
    assert (await first, await second) == ([{"number": 1}], [{"number": 2}])


@pytest.mark.anyio
async def test_a_shared_query_goes_on_until_the_last_who_waits_for_it_leaves() -> None:
    engine = CountingWarehouse()
    fair = FairWarehouse(engine)
    one, other = (asyncio.create_task(fair.query(_statement())) for _ in range(2))
    await _settled()
    one.cancel()
    await _settled()
    assert (engine.begun, engine.ended) == (1, 0)
    other.cancel()
    again = asyncio.create_task(fair.query(_statement()))  # it must not get what is being cancelled
    await _settled()
    assert (engine.begun, engine.ended) == (2, 1)
    engine.released.set()
    assert await again == [{"number": 2}]
    assert fair.is_idle
