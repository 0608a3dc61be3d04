"""Warehouses for tests: fresh databases on a server, and migrated warehouses by URL."""

import asyncio
import contextlib
import uuid
from collections.abc import Iterator

from schemas.statement import Statement
from services.stores.migrations import migrate_warehouse
from services.stores.warehouse import ClickHouseWarehouse


@contextlib.contextmanager
def fresh_database(address: str) -> Iterator[str]:
    """The URL of a database that is not there yet, on the server at `address`. It is dropped afterwards."""
    name = f"farebox_{uuid.uuid4().hex}"
    yield f"{address}/{name}"
    asyncio.run(_drop(address, name))


async def _drop(address: str, name: str) -> None:
    warehouse = await ClickHouseWarehouse.open(f"{address}/default", wait_s=0)
    await warehouse.execute(Statement(sql=f"DROP DATABASE IF EXISTS {name} SYNC", parameters={}))
    await warehouse.close()


@contextlib.contextmanager
def migrated(url: str) -> Iterator[ClickHouseWarehouse]:
    """The warehouse at `url` with all its tables, closed afterwards."""

    async def opened() -> ClickHouseWarehouse:
        warehouse = await ClickHouseWarehouse.open(url, create_database=True)
        await migrate_warehouse(warehouse)
        return warehouse

    warehouse = asyncio.run(opened())
    yield warehouse
    asyncio.run(warehouse.close())
