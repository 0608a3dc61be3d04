"""Comparison into the Statement that finds what a cost consists of in two periods, by group and model."""

from collections.abc import Sequence
from typing import Final

import msgspec

from schemas.statement import Statement
from schemas.tables import REQUEST_RESPONSE
from schemas.usage import USAGE_CLASSES
from services.sql.comparison import dimensions_in, from_both
from services.sql.filters import compile_filter
from services.sql.measures import MEASURES, ROWS, Measure
from services.sql.nodes import Comparison, Filter, Report
from services.sql.scope import Scope, compile_measure, from_rows

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


def compile_changes(comparison: Comparison, groups: int) -> Statement:
    """What each group's cost consists of in each period, by model and price: the measures `m0, m1, ...`.

    Of the first `groups` groups. The report's measures are `PARTS`, and its limit is one of rows. Those with `total` 1
    come first; then group by group the one whose cost differs most.
    """
    report = comparison.report
    scope = Scope(report.organization_id, report.where)
    names, figures = _names(report), [f"m{position}" for position in range(len(report.measures))]
    first = f"WITH {_first_groups(comparison, groups, scope)} AS first_groups " if names else ""
    here = _parts(comparison, report.where, scope, is_here=True)
    there = _parts(comparison, comparison.compared, scope.about(comparison.compared), is_here=False)
    sets = f"GROUPING SETS ((here, split, is_first, {', '.join(names)}), (here, split))" if names else "here, split"
    total = "grouping(d0)" if names else "1"
    sums = ", ".join(f"sum({figure}) AS s_{figure}" for figure in figures)
    having = " HAVING total = 1 OR is_first" if names else ""
    both = f"FROM ({here} UNION ALL {there}) GROUP BY {sets}{having}"
    summed = f"FROM (SELECT {', '.join(('here', f'{total} AS total', *names, 'split'))}, {sums} {both})"
    group = ", ".join(("total", *names))
    moved = f"FROM (SELECT *, abs({_moved('s_m0')} OVER (PARTITION BY {group})) AS moved {summed})"
    keys = [f"split[{place}] AS {name}" for place, name in enumerate(_KEYS, 1)]
    shown = [f"s_{figure} AS {figure}" for figure in figures]
    return scope.statement(
        f"{first}SELECT {', '.join(('here', 'total', *names, *keys, *shown))} {moved}"
        f" ORDER BY {', '.join(('total DESC', 'moved DESC', *names, 'here', 'split'))}"
        f" LIMIT {scope.bind(report.limit, 'UInt64')}"
    )


def _first_groups(comparison: Comparison, groups: int, scope: Scope) -> str:
    """The keys of the groups whose cost differs most. Only their rows are taken apart: that is thirty sums for each."""
    cost = msgspec.structs.replace(comparison.report, measures=(MEASURES["cost_usd"],), limit=groups)
    both = from_both(msgspec.structs.replace(comparison, report=cost), scope)
    names = ", ".join(_names(cost))
    limit = scope.bind(groups, "UInt64")
    ranked = f"{both} WHERE total = 0 GROUP BY {names} ORDER BY abs({_moved('m0')}) DESC, {names} LIMIT {limit}"
    found = f"FROM (SELECT {names} {ranked})"
    return f"(SELECT groupArray({_key(_names(cost))}) {found})"


def _parts(comparison: Comparison, where: Filter, scope: Scope, *, is_here: bool) -> str:
    """The figures of one period by model and price; of the first groups each, and of all others together."""
    report = comparison.report
    dimensions = dimensions_in(comparison, scope, is_here=is_here)
    keys = {"split": _SPLIT}
    if dimensions:
        keys["is_first"] = f"{_key(dimensions)} IN (SELECT arrayJoin(first_groups))"
    for by, name in zip(dimensions, _names(report), strict=True):
        keys[name] = f"if(is_first, {by}, defaultValueOfArgumentType({by}))"
    figures = {f"m{at}": compile_measure(measure, scope) for at, measure in enumerate(report.measures)}
    selected = ", ".join(f"{sql} AS {name}" for name, sql in (keys | figures).items())
    rows = from_rows(report.table, compile_filter(where, scope), scope)
    return f"SELECT {int(is_here)} AS here, {selected} {rows} GROUP BY {', '.join(keys)}"


def _key(dimensions: Sequence[str]) -> str:
    """Which group a row is of. A set of keys never holds NULL, so what has no value is told apart by a flag."""
    parts = (f"isNull({by}), ifNull({by}, defaultValueOfArgumentType(assumeNotNull({by})))" for by in dimensions)
    return f"({', '.join(parts)})"


def _moved(cost: str) -> str:
    known = f"ifNull({cost}, 0)"
    return f"sum(if(here = 1, {known}, -{known}))"


def _names(report: Report) -> list[str]:
    return [f"d{position}" for position in range(len(report.by))]
