"""Rows of logged calls: each is compared with what stands under its identity before it is written."""

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from schemas.errors import LogConflict
from schemas.event import DeadLetter
from services.domain.logging_api.replacement import STORED_NAMES, StoredRow, row_to_write, stored_row
from services.ports.warehouse import Warehouse
from services.sql.nodes import Key, key_of
from services.sql.row_versions import compile_latest_versions
from services.worker.rows import Row, dead_letter
from services.worker.skip_existing import KEYS_PER_QUERY, key_in_warehouse

_Identity = tuple[str, Key]


async def settle_logs(rows: Sequence[Row], warehouse: Warehouse) -> tuple[Sequence[Row], list[DeadLetter]]:
    """`rows` to write, and dead letters for logs that would replace what they may not. Raises: StoreUnavailable.

    All events of one identity come to one worker, in the order of the log. So what stands there, with what came before
    it among `rows`, is all that a log is to be compared with.
    """
    logged = {row.record.request_id for row in rows if row.record.first_logged_us}
    if not logged:
        return rows, []
    standing = await _standing(rows, warehouse)
    left: list[Row] = []
    dead_letters: list[DeadLetter] = []
    for row in rows:
        identity = _identity(row) if row.record.request_id in logged else None
        if identity is None:
            left.append(row)
            continue
        try:
            settled_row = _settled(row, identity, standing)
        except LogConflict as error:
            dead_letters.append(dead_letter(row.delivery, error))
            continue
        if settled_row is not None:
            left.append(settled_row)
    return left, dead_letters


def _settled(row: Row, identity: _Identity, standing: dict[_Identity, StoredRow]) -> Row | None:
    """What to write of `row`, which is noted in `standing` then; None when it is there. Raises: LogConflict."""
    before = standing.get(identity)
    record = row_to_write(row.record, before) if row.record.first_logged_us else row.record
    if record is None:
        return None
    if before is None or record.version > before.version:
        standing[identity] = stored_row(record)
    return msgspec.structs.replace(row, record=record)


def _identity(row: Row) -> _Identity | None:
    """None for what the warehouse will not take."""
    key = key_in_warehouse(row.record)
    return None if key is None else (row.record.organization_id, key)


async def _standing(rows: Sequence[Row], warehouse: Warehouse) -> dict[_Identity, StoredRow]:
    keys_by_organization: dict[str, list[Key]] = defaultdict(list)
    for row in rows:
        identity = _identity(row) if row.record.first_logged_us else None
        if identity is not None:
            keys_by_organization[identity[0]].append(identity[1])
    found: dict[_Identity, StoredRow] = {}
    for organization_id, keys in keys_by_organization.items():
        for start in range(0, len(keys), KEYS_PER_QUERY):
            statement = compile_latest_versions(organization_id, keys[start : start + KEYS_PER_QUERY], STORED_NAMES)
            for one in await warehouse.query(statement):
                found[organization_id, key_of(one)] = stored_row(one)
    return found
