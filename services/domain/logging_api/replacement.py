"""A call that is logged again: whether it may replace the row with its id and timestamp, and what the row keeps.

A log replaces only what was itself logged, by the same key, within a day of the first log. What it replaced stays
visible on the row. No log replaces a request that passed the proxy, and an event delivered again changes nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec

from schemas.errors import LogConflict
from schemas.price import CostState
from schemas.record import RequestRecord
from schemas.timestamps import from_unix_us
from schemas.versions import next_version, written_us

REPLACED_WITHIN: Final = timedelta(hours=24)  # of the first log
MAX_REPLACED: Final = 100  # logs of one call before the one that counts

_MAX_NAME_BYTES: Final = 320  # as JSON; a row has those of every log that it replaced
_WITHIN_US: Final = REPLACED_WITHIN // timedelta(microseconds=1)


class Replaced(msgspec.Struct, frozen=True, kw_only=True):
    """A row before its call was logged again."""

    written_at: datetime  # when it was logged, or re-priced; aware UTC
    user_id: str  # of a long one the beginning, as of the model
    model: str
    cost_usd: Decimal | None
    cost_state: CostState


class StoredRow(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of the row with a log's identity that decide whether the log may replace it."""

    version: int
    key_id: str
    first_logged_us: int
    logged_us: int
    replaced: str
    user_id: str
    model: str
    cost_usd: Decimal | None
    cost_state: CostState


STORED_NAMES: Final = StoredRow.__struct_fields__

_replaced = msgspec.json.Decoder(tuple[Replaced, ...])


def stored_row(row: RequestRecord | Mapping[str, Any]) -> StoredRow:
    """Of a record, or of a row as the warehouse returns it."""
    values = {name: row[name] if isinstance(row, Mapping) else getattr(row, name) for name in STORED_NAMES}
    return StoredRow(**values | {"cost_state": CostState(values["cost_state"])})


def replaced_of(text: str) -> Sequence[Replaced]:
    """The column `replaced` of a row, decoded; the oldest first."""
    return _replaced.decode(text) if text else ()


def conflict_reason(stored: StoredRow, key_id: str, recorded_us: int) -> str:
    """Why a log by `key_id`, recorded at `recorded_us`, may not replace `stored`; '' when it may."""
    if not stored.first_logged_us:
        return "a request that was not logged has this id and startTime already, and no log replaces it"
    if stored.key_id != key_id:
        return "another key has logged a call with this id and startTime"
    if recorded_us > stored.first_logged_us + _WITHIN_US:
        hours = REPLACED_WITHIN // timedelta(hours=1)
        return f"this call was first logged more than {hours} hours ago, and can no longer be replaced"
    if len(replaced_of(stored.replaced)) >= MAX_REPLACED:
        return f"this call was logged again {MAX_REPLACED} times already"
    return ""


def row_to_write(log: RequestRecord, stored: StoredRow | None) -> RequestRecord | None:
    """The row to write for `log` where `stored` has its identity; None when that is this log, or a later one.

    Raises: LogConflict when it may not replace `stored`.
    """
    if stored is None:
        return log
    if log.key_id == stored.key_id and stored.first_logged_us and log.logged_us <= stored.logged_us:
        return None
    why_not = conflict_reason(stored, log.key_id, log.logged_us)
    if why_not:
        raise LogConflict(why_not)
    stood = Replaced(
        written_at=from_unix_us(written_us(stored.version)),
        user_id=_beginning(stored.user_id),
        model=_beginning(stored.model),
        cost_usd=stored.cost_usd,
        cost_state=stored.cost_state,
    )
    before = (*replaced_of(stored.replaced), stood)
    return msgspec.structs.replace(
        log,
        version=max(log.version, next_version(stored.version)),  # also where a re-pricing has overtaken the log
        first_logged_us=stored.first_logged_us,
        replaced=msgspec.json.encode(before).decode(),
    )


def _beginning(name: str) -> str:
    """The beginning of `name`, at most `_MAX_NAME_BYTES` as JSON."""
    kept = name[:_MAX_NAME_BYTES]
    while len(msgspec.json.encode(kept)) > _MAX_NAME_BYTES:
        kept = kept[: len(kept) // 2]
    return kept
