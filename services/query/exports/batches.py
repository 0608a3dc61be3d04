"""What an export writes: batches of rows, each with the request up to which everything has been written."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from services.ports.warehouse import QueryableWarehouse, Row
from services.query.dependencies import Service
from services.query.exports.columns import BODIES, PROPERTIES, ExportColumn, Value, values_of
from services.query.requests.bodies import BodyForm, body_sizes, fetched_bodies
from services.sql.nodes import Key, key_of

MAX_BODIES_BYTES: Final = 16 * 2**20  # of one batch, as text: on the wire it may have been compressed
MAX_BODIES_ROWS: Final = 1000  # whose keys a statement has room for


class Batch(msgspec.Struct, frozen=True):
    rows: Sequence[Sequence[Value]]
    after: Key


async def request_batches(
    pages: AsyncIterator[Sequence[Row]],
    columns: Sequence[ExportColumn],
    organization_id: str,
    service: Service,
    warehouse: QueryableWarehouse,
) -> AsyncIterator[Batch]:
    """A row for each request. Raises: StoreUnavailable, Busy."""
    if any(column.name in BODIES for column in columns):
        pages = _with_bodies(pages, columns, organization_id, warehouse)
    maps = [f"c{place}" for place, column in enumerate(columns) if column.name == PROPERTIES]
    async for page in pages:
        keys = {key for row in page for name in maps for key in row[name]}
        spellings = await service.property_names.spellings_of(organization_id, keys) if keys else {}
        rows = await asyncio.to_thread(
            lambda page, names: [values_of(row, columns, names) for row in page], page, spellings
        )
        yield Batch(rows, key_of(page[-1]))


async def _with_bodies(
    pages: AsyncIterator[Sequence[Row]],
    columns: Sequence[ExportColumn],
    organization_id: str,
    warehouse: QueryableWarehouse,
) -> AsyncIterator[Sequence[Row]]:
    """The same rows with their bodies, in smaller pages."""
    async for page in pages:
        async for part in _parts(page, organization_id, warehouse):
            shown = await fetched_bodies(organization_id, part, warehouse, BodyForm.ASSEMBLED)
            of_rows = [dict(zip(BODIES, (bodies.request, bodies.response), strict=True)) for bodies in shown]
            names = [(f"c{place}", column.name) for place, column in enumerate(columns) if column.name in BODIES]
            yield [
                {**row, **{name: bodies[body] for name, body in names}}
                for row, bodies in zip(part, of_rows, strict=True)
            ]


async def _parts(
    page: Sequence[Row], organization_id: str, warehouse: QueryableWarehouse
) -> AsyncIterator[Sequence[Row]]:
    """Of so many rows and bytes; one row may have more."""
    for start in range(0, len(page), MAX_BODIES_ROWS):
        rows = page[start : start + MAX_BODIES_ROWS]
        for part in _cut(rows, await body_sizes(organization_id, rows, warehouse)):
            yield part


def _cut(rows: Sequence[Row], sizes: Mapping[Key, int]) -> Iterator[Sequence[Row]]:
    part: list[Row] = []
    size_bytes = 0
    for row in rows:
        own_bytes = sizes.get(key_of(row), 0)
        if part and size_bytes + own_bytes > MAX_BODIES_BYTES:
            yield part
            part, size_bytes = [], 0
        part.append(row)
        size_bytes += own_bytes
    if part:
        yield part
