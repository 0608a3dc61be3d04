"""The Warehouse port on ClickHouse. One class: the URL chooses between a server and the engine in this process."""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Self, TypeVar

import msgspec
from clickhouse_connect.driver import Client
from clickhouse_connect.driver.exceptions import DataError
from clickhouse_connect.driver.insert import InsertContext

from schemas.errors import StoreUnavailable, UnstorableRecord
from schemas.price import Price
from schemas.record import RequestBodies, RequestRecord
from schemas.reprice import Correction
from schemas.statement import Bound, Statement
from services.retry import RetryPolicy, retry
from services.stores.clickhouse.columns import (
    BODY_COLUMNS,
    CORRECTION_COLUMNS,
    RECORD_COLUMNS,
    body_columns,
    correction_columns,
    record_columns,
)
from services.stores.clickhouse.connection import Address, open_handle, parse_address, translated

RECORDS = "request_response_rmt"
BODIES = "request_response_body"
PRICES = "price"
CORRECTIONS = "cost_correction"

READERS = 5  # one more than the query service uses at once, for the worker of an embedded Farebox

# Batches are made by us, so the engine must not gather them again: an insert that returned is on disk.
# One batch may hold years of history, so the number of partitions is no sign of a mistake.
# Two rows of a batch are rarely of one request, and FINAL merges them when reading: doing it here costs a fifth.
_WRITING: Mapping[str, object] = {"async_insert": 0, "max_partitions_per_insert_block": 0, "optimize_on_insert": 0}

# Every row of a request is in one partition, since its creation timestamp never changes: FINAL may stay inside each.
_READING: Mapping[str, object] = {"do_not_merge_across_partitions_select_final": 1}

_INSERT_TIMEOUT_S = 120
_CONNECT = RetryPolicy(first_delay_s=0.1, last_delay_s=1.0)

T = TypeVar("T")

logger = logging.getLogger(__name__)


class ClickHouseWarehouse:
    """Inserts on one handle, queries on a few others; each handle in a thread of its own, so no loop ever waits."""

    def __init__(self, url: str, *, query_timeout_s: float) -> None:
        address = parse_address(url)
        self.url = url
        self._address = address
        self._contexts: dict[str, InsertContext] = {}
        self._writer = _Handles(1, lambda: open_handle(address, _WRITING, timeout_s=_INSERT_TIMEOUT_S))
        reading = _reading(address, query_timeout_s)
        self._readers = _Handles(READERS, lambda: open_handle(address, reading, timeout_s=query_timeout_s + 5))

    @classmethod
    async def open(
        cls, url: str, *, create_database: bool = False, query_timeout_s: float = 30, wait_s: float = 30
    ) -> Self:
        """A connected warehouse. Waits up to `wait_s` for a server that is not there yet.

        Raises: InvalidSetting, StoreUnavailable.
        """
        warehouse = cls(url, query_timeout_s=query_timeout_s)
        try:
            await retry(
                lambda: warehouse._connect(create_database=create_database),
                _CONNECT._replace(give_up_after_s=wait_s),
                logger=logger,
                message="warehouse is unreachable, retrying",
            )
        except BaseException:
            await warehouse.close()
            raise
        return warehouse

    async def _connect(self, *, create_database: bool) -> None:
        if create_database:
            await asyncio.to_thread(_create_database, self._address)
        await self._writer.run(_nothing)

    async def insert(self, records: Sequence[RequestRecord], bodies: Sequence[RequestBodies]) -> None:
        """Keeps all of them, on disk on return; writing the same ones again changes no query's result.

        Raises: StoreUnavailable; UnstorableRecord when a value does not fit its column, with nothing promised
        about the others.
        """
        await self._writer.run(lambda handle: self._insert(handle, records, bodies))

    def _insert(self, handle: Client, records: Sequence[RequestRecord], bodies: Sequence[RequestBodies]) -> None:
        # Bodies first: a row that can be seen has its body.
        if bodies:
            self._insert_columns(handle, BODIES, BODY_COLUMNS, lambda: body_columns(bodies))
        if records:
            self._insert_columns(handle, RECORDS, RECORD_COLUMNS, lambda: record_columns(records))

    def _insert_columns(
        self, handle: Client, table: str, names: Sequence[str], columns: Callable[[], list[Sequence[Any]]]
    ) -> None:
        with translated(f"insert into {table}"):
            context = self._contexts.get(table)
            if context is None:
                context = handle.create_insert_context(table, names, column_oriented=True)
                self._contexts[table] = context
            try:
                handle.insert(data=columns(), context=context)
            except (DataError, ArithmeticError, ValueError) as error:
                # Not the error's text: it may hold the value, which may be personal data.
                raise UnstorableRecord(f"a value does not fit its column of {table}: {type(error).__name__}") from error
            finally:
                # A context that still holds a batch would refuse the next one.
                context.data = None

    async def keep_prices(self, prices: Sequence[Price]) -> None:
        """Keeps them for ever by their ids, on disk on return. Keeping one again changes nothing.

        Raises: StoreUnavailable.
        """
        if prices:
            columns: list[Sequence[Any]] = [
                [price.id for price in prices],
                [msgspec.json.encode(price).decode() for price in prices],
            ]
            await self._writer.run(
                lambda handle: self._insert_columns(handle, PRICES, ("price_id", "price"), lambda: columns)
            )

    async def keep_corrections(self, corrections: Sequence[Correction]) -> None:
        """Keeps what will change, on disk on return. Keeping the same again changes nothing.

        Raises: StoreUnavailable.
        """
        if corrections:
            await self._writer.run(
                lambda handle: self._insert_columns(
                    handle, CORRECTIONS, CORRECTION_COLUMNS, lambda: correction_columns(corrections)
                )
            )

    async def query(self, statement: Statement) -> list[dict[str, Any]]:
        """Rows by column alias; timestamps are aware UTC. Raises: StoreUnavailable."""
        return await self._readers.run(lambda handle: _query(handle, statement))

    async def execute(self, statement: Statement) -> None:
        """Runs a statement that changes tables; on disk on return. Raises: StoreUnavailable."""
        await self._writer.run(lambda handle: _execute(handle, statement))

    async def close(self) -> None:
        await self._writer.close()
        await self._readers.close()


class _Handles:
    """Up to `count` handles, opened when first needed, and as many threads: each call has one of each to itself."""

    def __init__(self, count: int, open_one: Callable[[], Client]) -> None:
        self._open_one = open_one
        self._free: list[Client] = []
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="warehouse")

    async def run(self, call: Callable[[Client], T]) -> T:
        try:
            result = asyncio.get_running_loop().run_in_executor(self._threads, self._run, call)
        except RuntimeError as error:
            raise StoreUnavailable("the warehouse is closed") from error
        return await result

    def _run(self, call: Callable[[Client], T]) -> T:
        try:
            handle = self._free.pop()
        except IndexError:
            handle = self._open_one()
        try:
            return call(handle)
        finally:
            self._free.append(handle)

    async def close(self) -> None:
        """Waits for the calls that run. Further calls fail."""
        await asyncio.to_thread(self._threads.shutdown)
        while self._free:
            self._free.pop().close()


def _reading(address: Address, query_timeout_s: float) -> dict[str, object]:
    settings = dict(_READING) | {"max_execution_time": query_timeout_s}
    if address.folder:
        # Queries must leave a core to the proxy and the worker beside them in this process.
        settings["max_threads"] = max(1, (os.cpu_count() or 1) - 1)
    # Last: under it nothing else can be set.
    return settings | {"readonly": 2}


def _nothing(_handle: Client) -> None:
    """Opening the handle is all that is needed."""


def _query(handle: Client, statement: Statement) -> list[dict[str, Any]]:
    with translated("query"):
        result = handle.query(statement.sql, parameters=_parameters(statement), query_tz=UTC)
        return list(result.named_results())


def _execute(handle: Client, statement: Statement) -> None:
    with translated("execute"):
        handle.command(statement.sql, parameters=_parameters(statement))


def _parameters(statement: Statement) -> dict[str, object]:
    return {name: _bound(value) for name, value in statement.parameters.items()}


def _bound(value: Bound) -> object:
    """How a value is written for a placeholder. The driver would cut microseconds, and 'True' is no number."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, bool):
        return int(value)
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Sequence):
        return [_bound(one) for one in value]
    return f"{value:f}"


def _create_database(address: Address) -> None:
    handle = open_handle(address, {}, timeout_s=_INSERT_TIMEOUT_S, in_database=False)
    try:
        with translated("create the database"):
            # Checked first, since on a server the right to create one may be missing, and is not needed.
            if not handle.command(f"EXISTS DATABASE {address.database}"):
                # The embedded engine's own kind of database cannot hold all that a server's can.
                engine = "ENGINE = Atomic" if address.folder else ""
                handle.command(f"CREATE DATABASE IF NOT EXISTS {address.database} {engine}")
    finally:
        handle.close()
