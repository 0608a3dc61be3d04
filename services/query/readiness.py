"""Whether the stores are available."""

import asyncio
from time import monotonic
from typing import Final

from schemas.tables import REQUEST_RESPONSE
from services.ports.state import KeyStore
from services.ports.warehouse import Warehouse
from services.sql.compile import compile_report
from services.sql.measures import MEASURES
from services.sql.nodes import Everything, Report

MAX_AGE_S: Final = 1.0

_NO_ROWS: Final = Report(
    table=REQUEST_RESPONSE, organization_id="", where=Everything(), measures=(MEASURES["cost_usd"],), by=()
)


class Readiness:
    """One check for all who want to know at once, and for a second after.

    It needs no key, so it must cost nothing to repeat; and it queries the stores themselves, since a queue of reports
    or of unknown keys in front of them is no failure.
    """

    def __init__(self, warehouse: Warehouse, keys: KeyStore) -> None:
        self._warehouse = warehouse
        self._keys = keys
        self._latest: asyncio.Task[None] | None = None
        self._ended_s = 0.0

    async def check(self) -> None:
        """Raises: StoreUnavailable."""
        latest = self._latest
        if latest is None or (latest.done() and monotonic() - self._ended_s > MAX_AGE_S):
            self._latest = latest = asyncio.create_task(self._query())
        await asyncio.shield(latest)

    async def _query(self) -> None:
        try:
            await self._warehouse.query(compile_report(_NO_ROWS))
            await self._keys.organization_of("")
        finally:
            self._ended_s = monotonic()
