"""Rows that another release charged stay as they are: a log that is read once more does not change history."""

import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from schemas.record import RequestRecord
from schemas.timestamps import whole_milliseconds
from schemas.versions import last_version_of
from services.ports.warehouse import Warehouse
from services.sql.nodes import Key, key_of
from services.sql.row_versions import compile_kept_versions
from services.worker.rows import Row

KEYS_PER_QUERY: Final = 2_000  # keys: as text below 100 KB, where a server takes no field of a form above 128 KiB
_EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)  # that a timestamp in the warehouse can be


class _Doubtful(NamedTuple):
    """A row that may have been charged by another release, by its place among the rows."""

    place: int
    key: Key
    version: int


async def rows_to_insert(rows: Sequence[Row], warehouse: Warehouse, *, charged_until: datetime | None) -> Sequence[Row]:
    """`rows` without those that the warehouse already has in this version or a newer one, of a later log of the call.

    Only rows recorded until `charged_until` are looked up: no other release can have charged later ones. None: there
    is no other release. Raises: StoreUnavailable.
    """
    if charged_until is None:
        return rows
    kept: set[int] = set()
    for organization_id, doubtful in _together(rows, last_version_of(charged_until)):
        versions = await _kept_versions(organization_id, [row.key for row in doubtful], warehouse)
        kept.update(row.place for row in doubtful if versions.get(row.key, -1) >= row.version)
    return [row for place, row in enumerate(rows) if place not in kept] if kept else rows


def _together(rows: Sequence[Row], last_version: int) -> Iterator[tuple[str, Sequence[_Doubtful]]]:
    """The rows to look up, by organization, in chunks of one query."""
    by_organization = defaultdict(list)
    for place, row in enumerate(rows):
        record = row.record
        key = key_in_warehouse(record) if record.version <= last_version else None
        if key is not None:
            by_organization[record.organization_id].append(_Doubtful(place, key, record.version))
    for organization_id, doubtful in by_organization.items():
        for start in range(0, len(doubtful), KEYS_PER_QUERY):
            yield organization_id, doubtful[start : start + KEYS_PER_QUERY]


def key_in_warehouse(record: RequestRecord) -> Key | None:
    """As the warehouse has it, in whole milliseconds; None for what is no key there, and so is not kept either."""
    timestamp = record.request_created_at
    try:
        request_id = str(uuid.UUID(record.request_id))
    except ValueError:
        return None
    if timestamp < _EARLIEST:
        return None
    return Key(whole_milliseconds(timestamp), request_id)


async def _kept_versions(organization_id: str, keys: Sequence[Key], warehouse: Warehouse) -> Mapping[Key, int]:
    rows = await warehouse.query(compile_kept_versions(organization_id, keys))
    return {key_of(row): row["kept_version"] for row in rows}
