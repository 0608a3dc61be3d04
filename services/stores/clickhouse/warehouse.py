"""The Warehouse port on ClickHouse. One class: the URL chooses between a server and the engine in this process."""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import msgspec
from clickhouse_connect.driver import Client
from clickhouse_connect.driver.exceptions import DataError
from clickhouse_connect.driver.insert import InsertContext

from schemas.amendment import StoredAmendment
from schemas.errors import UnstorableRecord
from schemas.price import Price
from schemas.query_limits import QueryLimits
from schemas.record import RequestBodies, RequestRecord
from schemas.reprice import Correction
from schemas.statement import Statement
from schemas.value import ValueEntry
from services.retry import RetryPolicy, retry
from services.stores.clickhouse.columns import (
    AMENDMENT_COLUMNS,
    BODY_COLUMNS,
    CORRECTION_COLUMNS,
    RECORD_COLUMNS,
    VALUE_COLUMNS,
    amendment_columns,
    body_columns,
    correction_columns,
    record_columns,
    value_columns,
)
from services.stores.clickhouse.connection import Address, open_handle, parse_address, translated
from services.stores.clickhouse.handles import Handles
from services.stores.clickhouse.limited_queries import LimitedQueries
from services.stores.clickhouse.limits import limit_settings
from services.stores.clickhouse.statements import run_command, run_query

RECORDS = "request_response_rmt"
BODIES = "request_response_body"
PRICES = "price"
CORRECTIONS = "cost_correction"
AMENDMENTS = "amendment"
VALUES = "value"

OTHER_READERS = 4  # the worker's, estimates for reports, and the check whether the warehouse responds

# Batches are made by us, so the engine must not gather them again: an insert that returned is on disk.
# One batch may hold years of history, so the number of partitions is no sign of a mistake.
# Two rows of a batch are rarely of one request, and FINAL merges them when reading: doing it here costs a fifth.
# What takes longer than a client waits ends in the engine too: the worker counts on that (services/worker/rollup.py).
_INSERT_TIMEOUT_S = 120
_WRITING: Mapping[str, object] = {
    "async_insert": 0,
    "max_partitions_per_insert_block": 0,
    "optimize_on_insert": 0,
    "max_execution_time": _INSERT_TIMEOUT_S,
}

# Every row of a request is in one partition, since its creation timestamp never changes: FINAL may stay inside each.
_READING: Mapping[str, object] = {"do_not_merge_across_partitions_select_final": 1}

_PATIENT_S = 1800  # of one query in the background
_CONNECT = RetryPolicy(first_delay_s=0.1, last_delay_s=1.0)

logger = logging.getLogger(__name__)


class ClickHouseWarehouse:
    """Inserts on one handle, queries on a few others; each handle in a thread of its own, so no loop ever waits."""

    def __init__(self, url: str, *, query_timeout_s: float, limits: QueryLimits | None = None) -> None:
        address = parse_address(url)
        self.url = url
        self._address = address
        self._contexts: dict[str, InsertContext] = {}
        self._writer = Handles(1, lambda: open_handle(address, _WRITING, timeout_s=_INSERT_TIMEOUT_S))
        limits = limits or QueryLimits(time_s=query_timeout_s)
        reading = _reading(address, {"max_execution_time": query_timeout_s})
        limited = _reading(address, limit_settings(limits))
        self._readers = Handles(OTHER_READERS, lambda: open_handle(address, reading, timeout_s=query_timeout_s + 5))
        self._limited = LimitedQueries(
            lambda: open_handle(address, limited, timeout_s=limits.time_s + 5),
            self._readers,
            limits=limits,
            own_cores=os.cpu_count() or 1 if address.folder else None,
        )
        patient = _reading(address, {"max_execution_time": _PATIENT_S, "max_memory_usage": limits.memory_bytes})
        self._patient = LimitedQueries(
            lambda: open_handle(address, patient, timeout_s=_PATIENT_S + 5),
            self._readers,
            limits=QueryLimits(time_s=_PATIENT_S, memory_bytes=limits.memory_bytes),
            own_cores=os.cpu_count() or 1 if address.folder else None,
        )

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        create_database: bool = False,
        query_timeout_s: float = 30,
        limits: QueryLimits | None = None,
        wait_s: float = 30,
    ) -> Self:
        """A connected warehouse. Waits up to `wait_s` for a server that is not there yet.

        `limits` hold for statements that are limited, `query_timeout_s` for the others.

        Raises: InvalidSetting, StoreUnavailable.
        """
        warehouse = cls(url, query_timeout_s=query_timeout_s, limits=limits)
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

    async def keep_amendments(self, amendments: Sequence[StoredAmendment]) -> None:
        """Keeps what was set on requests, on disk on return. Keeping the same again changes nothing.

        Raises: StoreUnavailable, UnstorableRecord.
        """
        if amendments:
            await self._writer.run(
                lambda handle: self._insert_columns(
                    handle, AMENDMENTS, AMENDMENT_COLUMNS, lambda: amendment_columns(amendments)
                )
            )

    async def keep_values(self, entries: Sequence[ValueEntry]) -> None:
        """Keeps versions of entries, on disk on return. Keeping the same again changes nothing.

        Raises: StoreUnavailable.
        """
        if entries:
            await self._writer.run(
                lambda handle: self._insert_columns(handle, VALUES, VALUE_COLUMNS, lambda: value_columns(entries))
            )

    async def query(self, statement: Statement) -> list[dict[str, Any]]:
        """Rows by column alias; timestamps are aware UTC.

        A limited or patient statement ends in the engine too when this is cancelled. Raises: StoreUnavailable; of
        these two QueryLimitExceeded.
        """
        if statement.is_patient:
            return await self._patient.run(statement)
        if not statement.is_limited:
            return await self._readers.run(lambda handle: run_query(handle, statement))
        return await self._limited.run(statement)

    async def execute(self, statement: Statement) -> None:
        """Runs a statement that changes tables; on disk on return. Raises: StoreUnavailable."""
        await self._writer.run(lambda handle: run_command(handle, statement))

    async def close(self) -> None:
        await self._writer.close()
        await self._limited.close()
        await self._patient.close()
        await self._readers.close()


def _reading(address: Address, limits: Mapping[str, object]) -> dict[str, object]:
    settings = dict(_READING) | dict(limits)
    if address.folder:
        # What no client waits for leaves a core to the proxy, and to the worker in this process.
        settings["max_threads"] = max(1, (os.cpu_count() or 1) - 1)
    # Last: under it nothing else can be set.
    return settings | {"readonly": 2}


def _nothing(_handle: Client) -> None:
    """Opening the handle is all that is needed."""


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
