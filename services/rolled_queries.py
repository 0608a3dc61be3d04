"""Whether a statement is answered from the roll-up: where most of what it asks for is complete there."""

from collections.abc import Sequence
from typing import Final

import msgspec

from schemas.statement import OUTDATED, Statement
from services.ports.warehouse import QueryableWarehouse

# Rows are read at ten to twenty millions a second, and a look at the buckets takes some tens of milliseconds.
LEAST_SPARED: Final = 400_000
_MAX_OUTDATED: Final = 2_000  # as text 22 KB, beside the rest of a statement


async def cheaper(
    statement: Statement, warehouse: QueryableWarehouse, *, least_spared: int = LEAST_SPARED
) -> Statement:
    """`statement`, or the same question of the roll-up where that spares reading so many rows, and most of all.

    Buckets are looked up wherever there may be so many rows: of what was written a moment ago none is complete. Raises:
    StoreUnavailable, QueryLimitExceeded.
    """
    rolled = statement.rolled
    if rolled is None or not await may_spare(rolled.estimates, warehouse, least_spared=least_spared):
        return statement
    looks = [msgspec.structs.replace(look, is_limited=statement.is_limited) for look in rolled.outdated]
    found = [row for look in looks for row in await warehouse.query(look)]
    spared, remaining = (sum(row[name] for row in found) for name in ("spared", "remaining"))
    if spared < least_spared + remaining or any(len(row[OUTDATED]) > _MAX_OUTDATED for row in found):
        return statement
    outdated = {f"{OUTDATED}{place}": row[OUTDATED] for place, row in enumerate(found)}
    return msgspec.structs.replace(statement, sql=rolled.rows.sql, parameters={**rolled.rows.parameters, **outdated})


async def may_spare(
    estimates: Sequence[Statement], warehouse: QueryableWarehouse, *, least_spared: int = LEAST_SPARED
) -> bool:
    """Whether there may be so many rows that the roll-up is worth a look.

    Raises: StoreUnavailable; QueryLimitExceeded where `warehouse` has limits, for rows that are estimated and not read.
    """
    rows: int = sum([row["rows"] for estimate in estimates for row in await warehouse.query(estimate)])
    return rows >= least_spared
