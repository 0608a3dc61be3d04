"""Whether a log may be taken, as far as the warehouse knows now. The worker decides again, for good."""

import asyncio
import logging
import uuid
from typing import Final

from schemas.errors import Conflict, StoreUnavailable
from schemas.event import ExchangeEvent
from schemas.timestamps import unix_us
from services.domain.enrich import recorded_at_of
from services.domain.logging_api.replacement import STORED_NAMES, conflict_reason, stored_row
from services.ports.warehouse import QueryableWarehouse
from services.sql.nodes import Key
from services.sql.row_versions import compile_latest_versions

LOOK_UP_S: Final = 2.0  # after this, and while the warehouse is unavailable, a log is left to the worker

logger = logging.getLogger(__name__)


class LogConflicts:
    """Looks up the row that a log would replace."""

    def __init__(self, warehouse: QueryableWarehouse | None) -> None:
        """`warehouse`: None where this process has none; all logs are left to the worker then."""
        self._warehouse = warehouse
        self._turn = asyncio.Semaphore(1)  # logs are many, and must not take the warehouse's readers from reports

    async def check(self, event: ExchangeEvent) -> None:
        """Raises: Conflict when the log `event` would replace what it may not."""
        if self._warehouse is None:
            return
        request = event.request
        key = Key(request.created_at, str(uuid.UUID(request.request_id)))
        try:
            async with asyncio.timeout(LOOK_UP_S), self._turn:
                rows = await self._warehouse.query(
                    compile_latest_versions(request.organization_id, [key], STORED_NAMES)
                )
        except (StoreUnavailable, TimeoutError) as error:
            logger.info("a log is taken unchecked", extra={"reason": str(error) or type(error).__name__})
            return
        for row in rows:
            why_not = conflict_reason(stored_row(row), request.key_id, unix_us(recorded_at_of(event)))
            if why_not:
                raise Conflict(f"{why_not}: leave Helicone-Request-Id out, or log under another one")
