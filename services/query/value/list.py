"""Lists value as it stands, and one entry with what it was before."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from fastapi import Response

from schemas.api.seal import seal_view
from schemas.api.value import ValueQuery, ValueVersion, ValueView
from schemas.errors import InvalidFilter, NotFound
from schemas.timestamps import from_unix_us
from services.domain.value.table import PROPERTY
from services.query.dependencies import ServiceDep
from services.query.http.auth import Reader
from services.query.http.csv import WantsCsv, header_block, table_csv
from services.query.http.responses import data_response
from services.query.reports.period import period_of
from services.query.time_zone import zone_of
from services.sql.parse import parse_filter
from services.sql.value import compile_entries, compile_entry_totals, compile_versions, names_in_filter
from services.sql.values import shown

MAX_VERSIONS: Final = 1000  # that are shown of one entry
_COLUMNS: Final = ("id", "amount", "currency", "user_id", "start", "end", "source", "given_at", "key_id")


async def query_value(body: ValueQuery, organization_id: Reader, service: ServiceDep, as_csv: WantsCsv) -> Response:
    """A page of entries as they stand, those of the latest times first; with `Accept: text/csv` as CSV."""
    zone = zone_of(body.time_zone)
    where = parse_filter(body.filter, zone)
    others = sorted(names_in_filter(where).not_given)
    if others:
        raise InvalidFilter(f"value has user_id and properties to filter by, and no {others[0]}")
    times, period = body.time_filter, None
    if times is not None:
        given = period_of(times.since, times.start, times.end, service.clock.now(), zone)
        period = given.start, given.end
    seal = await service.seals.current()
    rows, (totals,) = await asyncio.gather(
        service.warehouse.query(compile_entries(organization_id, where, period, body.limit, body.offset)),
        service.warehouse.query(compile_entry_totals(organization_id, where, period)),
    )
    total_rows = totals["entries"]
    beside = {"total_rows": total_rows, "has_more": body.offset + len(rows) < total_rows}
    views = [ValueView(**_shown(row)) for row in rows]
    if not as_csv:
        return data_response(views, **beside)
    block = header_block(
        "value",
        period or (None, None),
        body.time_zone,
        f"{body.offset + 1} to {body.offset + len(rows)} of {total_rows}" if rows else f"none of {total_rows}",
        service.shipped.release,
        seal_view(seal, priced_request_share=None, priced_token_share=None),  # no costs are shown
    )
    return _csv(views, block, **beside)


async def value_versions(value_id: str, organization_id: Reader, service: ServiceDep) -> Response:
    """All versions of an entry, the newest first: who gave it, when, and from where; deleted ones too."""
    rows = await service.warehouse.query(compile_versions(organization_id, value_id, MAX_VERSIONS))
    if not rows:
        raise NotFound(f"there is no value {shown(value_id)}")
    return data_response([ValueVersion(is_deleted=bool(row["is_deleted"]), **_shown(row)) for row in rows])


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["value_id"],
        "amount": row["value_usd"],
        "start": row["starts_at"],
        "end": row["ends_at"],
        "given_at": from_unix_us(row["version"]),
        **{name: row[name] for name in ("user_id", "properties", "source", "key_id")},
    }


def _csv(views: Sequence[ValueView], block: Sequence[str], **beside: object) -> Response:
    """It can be given back as it is: the intake passes over the `block`."""
    names = sorted({name for view in views for name in view.properties})
    head = [*_COLUMNS, *(f"{PROPERTY}{name}" for name in names)]
    return table_csv("value", head, _lines(views, names), block=block, **beside)


def _lines(views: Sequence[ValueView], names: Sequence[str]) -> Iterator[Sequence[object]]:
    for view in views:
        line = view.model_dump()
        yield [*(line[name] for name in _COLUMNS), *(view.properties.get(name) for name in names)]
