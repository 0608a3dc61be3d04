"""The warehouse as alerts ask it: within the limits of queries, and from the roll-up where that is cheaper."""

from typing import Any

import msgspec

from schemas.statement import Statement
from services.ports.warehouse import QueryableWarehouse
from services.rolled_queries import cheaper


class AlertWarehouse:
    """A QueryableWarehouse in front of another one."""

    def __init__(self, warehouse: QueryableWarehouse) -> None:
        self._warehouse = warehouse

    async def query(self, statement: Statement) -> list[dict[str, Any]]:
        limited = msgspec.structs.replace(statement, is_limited=True)
        return await self._warehouse.query(await cheaper(limited, self._warehouse))
