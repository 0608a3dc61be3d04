"""What was set on requests later: kept first, and then every row that it is about is written anew with it.

An amendment may come before its request, and the other way round: each looks for the other once it is in the warehouse
itself, so whichever comes later finds the earlier one.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from schemas.amendment import StoredAmendment
from schemas.timestamps import EPOCH, from_unix_us
from services.amending import amend_rows, batches
from services.ports.warehouse import AmendableWarehouse
from services.sql.amendments import compile_keys_of_ids
from services.sql.nodes import Key, key_of
from services.worker.rows import Row
from services.worker.skip_existing import key_in_warehouse

# Where no row had the id when an amendment was recorded, it does not say when its request was created: that was on its
# way. So the rows of this time are looked through first: it takes long to look through all, where there are many.
PROBABLY_WITHIN: Final = timedelta(hours=1)


async def keep_amendments(
    amendments: Sequence[StoredAmendment], rows: Sequence[Row], warehouse: AmendableWarehouse
) -> None:
    """Keeps `amendments`, and writes their rows and `rows`, which are in the warehouse, with what was set on them.

    It may be repeated. Raises: StoreUnavailable.
    """
    if amendments:
        await warehouse.keep_amendments(amendments)
    keys: dict[str, set[Key]] = defaultdict(set)
    for row in rows:
        key = key_in_warehouse(row.record)
        if key is not None:
            keys[row.record.organization_id].add(key)
    unplaced: dict[str, dict[str, int]] = defaultdict(dict)
    for one in amendments:
        if one.request_created_at == EPOCH:
            unplaced[one.organization_id][one.request_id] = one.amended_us
        else:
            keys[one.organization_id].add(Key(one.request_created_at, one.request_id))
    for organization_id, amended_us in unplaced.items():
        since = from_unix_us(min(amended_us.values())) - PROBABLY_WITHIN
        keys[organization_id] |= await _keys_of(organization_id, set(amended_us), since, warehouse)
    for organization_id, its_keys in keys.items():
        await amend_rows(warehouse, organization_id, its_keys)


async def _keys_of(
    organization_id: str, ids: Collection[str], since: datetime, warehouse: AmendableWarehouse
) -> set[Key]:
    found: set[Key] = set()
    for period in (since, None):
        left = sorted(set(ids) - {key.request_id for key in found})
        for some in batches(left):
            found |= {key_of(row) for row in await warehouse.query(compile_keys_of_ids(organization_id, some, period))}
    return found
