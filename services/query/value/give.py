"""Takes value, and deletes it. Nothing is overwritten: a newer version stands before what was there."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec
from fastapi import Query, Response
from pydantic import BeforeValidator

from schemas.api.requests import UTC_NAME, TimeZone
from schemas.api.value import API, MAX_ENTRIES, MAX_SOURCE, ValueDeleted, ValueRequest, ValueTaken
from schemas.errors import InvalidRequest, NotFound
from schemas.key import ApiKey
from schemas.timestamps import unix_us
from schemas.value import ValueEntry
from services.domain.value.table import parse_table
from services.query.dependencies import Service, ServiceDep
from services.query.http.auth import Writer
from services.query.http.responses import data_response
from services.query.time_zone import zone_of
from services.query.value.entries import entries_of
from services.sql.value import compile_latest
from services.sql.values import shown

_BATCH: Final = 200  # ids, which are one parameter of a statement
_CONTENT: Final = frozenset({"starts_at", "ends_at", "user_id", "properties", "value_usd", "is_deleted"})

Source = Annotated[str, Query(min_length=1, max_length=MAX_SOURCE, description="Of CSV: where it comes from")]


def _of_csv(body: object) -> object:
    """A body that is not JSON is a table. Raises: InvalidRequest."""
    if not isinstance(body, bytes) or body.lstrip()[:1] in (b"{", b"["):
        return body
    try:
        entries = parse_table(body.decode())
    except UnicodeDecodeError as error:
        raise InvalidRequest("the body is neither JSON nor CSV in UTF-8") from error
    if not 0 < len(entries) <= MAX_ENTRIES:
        raise InvalidRequest(f"a table has 1 to {MAX_ENTRIES} entries, and not {len(entries)}")
    return {"values": entries}


GivenBody = Annotated[ValueRequest, BeforeValidator(_of_csv)]


async def give_value(
    body: GivenBody,
    key: Writer,
    service: ServiceDep,
    source: Source = API,
    timeZone: TimeZone = UTC_NAME,  # noqa: N803
) -> Response:
    """What users, customers or features earned, as JSON or as CSV. To send it again changes nothing."""
    zone = zone_of(timeZone if timeZone != UTC_NAME else body.time_zone)
    entries = entries_of(
        body.values,
        organization_id=key.organization_id,
        source=source if source != API else body.source,
        key_id=key.id,
        zone=zone,
    )
    latest = await latest_versions(key.organization_id, [entry.value_id for entry in entries], service)
    changed = [_version(entry, latest.get(entry.value_id), service) for entry in entries]
    await service.warehouse.keep_values([entry for entry in changed if entry is not None])
    created = sum(entry.value_id not in latest for entry in entries)
    unchanged = changed.count(None)
    taken = ValueTaken(
        created=created,
        corrected=len(entries) - created - unchanged,
        unchanged=unchanged,
        ids=[entry.value_id for entry in entries],
    )
    return data_response(taken)


async def delete_value(value_id: str, key: Writer, service: ServiceDep) -> Response:
    """Deletes an entry. Its versions are kept, and can be seen."""
    latest = (await latest_versions(key.organization_id, [value_id], service)).get(value_id)
    if latest is None or latest.is_deleted:
        raise NotFound(f"there is no value {shown(value_id)}")
    await service.warehouse.keep_values([_next(latest, key, service)])
    return data_response(ValueDeleted(deleted=value_id))


async def latest_versions(organization_id: str, ids: Sequence[str], service: Service) -> Mapping[str, ValueEntry]:
    """The newest version of each of `ids` that there is one of, be it a deletion. Raises: StoreUnavailable."""
    found: dict[str, ValueEntry] = {}
    for batch in _batches(ids):
        for row in await service.warehouse.query(compile_latest(organization_id, batch)):
            found[row["value_id"]] = entry_of_row(row, organization_id)
    return found


def entry_of_row(row: Mapping[str, Any], organization_id: str) -> ValueEntry:
    return ValueEntry(**{**row, "is_deleted": bool(row["is_deleted"])}, organization_id=organization_id)


def _version(entry: ValueEntry, latest: ValueEntry | None, service: Service) -> ValueEntry | None:
    """`entry` as the next version; None where it says what the latest one says."""
    if latest is not None and all(getattr(entry, name) == getattr(latest, name) for name in _CONTENT):
        return None
    return msgspec.structs.replace(entry, version=_next_version(latest, service))


def _next(latest: ValueEntry, key: ApiKey, service: Service) -> ValueEntry:
    version = _next_version(latest, service)
    return msgspec.structs.replace(latest, version=version, is_deleted=True, key_id=key.id, source=API)


def _next_version(latest: ValueEntry | None, service: Service) -> int:
    """The time, and in any case more than before: clocks may be set back."""
    now_us = unix_us(service.clock.now())
    return now_us if latest is None else max(now_us, latest.version + 1)


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[at : at + _BATCH] for at in range(0, len(ids), _BATCH))
