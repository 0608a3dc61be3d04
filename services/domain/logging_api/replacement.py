"""A call that is logged again: whether it may replace what stands under its id and timestamp, and what is kept.

A log replaces only what was itself logged, by the same key, within a day of its first log. What stood before stays
visible on the row. What passed the proxy no log replaces, and an event that is delivered again changes nothing.
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
from schemas.versions import written_us

REPLACED_WITHIN: Final = timedelta(hours=24)  # of the first log
MAX_REPLACED: Final = 100  # logs of one call before the one that counts

_MAX_NAME_BYTES: Final = 320  # as JSON; a row keeps those of all that it replaced
_WITHIN_US: Final = REPLACED_WITHIN // timedelta(microseconds=1)


class Replaced(msgspec.Struct, frozen=True, kw_only=True):
    """What a row said before its call was logged again."""

    written_at: datetime  # when it was logged, or re-priced; aware UTC
    user_id: str  # of a long one the beginning, as of the model
    model: str
    cost_usd: Decimal | None
    cost_state: CostState


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a log needs to know of the row that has its identity. The names are those of the columns."""

    version: int
    key_id: str
    first_logged_us: int
    logged_us: int
    replaced: str
    user_id: str
    model: str
    cost_usd: Decimal | None
    cost_state: CostState


STANDING: Final = Standing.__struct_fields__

_replaced = msgspec.json.Decoder(tuple[Replaced, ...])


def standing_of(row: RequestRecord | Mapping[str, Any]) -> Standing:
    """Of a record, or of a row as the warehouse answers it."""
    values = {name: row[name] if isinstance(row, Mapping) else getattr(row, name) for name in STANDING}
    return Standing(**values | {"cost_state": CostState(values["cost_state"])})


def replaced_of(text: str) -> Sequence[Replaced]:
    """What a row's column `replaced` holds, the oldest first."""
    return _replaced.decode(text) if text else ()


def objection(standing: Standing, key_id: str, recorded_us: int) -> str:
    """Why a log by `key_id`, recorded at `recorded_us`, may not replace what is `standing`; '' when it may."""
    if not standing.first_logged_us:
        return "a request that was not logged has this id and startTime already, and no log replaces it"
    if standing.key_id != key_id:
        return "another key has logged a call with this id and startTime"
    if recorded_us > standing.first_logged_us + _WITHIN_US:
        hours = REPLACED_WITHIN // timedelta(hours=1)
        return f"this call was first logged more than {hours} hours ago, and can no longer be replaced"
    if len(replaced_of(standing.replaced)) >= MAX_REPLACED:
        return f"this call was logged again {MAX_REPLACED} times already"
    return ""


def settled(log: RequestRecord, standing: Standing | None) -> RequestRecord | None:
    """The row to write for `log` where `standing` has its identity; None when that is this log, or a later one.

    Raises: LogConflict when it may not replace what is there.
    """
    if standing is None:
        return log
    if log.key_id == standing.key_id and standing.first_logged_us and log.logged_us <= standing.logged_us:
        return None
    why_not = objection(standing, log.key_id, log.logged_us)
    if why_not:
        raise LogConflict(why_not)
    stood = Replaced(
        written_at=from_unix_us(written_us(standing.version)),
        user_id=_beginning(standing.user_id),
        model=_beginning(standing.model),
        cost_usd=standing.cost_usd,
        cost_state=standing.cost_state,
    )
    before = (*replaced_of(standing.replaced), stood)
    return msgspec.structs.replace(
        log,
        version=max(log.version, standing.version + 1),  # also where a re-pricing has overtaken the log
        first_logged_us=standing.first_logged_us,
        replaced=msgspec.json.encode(before).decode(),
    )


def _beginning(name: str) -> str:
    """As much of `name` as its share of a row holds."""
    kept = name[:_MAX_NAME_BYTES]
    while len(msgspec.json.encode(kept)) > _MAX_NAME_BYTES:
        kept = kept[: len(kept) // 2]
    return kept
