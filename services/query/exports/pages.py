"""All rows that fulfil a filter, page by page in the order of time, each page with a turn of its own."""

import logging
import math
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from schemas.statement import Statement
from services.ports.warehouse import QueryableWarehouse, Row
from services.query.requests.paging import rows_behind, rows_of
from services.retry import RetryPolicy, retry
from services.sql.nodes import Key, Listing, key_of

PAGE_ROWS: Final = 5000
_PATIENCE: Final = RetryPolicy(first_delay_s=0.5, last_delay_s=5.0, give_up_after_s=60.0)

logger = logging.getLogger(__name__)


class PatientWarehouse:
    """For exports: a query never takes the place of a cheap one, and one that finds the warehouse busy waits."""

    def __init__(self, warehouse: QueryableWarehouse) -> None:
        self._warehouse = warehouse

    async def query(self, statement: Statement) -> list[dict[str, Any]]:
        """Raises: StoreUnavailable, Busy."""
        expensive = msgspec.structs.replace(statement, is_cheap=False)
        return await retry(
            partial(self._warehouse.query, expensive), _PATIENCE, logger=logger, message="an export waits"
        )


async def pages_of(
    listing: Listing, after: Key | None, warehouse: QueryableWarehouse, *, most: int | None = None
) -> AsyncIterator[Sequence[Row]]:
    """The rows of `listing` behind `after`, at most so many; its limit is that of a page.

    Raises: StoreUnavailable, Busy.
    """
    left = math.inf if most is None else most
    while left > 0:
        page = msgspec.structs.replace(rows_behind(listing, after), limit=int(min(listing.limit, left)))
        rows = await rows_of(page, warehouse)
        if rows:
            yield rows
            after = key_of(rows[-1])
        if len(rows) < page.limit:
            return
        left -= len(rows)
