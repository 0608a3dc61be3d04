"""What anomalies are looked for in: the largest groups, their figures by hour, and what a run of hours consists of."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from schemas.statement import Statement
from schemas.tables import REQUEST_RESPONSE, Operator
from schemas.timestamps import unix_us
from services.sql.compile import BUCKETS, compile_dimension
from services.sql.filters import compile_filter
from services.sql.measures import ADDED_UP, MEASURES, Measure
from services.sql.nodes import And, Dimension, Filter, Or, comparison
from services.sql.scope import Scope, from_rows

NAMED: Final = 20  # groups that the census names, and values of a dimension that a run is split into
_UNPRICED: Final = MEASURES["unpriced_requests"].sql
_ALL: Final = -1  # in place of the position of a driver
_NOTHING: Final = "''"
_SMALL: Final = 0  # in place of the digest of a key
_TIMESTAMP: Final = "DateTime64(3, 'UTC')"

Grouping = tuple[Dimension, ...]


class Span(msgspec.Struct, frozen=True):
    """From `start` on, before `end`."""

    start: datetime
    end: datetime

    def filter(self) -> Filter:
        return And(
            (
                comparison("request_created_at", Operator.GTE, self.start),
                comparison("request_created_at", Operator.LT, self.end),
            )
        )


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """Which groups are looked at. Each of `sizes` is what a group must have in `period`, of the measure beside it.

    Of a measure that does not add up the size is one of requests.
    """

    organization_id: str
    where: Filter
    period: Span
    groupings: tuple[Grouping, ...]
    measures: tuple[Measure, ...]
    sizes: tuple[Decimal, ...]
    limit: int  # of each grouping, the largest by the first measure


class RunOfGroup(msgspec.Struct, frozen=True, kw_only=True):
    """An anomaly whose parts are looked for: when it was, and the same times of earlier weeks."""

    grouping: Grouping
    key: tuple[str, ...]
    measure: Measure
    span: Span
    earlier: tuple[Span, ...]
    drivers: tuple[Dimension, ...] = ()
    is_fall: bool = False


def size_of(measure: Measure) -> str:
    return measure.sql if measure.name in ADDED_UP else MEASURES["requests"].sql


def compile_census(watch: Watch) -> Statement:
    """The largest groups of each grouping, by its `place`: `key` with its `digest`, and the sizes `m0, ...`.

    First the largest, both of those that are large enough, which `is_large` says, and of the others. Beside each stands
    how many `groups` its grouping has, and how many of them are `large` enough.
    """
    scope = Scope(watch.organization_id, watch.period.filter())
    names = [f"m{at}" for at in range(len(watch.measures))]
    sizes = ", ".join(f"{size_of(measure)} AS {name}" for measure, name in zip(watch.measures, names, strict=True))
    rows = f"{_rows(watch, watch.period, scope)} {_sets(watch.groupings)}"
    keys = ", ".join(f"{_key(grouping, scope)} AS k{at}" for at, grouping in enumerate(watch.groupings))
    texts = _of_place([f"[k{at}]" if len(grouping) < 2 else f"k{at}" for at, grouping in enumerate(watch.groupings)])
    digest = _of_place([f"cityHash64(k{at})" for at in _places(watch)])
    place = f"{_place(watch)} AS place, multiIf({texts}, []) AS key, multiIf({digest}, 0) AS digest"
    inner = f"SELECT {keys}, {place}, {sizes} {rows}"
    counted = "count() OVER (PARTITION BY place) AS groups, countIf(is_large) OVER (PARTITION BY place) AS large"
    shown = f"place, key, digest, {', '.join(names)}, {_large(watch, scope, names)} AS is_large"
    limit = scope.bind(max(NAMED, watch.limit), "UInt64")
    groups = f"FROM ({inner}) ORDER BY place, m0 DESC NULLS LAST, key LIMIT {limit} BY place, is_large"
    return scope.statement(f"SELECT {shown}, {counted} {groups}")


def compile_series(watch: Watch, span: Span, time_zone: str, census: Sequence[Mapping[str, Any]]) -> Statement:
    """Of each large group in `census` its hours within `span` in which there are requests.

    `place` of its grouping and `digest` of its key, see `with_keys`; arrays beside each other of `hours` in unix
    seconds, `requests`, and the measures `s0, ...`, not a number where a figure is unknown.
    """
    scope = Scope(watch.organization_id, span.filter())
    hour = BUCKETS["hour"].format(timestamp="request_created_at", zone=scope.bind(time_zone, "String"))
    measures = [f"ifNull(toFloat64({measure.sql}), nan) AS s{at}" for at, measure in enumerate(watch.measures)]
    digests = ", ".join(_digests(watch, census, scope))
    of_place = _of_place([f"k{at}" for at in _places(watch)])
    place = f"{_place(watch)} AS place, multiIf({of_place}, 0) AS digest"
    rows = f"{_rows(watch, span, scope)} {_sets(watch.groupings, 'hour')}"
    inner = f"SELECT {hour} AS hour, {digests}, {place}, count() AS counted, {', '.join(measures)} {rows}"
    arrays = [f"groupArray(s{at}) AS s{at}" for at in range(len(measures))]
    selected = [
        "place",
        "digest",
        "groupArray(toUnixTimestamp(hour)) AS hours",
        "groupArray(counted) AS requests",
        *arrays,
    ]
    hours = f"FROM ({inner}) WHERE digest != {_SMALL} GROUP BY place, digest"
    return scope.statement(f"SELECT {', '.join(selected)} {hours}")


def with_keys(series: Sequence[Mapping[str, Any]], census: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows of `compile_series` with the `key` of each group; the only one of a grouping by nothing is empty."""
    keys = {(row["place"], row["digest"]): row["key"] for row in census}
    return [{**row, "key": keys.get((row["place"], row["digest"]), [""])} for row in series]


def compile_parts(organization_id: str, where: Filter, runs: Sequence[RunOfGroup]) -> Statement:
    """What each of `runs` consists of. `run` is its position, `place` that of a driver, or -1 for all of the run.

    For each `value` the measure as text: `actual` in the run, `earlier` at the same times before; and of all the
    `requests` of the run, `unpriced` ones among them.

    All runs are found in one look at the rows: planning a query for each takes longer than to read what they have.
    """
    times = _times(runs)
    scope = Scope(organization_id, times)
    drivers = tuple(dict.fromkeys(by for run in runs for by in run.drivers))
    names = [f"v{position}" for position in range(len(drivers))]
    of_runs = [
        f"grouping({name}) = 0, {[_place_in(run, by) for run in runs]}[run + 1]"
        for name, by in zip(names, drivers, strict=True)
    ]
    place = f"multiIf({', '.join((*of_runs, str(_ALL)))})" if names else str(_ALL)
    values = ", ".join(part for name in names for part in (f"grouping({name}) = 0", name))
    starts = ", ".join(scope.bind(run.span.start, _TIMESTAMP) for run in runs)
    selected = [
        f"{_run(runs, scope)} AS run",
        f"request_created_at >= [{starts}][run + 1] AS here",
        *(f"{_text(by, scope)} AS {name}" for by, name in zip(drivers, names, strict=True)),
        f"toInt16({place}) AS place",
        f"{f'multiIf({values}, %s)' % _NOTHING if names else _NOTHING} AS value",
        f"{_measured(runs)} AS m",
        "count() AS counted",
        f"{_UNPRICED} AS unpriced_count",
    ]
    sets = ", ".join(f"({', '.join(('run', 'here', *name))})" for name in ((), *((name,) for name in names)))
    rows = from_rows(REQUEST_RESPONSE, compile_filter(And((times, where)), scope), scope)
    grouped = f"SELECT {', '.join(selected)} {rows} GROUP BY GROUPING SETS ({sets})"
    return scope.statement(_foremost(grouped, runs))


def _foremost(grouped: str, runs: Sequence[RunOfGroup]) -> str:
    """Of each run and place the values that explain most of it: the greatest rises, or falls where the run is one."""
    figure = "ifNull(toFloat64OrNull(m), 0)"
    earlier = f"{[len(run.earlier) or 1 for run in runs]}[run + 1]"
    sign = f"{[-1 if run.is_fall else 1 for run in runs]}[run + 1]"
    rank = f"{sign} * (anyIf({figure}, here) - anyIf({figure}, NOT here) / {earlier})"
    shown = [
        *("run", "place", "value"),
        *("anyIf(m, here) AS actual", "anyIf(m, NOT here) AS earlier"),
        *("anyIf(counted, here) AS requests", "anyIf(unpriced_count, here) AS unpriced"),
    ]
    both = f"FROM ({grouped}) WHERE place >= {_ALL} GROUP BY run, place, value"
    return f"SELECT {', '.join(shown)} {both} ORDER BY run, place, {rank} DESC, value LIMIT {NAMED} BY run, place"


def _place_in(run: RunOfGroup, driver: Dimension) -> int:
    """Of a driver among those of `run`; below `_ALL` where it is none of them."""
    return run.drivers.index(driver) if driver in run.drivers else _ALL - 1


def _measured(runs: Sequence[RunOfGroup]) -> str:
    """Each run's own measure, as text."""
    measures = dict.fromkeys(run.measure for run in runs)
    places = [tuple(at for at, run in enumerate(runs) if run.measure == measure) for measure in measures]
    parts = [
        f"run IN ({', '.join(map(str, of_measure))}), toString({measure.sql})"
        for measure, of_measure in zip(measures, places, strict=True)
    ]
    return f"multiIf({', '.join(parts)}, NULL)"


def _run(runs: Sequence[RunOfGroup], scope: Scope) -> str:
    """From a row to the run that it belongs to; a row of several stands for each of them, one of none for nothing.

    Which runs there are at its time is looked up, since few of all are at any one.
    """
    bounds, at_bounds = _timetable(runs)
    is_of = ", ".join(_is_of(run, scope) for run in runs)
    milliseconds = scope.bind(bounds, "Array(Int64)")
    place = f"indexOf({milliseconds}, roundDown(toUnixTimestamp64Milli(request_created_at), {milliseconds}))"
    return f"arrayJoin(arrayFilter(at -> [{is_of}][at + 1], {[list(at) for at in at_bounds]}[{place}]))"


def _is_of(run: RunOfGroup, scope: Scope) -> str:
    """Whether a row is of the group of `run`."""
    if not run.grouping:
        return "1"
    values = zip(run.grouping, run.key, strict=True)
    return " AND ".join(f"{_text(by, scope)} = {scope.bind(value, 'String')}" for by, value in values)


def _timetable(runs: Sequence[RunOfGroup]) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """Times in unix milliseconds, ascending; and of each which runs there are from then on, now or in earlier weeks."""
    spans = [[(_unix_ms(span.start), _unix_ms(span.end)) for span in (run.span, *run.earlier)] for run in runs]
    bounds = sorted({bound for of_run in spans for span in of_run for bound in span})
    return tuple(bounds), [
        tuple(at for at, of_run in enumerate(spans) if any(start <= bound < end for start, end in of_run))
        for bound in bounds
    ]


def _times(runs: Sequence[RunOfGroup]) -> Filter:
    """Holds at the times of any of `runs`; of times that touch as one."""
    merged: list[Span] = []
    for span in sorted({span for run in runs for span in (run.span, *run.earlier)}, key=lambda span: span.start):
        if merged and span.start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return Or(tuple(span.filter() for span in merged))


def _unix_ms(timestamp: datetime) -> int:
    return unix_us(timestamp) // 1000


def _digests(watch: Watch, census: Sequence[Mapping[str, Any]], scope: Scope) -> Iterator[str]:
    """The digest of the key of a row's group in each grouping, as `k0, ...`; `_SMALL` of what is none of the largest.

    Keys themselves may be too long for a statement, and numbers are grouped by in half the time.
    """
    for at, grouping in enumerate(watch.groupings):
        digest = f"cityHash64({_key(grouping, scope)})"
        if grouping:
            large = [row["digest"] for row in census if row["place"] == at and row["is_large"]][: watch.limit]
            digest = f"if({digest} IN {scope.bind(tuple(large), 'Array(UInt64)')}, {digest}, {_SMALL})"
        yield f"{digest} AS k{at}"


def _places(watch: Watch) -> range:
    return range(len(watch.groupings))


def _rows(watch: Watch, span: Span, scope: Scope) -> str:
    return from_rows(REQUEST_RESPONSE, compile_filter(And((span.filter(), watch.where)), scope), scope)


def _large(watch: Watch, scope: Scope, sizes: Sequence[str]) -> str:
    conditions = (
        f"ifNull({size} >= {scope.bind(least, 'Decimal(38, 12)')}, 0)"
        for size, least in zip(sizes, watch.sizes, strict=True)
    )
    return f"({' OR '.join(conditions)})"


def _key(grouping: Grouping, scope: Scope) -> str:
    """A text, or an array of several. Never a constant, which the engine would not group by."""
    texts = [_text(by, scope) for by in grouping] or ["left(toString(organization_id), 0)"]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def _text(by: Dimension, scope: Scope) -> str:
    return f"toString({compile_dimension(by, scope)})"


def _place(watch: Watch) -> str:
    return f"toUInt8(multiIf({_of_place([str(at) for at in _places(watch)])}, 255))"


def _of_place(values: Sequence[str]) -> str:
    """For `multiIf`: the value of the grouping that a row of the result is of."""
    return ", ".join(f"grouping(k{at}) = 0, {value}" for at, value in enumerate(values))


def _sets(groupings: Sequence[Grouping], *beside: str) -> str:
    sets = (", ".join((*beside, f"k{at}")) for at in range(len(groupings)))
    return f"GROUP BY GROUPING SETS ({', '.join(f'({each})' for each in sets)})"
