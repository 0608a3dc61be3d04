"""Rows written anew with what was set on them later. Whoever writes rows of requests does this behind it."""

from collections.abc import Collection, Sequence
from typing import Final, TypeVar

from msgspec.structs import replace

from schemas.statement import Statement
from services.ports.warehouse import AmendableWarehouse, Row
from services.sql.amendments import compile_amended, compile_amended_ids, compile_has_amendments
from services.sql.nodes import Key

T = TypeVar("T")

KEYS_PER_STATEMENT: Final = 2_000  # as text below 100 KB, where a server takes no field of a form above 128 KiB


async def amend_rows(
    warehouse: AmendableWarehouse, organization_id: str, keys: Collection[Key], *, is_patient: bool = False
) -> None:
    """Those of the rows with `keys` that lack amendments have them on return. It may be repeated.

    To be called once the rows are there: an amendment that comes later finds them, and one that came before is found
    here. `is_patient` as in Statement. Raises: StoreUnavailable.
    """

    async def query(statement: Statement) -> Sequence[Row]:
        return await warehouse.query(replace(statement, is_patient=is_patient))

    if not keys or not await query(compile_has_amendments(organization_id)):
        return
    for some in batches(sorted(keys, key=lambda key: key.request_id)):
        ids = tuple(dict.fromkeys(key.request_id for key in some))
        found = {str(row["request_id"]) for row in await query(compile_amended_ids(organization_id, ids))}
        amended = [key for key in some if key.request_id in found]
        if amended:
            await warehouse.execute(compile_amended(organization_id, amended))


def batches(keys: Sequence[T]) -> Sequence[Sequence[T]]:
    """`keys`, or their ids, in as many parts as it takes for each to fit into one statement."""
    return [keys[start : start + KEYS_PER_STATEMENT] for start in range(0, len(keys), KEYS_PER_STATEMENT)]
