"""Reports that read the roll-up: which can, and what they read.

A statement reads whole buckets between two times from the roll-up, and everything else from the rows: what lies before
and after, and the buckets that are not complete. Which these are is looked up just before, so that what is read is
never older than that.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, assert_never
from zoneinfo import ZoneInfo

import msgspec

from schemas.statement import OUTDATED, Statement
from schemas.tables import REQUEST_RESPONSE, ROLLUP, Kind, Operator, Table
from services.sql.filters import compile_filter
from services.sql.measures import Measure
from services.sql.nodes import And, ByColumn, ByProperty, ByTime, Compare, Dimension, Everything, Filter, Not, Or
from services.sql.rollup.computing import TOUCHED
from services.sql.rollup.grains import FACTS, GRAINS, FoldedMeasure, Grain, Unit, folded
from services.sql.scope import MAX_SQL, Scope, bounds_of, from_rows

MIN_BUCKETS: Final = 3  # between start and end; fewer are not worth a look
_EARLIEST: Final = datetime(1970, 1, 5, tzinfo=UTC)  # a Monday
_LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)
_LONGEST: Final = timedelta(days=20 * 366)  # whose offsets from UTC are looked at
_TIMESTAMP: Final = "request_created_at"
# What holds for a whole bucket where it holds for its start.
_BOUNDS: Final = frozenset({Operator.GTE, Operator.LT, Operator.LTE})
_FIXED: Final = re.compile(r"Fixed/UTC[+-](\d\d):(\d\d):(\d\d)")
_WITHIN_DAYS: Final = frozenset({"day", "week", "month", "quarter", "year"})


class RolledRows(msgspec.Struct, frozen=True, kw_only=True):
    """From which grain, between which starts of buckets; and the measures over its groups."""

    grain: Grain
    start: datetime
    end: datetime
    measures: tuple[FoldedMeasure, ...]
    where: Filter
    columns: frozenset[str]

    def compile_estimate(self, organization_id: str) -> Statement:
        """At most how many `rows` are stored in these buckets, by the index alone: none is read."""
        scope = Scope(organization_id, Everything())
        start, end = _seconds(self.start, scope), _seconds(self.end, scope)
        within = f"{_TIMESTAMP} >= {start} AND {_TIMESTAMP} < {end}"
        return scope.statement(
            f"EXPLAIN ESTIMATE SELECT request_id {from_rows(REQUEST_RESPONSE, within, scope, final=False)}"
        )

    def compile_outdated(self, organization_id: str) -> Statement:
        """Which buckets have rows that were written since they were computed, and how many rows all of them have."""
        scope = Scope(organization_id, Everything())
        unit, start, end = self.grain.unit, _seconds(self.start, scope), _seconds(self.end, scope)
        hour = f"toStartOfHour({_TIMESTAMP})"
        within = f"{hour} >= {start} AND {hour} < {end}"
        rows = from_rows(REQUEST_RESPONSE, within, scope, final=False)
        hours = f"FROM (SELECT {TOUCHED} {rows} GROUP BY {hour})"
        written = f"SELECT {unit.start_of('hour')} AS bucket, touched_us, 0 AS until_us, stored {hours}"
        kept = f"grain = '{self.grain.name}' AND is_whole AND starts_at >= {start} AND starts_at < {end}"
        rolled = from_rows(ROLLUP, kept, scope, final=False)
        both = f"FROM ({written} UNION ALL SELECT starts_at, 0, complete_until_us, 0 {rolled}) GROUP BY bucket"
        is_outdated = "max(touched_us) >= max(until_us) AS is_outdated"
        buckets = f"FROM (SELECT bucket, {is_outdated}, sum(stored) AS rows_stored {both})"
        found = (
            f"groupArrayIf(toUnixTimestamp(bucket), is_outdated) AS {OUTDATED},"
            " sumIf(rows_stored, is_outdated) AS remaining, sumIf(rows_stored, NOT is_outdated) AS spared"
        )
        return scope.statement(f"SELECT {found} {buckets}")

    def compile_rows(self, scope: Scope, place: int = 0) -> str:
        """What stands for the rows of requests: groups of whole buckets, and single requests, with facts of each.

        `place` is that of the outdated buckets among those of the statement.
        """
        facts = sorted(set().union(*(measure.facts for measure in self.measures)))
        condition = compile_filter(self.where, scope)
        start, end = _seconds(self.start, scope), _seconds(self.end, scope)
        listed = f"{{{OUTDATED}{place}:Array(UInt32)}}"
        outdated = f"(SELECT toDateTime(arrayJoin({listed}), 'UTC'))"
        columns = sorted(self.columns)
        arrays = ", ".join(f"groups.{name} AS {name}" for name in (*columns, *facts))
        kept = (
            f"grain = '{self.grain.name}' AND is_whole AND starts_at >= {start} AND starts_at < {end}"
            f" AND starts_at NOT IN {outdated}"
        )
        start_of_bucket = f"toDateTime64(starts_at, 3, 'UTC') AS {_TIMESTAMP}"
        groups = (
            f"FROM (SELECT {', '.join((start_of_bucket, *columns, *facts))}{self._pairs}"
            f" {from_rows(ROLLUP, kept, scope, joined=f' ARRAY JOIN {arrays}')})"
        )
        others = f"({_TIMESTAMP} < {start} OR {_TIMESTAMP} >= {end} OR {self.grain.unit.is_in(_TIMESTAMP, listed)})"
        single = ", ".join((_TIMESTAMP, *columns, *(_of_row(name) for name in facts)))
        requests = f"SELECT {single} {from_rows(REQUEST_RESPONSE, f'{others} AND {condition}', scope)}"
        of_groups = f"SELECT {', '.join((_TIMESTAMP, *columns, *facts))} {groups} WHERE {condition}"
        return f"FROM ({of_groups} UNION ALL {requests})"

    @property
    def _pairs(self) -> str:
        """What a filter on properties names for the sake of an index, which groups do not have."""
        return ", CAST([], 'Array(UInt64)') AS property_pairs" if "properties" in self.columns else ""


def rolled_rows(table: Table, where: Filter, by: Sequence[Dimension], measures: Iterable[Measure]) -> RolledRows | None:
    """How groups `by` of the requests that fulfil `where` can be had from the roll-up; None where they cannot."""
    found = [folded(measure) for measure in measures]
    wanted = [measure for measure in found if measure is not None]
    columns = _columns_of(where)
    if table is not REQUEST_RESPONSE or columns is None or len(wanted) < len(found) or _is_long(where):
        return None
    columns = columns.union(*map(_columns_by, by), *(measure.columns for measure in wanted))
    for grain in GRAINS:
        if columns <= {*grain.columns, _TIMESTAMP}:
            start, end = _bounds(where, grain.unit)
            if end - start < MIN_BUCKETS * grain.unit.length:
                return None
            if all(_is_aligned(part, grain.unit, start, end) for part in by):
                return RolledRows(
                    grain=grain,
                    start=start,
                    end=end,
                    measures=tuple(wanted),
                    where=where,
                    columns=columns - {_TIMESTAMP},
                )
    return None


def _is_long(where: Filter) -> bool:
    """It stands in a statement up to four times, and that has an end."""
    return len(compile_filter(where, Scope("", where))) > MAX_SQL // 8


def _bounds(where: Filter, unit: Unit) -> tuple[datetime, datetime]:
    """The whole buckets that lie within the period of `where`."""
    after, before = bounds_of(where)
    start = _EARLIEST if after is None else max(_EARLIEST, after)
    end = _LATEST if before is None else min(_LATEST, before)
    length = unit.length
    return _EARLIEST - (_EARLIEST - start) // length * length, _EARLIEST + (end - _EARLIEST) // length * length


def _is_aligned(by: Dimension, unit: Unit, start: datetime, end: datetime) -> bool:
    """Whether no bucket of `unit` is part of two buckets of the report."""
    if not isinstance(by, ByTime):
        return True
    offsets = _offsets(by.time_zone, start, end)
    match unit:
        case Unit.HOUR:
            whole = by.bucket in _WITHIN_DAYS or by.bucket == "hour"
            return whole and all(offset % timedelta(hours=1) == timedelta(0) for offset in offsets)
        case Unit.DAY:
            return by.bucket in _WITHIN_DAYS and offsets == {timedelta(0)}
        case Unit.WEEK:
            return by.bucket == "week" and offsets == {timedelta(0)}
        case _:
            assert_never(unit)


def _offsets(time_zone: str, start: datetime, end: datetime) -> set[timedelta]:
    """From UTC, be it to the east or west, within the period; of a very long one, one that nothing is aligned with."""
    if fixed := _FIXED.fullmatch(time_zone):
        hours, minutes, seconds = map(int, fixed.groups())
        return {timedelta(hours=hours, minutes=minutes, seconds=seconds)}
    zone = ZoneInfo(time_zone)
    if end - start > _LONGEST:
        return {timedelta(minutes=1)}
    days = range((end - start) // timedelta(days=1) + 2)
    offsets = ((start + timedelta(days=day)).astimezone(zone).utcoffset() for day in days)
    return {offset for offset in offsets if offset is not None}


def _columns_by(by: Dimension) -> frozenset[str]:
    match by:
        case ByColumn(column):
            return frozenset({column.sql})
        case ByProperty():
            return frozenset({"properties"})
        case ByTime():
            return frozenset({_TIMESTAMP})


def _columns_of(where: Filter, *, is_outermost: bool = True) -> frozenset[str] | None:
    """Columns of the rows that decide whether they fulfil `where`; None where groups cannot tell.

    A time is a bound of the whole period, or groups cannot tell.
    """
    match where:
        case Everything():
            return frozenset()
        case And(terms) | Or(terms):
            inside = is_outermost and isinstance(where, And)
            found = [_columns_of(term, is_outermost=inside) for term in terms]
            known = [columns for columns in found if columns is not None]
            return frozenset().union(*known) if len(known) == len(found) else None
        case Not(term):
            return _columns_of(term, is_outermost=False)
        case Compare(column=column, operator=operator):
            if column.sql == _TIMESTAMP:
                return frozenset() if is_outermost and operator in _BOUNDS else None
            plain = column.kind in (Kind.TEXT, Kind.TEXT_MAP, Kind.MAP_KEY)
            return frozenset({column.sql}) if plain else None
        case _:
            return None


def _of_row(name: str) -> str:
    of_row = FACTS[name].of_row
    return of_row if of_row == name else f"{of_row} AS {name}"


def _seconds(timestamp: datetime, scope: Scope) -> str:
    return f"toDateTime({scope.bind(int(timestamp.timestamp()), 'UInt32')}, 'UTC')"
