"""The roll-up in tests: computed at once, for one organization; and a statement answered by it, or by the rows."""

import asyncio
from typing import Any

import msgspec

from schemas.statement import Statement
from services.ports.warehouse import AmendableWarehouse, LedgerWarehouse
from services.query.fair_warehouse import FairWarehouse
from services.rolled_queries import cheaper
from services.sql.rollup.computing import compile_computed, compile_outdated
from services.sql.rollup.grains import GRAINS

_ALL = 1_000_000


class RollupFirst(FairWarehouse):
    """Answers from the roll-up whatever that can answer, however little it spares."""

    def __init__(self, warehouse: LedgerWarehouse) -> None:
        super().__init__(warehouse)
        self._rows = warehouse

    async def query(self, statement: Statement) -> list[dict[str, Any]]:
        return await self._rows.query(await cheaper(statement, self._rows, least_spared=-_ALL))


async def compute(warehouse: AmendableWarehouse, organization_id: str, *, settle_s: float = 0) -> int:
    """How many buckets of the organization were not complete; now they are."""
    count = 0
    for grain in GRAINS:
        found = await warehouse.query(compile_outdated(grain, int(settle_s * 1e6), _ALL))
        buckets = [row["bucket"] for row in found if row["organization_id"] == organization_id]
        for start in range(0, len(buckets), 500):
            await warehouse.execute(compile_computed(grain, organization_id, buckets[start : start + 500], 0))
        count += len(buckets)
    return count


def rolled_up(warehouse: AmendableWarehouse, organization_id: str) -> int:
    return asyncio.run(compute(warehouse, organization_id))


def both(warehouse: AmendableWarehouse, statement: Statement) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What `statement` finds in the rows, and what in the roll-up, however little of that is complete."""

    async def run() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        chosen = await cheaper(statement, warehouse, least_spared=-_ALL)
        assert chosen.sql != statement.sql, "the statement cannot be answered by the roll-up"
        return await warehouse.query(msgspec.structs.replace(statement, rolled=None)), await warehouse.query(chosen)

    return asyncio.run(run())
