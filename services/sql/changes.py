"""Comparison into the Statement that finds what a cost consists of in two periods, by group and model."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from schemas.statement import Statement
from schemas.tables import REQUEST_RESPONSE
from schemas.usage import USAGE_CLASSES
from services.sql.comparison import dimensions_in
from services.sql.filters import compile_filter
from services.sql.measures import MEASURES, ROWS, Measure
from services.sql.nodes import And, Comparison, Filter, Or, Report
from services.sql.scope import Scope, bounds_of, compile_measure, from_rows, searches_bodies

_KNOWN: Final = "cost_usd IS NOT NULL"

# Of the requests with a known cost only, so that what they used belongs to what they cost.
PARTS: Final[tuple[Measure, ...]] = (
    MEASURES["cost_usd"],
    ROWS,
    Measure(name="priced", sql=f"countIf({_KNOWN})", unit="requests", meaning="with a known cost"),
    Measure(
        name="paid",
        sql=f"countIf({_KNOWN} AND outcome != 'cached')",
        unit="requests",
        meaning="with a known cost, and not from the response cache",
    ),
    *(
        Measure(name=name, sql=f"sumIf({name}, {_KNOWN})", unit=name.rpartition("_")[2], meaning="of these")
        for name in USAGE_CLASSES
    ),
)
# With the other models that took part: that more requests have an image drawn is another mix, and no dearer price.
_MODELS: Final = (
    f"if(other_models = '', toString(model), concat(model, ' with ', {REQUEST_RESPONSE.columns['other_models'].sql}))"
)
_KEYS: Final = {"provider": "toString(provider)", "model": _MODELS, "price_id": "toString(price_id)"}
# One value, since of a key that is a dimension too the engine would make one. It takes tuples apart.
_SPLIT: Final = f"array({', '.join(_KEYS.values())})"


class _Reading(NamedTuple):
    """What one SELECT reads: SQL from FROM on, what is 1 for rows of the report's own period, and the dimensions."""

    rows: str
    here: str
    dimensions: Sequence[str]


def compile_changes(comparison: Comparison, groups: int) -> Statement:
    """What each group's cost consists of in each period, by model and price: the measures `m0, m1, ...`.

    Of the first `groups` groups. The report's measures are `PARTS`, and its limit is one of rows. Those with `total` 1
    come first; then group by group the one whose cost differs most.
    """
    report = comparison.report
    scope = Scope(report.organization_id, report.where)
    names, figures = _names(report), [f"m{position}" for position in range(len(report.measures))]
    readings = _readings(comparison, scope)
    first = f"WITH {_first_groups(report, readings, groups, scope)} AS first_groups " if names else ""
    parts = " UNION ALL ".join(_parts(report, reading, scope) for reading in readings)
    sets = f"GROUPING SETS ((here, split, is_first, {', '.join(names)}), (here, split))" if names else "here, split"
    total = "grouping(d0)" if names else "1"
    sums = ", ".join(f"sum({figure}) AS s_{figure}" for figure in figures)
    having = " HAVING total = 1 OR is_first" if names else ""
    both = f"FROM ({parts}) GROUP BY {sets}{having}"
    summed = f"FROM (SELECT {', '.join(('here', f'{total} AS total', *names, 'split'))}, {sums} {both})"
    group = ", ".join(("total", *names))
    moved = (
        f"FROM (SELECT *, abs(sum({_signed('ifNull(s_m0, 0)', 'here')}) OVER (PARTITION BY {group})) AS moved {summed})"
    )
    keys = [f"split[{place}] AS {name}" for place, name in enumerate(_KEYS, 1)]
    shown = [f"s_{figure} AS {figure}" for figure in figures]
    return scope.statement(
        f"{first}SELECT {', '.join(('here', 'total', *names, *keys, *shown))} {moved}"
        f" ORDER BY {', '.join(('total DESC', 'moved DESC', *names, 'here', 'split'))}"
        f" LIMIT {scope.bind(report.limit, 'UInt64')}"
    )


def _readings(comparison: Comparison, scope: Scope) -> Sequence[_Reading]:
    """Of both periods at once where each row is of one of them, or else of each by itself."""
    here, there = comparison.report.where, comparison.compared
    # The texts of bodies are searched within one period.
    if not comparison.alignments and _are_apart(here, there) and not searches_bodies(here):
        rows = from_rows(comparison.report.table, compile_filter(_either(here, there), scope), scope)
        return [_Reading(rows, compile_filter(scope.period, scope), dimensions_in(comparison, scope, is_here=True))]
    readings = []
    for is_here, where, about in ((True, here, scope), (False, there, scope.about(there))):
        rows = from_rows(comparison.report.table, compile_filter(where, about), about)
        readings.append(_Reading(rows, str(int(is_here)), dimensions_in(comparison, about, is_here=is_here)))
    return readings


def _are_apart(here: Filter, there: Filter) -> bool:
    """Whether no row fulfils both: periods end before the timestamp that they end with."""
    (start, end), (other_start, other_end) = bounds_of(here), bounds_of(there)
    if start is None or end is None or other_start is None or other_end is None:
        return False
    # But a filter may let through one timestamp alone, which lies in both periods.
    return start < end and other_start < other_end and (other_end <= start or end <= other_start)


def _either(here: Filter, there: Filter) -> Filter:
    """What both say is said once: the engine would look at it twice."""
    terms, others = (where.terms if isinstance(where, And) else (where,) for where in (here, there))
    own = And(tuple(term for term in terms if term not in others))
    other = And(tuple(term for term in others if term not in terms))
    return And((Or((own, other)), *(term for term in terms if term in others)))


def _first_groups(report: Report, readings: Sequence[_Reading], groups: int, scope: Scope) -> str:
    """The keys of the groups whose cost differs most. Only their rows are taken apart: that is thirty sums for each."""
    names = _names(report)
    named = ", ".join(names)
    moved = [
        f"SELECT {_named(reading.dimensions, names)}, sum({_signed('cost_usd', reading.here)}) AS moved {reading.rows}"
        f" GROUP BY {named}"
        for reading in readings
    ]
    both = f"FROM ({' UNION ALL '.join(moved)}) GROUP BY {named}"
    limit = scope.bind(groups, "UInt64")
    found = f"FROM (SELECT {named} {both} ORDER BY abs(ifNull(sum(moved), 0)) DESC, {named} LIMIT {limit})"
    return f"(SELECT groupArray({_key(names)}) {found})"


def _parts(report: Report, reading: _Reading, scope: Scope) -> str:
    """The figures of a reading by model and price; of the first groups each, and of all others together."""
    keys = {"here": reading.here, "split": _SPLIT}
    if reading.dimensions:
        keys["is_first"] = f"{_key(reading.dimensions)} IN (SELECT arrayJoin(first_groups))"
    for by, name in zip(reading.dimensions, _names(report), strict=True):
        keys[name] = f"if(is_first, {by}, defaultValueOfArgumentType({by}))"
    figures = {f"m{at}": compile_measure(measure, scope) for at, measure in enumerate(report.measures)}
    selected = _named((keys | figures).values(), (keys | figures).keys())
    return f"SELECT {selected} {reading.rows} GROUP BY {', '.join(keys)}"


def _key(dimensions: Sequence[str]) -> str:
    """Which group a row is of. A set of keys never holds NULL, so what has no value is told apart by a flag."""
    parts = (f"isNull({by}), ifNull({by}, defaultValueOfArgumentType(assumeNotNull({by})))" for by in dimensions)
    return f"({', '.join(parts)})"


def _signed(cost: str, here: str) -> str:
    return f"if({here}, {cost}, -{cost})"


def _named(values: Iterable[str], names: Iterable[str]) -> str:
    return ", ".join(f"{sql} AS {name}" for sql, name in zip(values, names, strict=True))


def _names(report: Report) -> list[str]:
    return [f"d{position}" for position in range(len(report.by))]
