"""Comparison into Statement: the groups of two periods beside each other, ranked and cut in the warehouse."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from schemas.statement import RolledStatement, Statement
from services.sql.compile import BUCKETS, compile_dimension, compile_having
from services.sql.filters import compile_filter
from services.sql.measures import Measure, Source
from services.sql.merged import is_merged, merged_groups
from services.sql.nodes import Alignment, ByTime, Comparison, Dimension, Filter, Ranked, ValueRows
from services.sql.rollup.reading import rolled_rows
from services.sql.scope import Scope, compile_measure, from_rows
from services.sql.score_measures import is_zero_of_nothing

_DATES = {"day": "Days", "week": "Days", "month": "Months", "quarter": "Months", "year": "Months"}


def compile_comparison(comparison: Comparison) -> Statement:
    """Groups `d0, d1, ...` with the tuple `here_figures`, and that of the other period, `there_figures`.

    `is_here` and `was_there` say in which of the two a group has requests; without any its tuple means nothing. The row
    with `total` 1 comes first.
    """
    scope = Scope(comparison.report.organization_id, comparison.report.where)
    statement = scope.statement(_comparison_sql(comparison, from_both(comparison, scope), scope))
    return msgspec.structs.replace(statement, rolled=_rolled_comparison(comparison))


def _rolled_comparison(comparison: Comparison) -> RolledStatement | None:
    report = comparison.report
    periods = (report.where, comparison.compared)
    here, there = (rolled_rows(report.table, where, report.by, report.measures) for where in periods)
    if here is None or there is None:
        return None
    scope = Scope(report.organization_id, report.where)
    halves = [
        _of_rows(
            rows.compile_rows(scope.about(rows.where), place),
            dimensions_in(comparison, scope, is_here=not place),
            [measure.sql for measure in rows.measures],
            is_here=not place,
        )
        for place, rows in enumerate((here, there))
    ]
    return RolledStatement(
        estimates=tuple(rows.compile_estimate(report.organization_id) for rows in (here, there)),
        outdated=tuple(rows.compile_outdated(report.organization_id) for rows in (here, there)),
        rows=scope.statement(_comparison_sql(comparison, f"FROM ({' UNION ALL '.join(halves)})", scope)),
    )


def _comparison_sql(comparison: Comparison, both: str, scope: Scope) -> str:
    report = comparison.report
    names = [f"d{position}" for position in range(len(report.by))]
    figures = [f"{sql} AS {name}" for name, sql in (figures_beside(comparison) | ranked_figures(comparison)).items()]
    return (
        f"SELECT {', '.join(('total', *names, *figures))} {both}"
        f" GROUP BY {', '.join(('total', *names))}{compile_having(report.having, 'a', scope)}"
        f" ORDER BY total DESC{_order(comparison, names)} LIMIT {scope.bind(report.limit + 1, 'UInt64')}"
    )


def figures_beside(comparison: Comparison) -> dict[str, str]:
    """What is shown of a group: in which periods it has requests, and the measures of each."""
    # Tuples: to plan a query takes long, and as long as one of thirty more figures for each period.
    row = f"tuple({', '.join(f'm{position}' for position in range(len(comparison.report.measures)))})"
    return {
        "is_here": "max(here = 1)",
        "was_there": "max(here = 0)",
        "here_figures": f"anyIf({row}, here = 1)",
        "there_figures": f"anyIf({row}, here = 0)",
    }


def ranked_figures(comparison: Comparison) -> dict[str, str]:
    """Those that groups are ordered or left out by: `a0, a1, ...`, and `b0, b1, ...` in the other period."""
    report = comparison.report
    of_both = set() if report.order_by is None else {report.order_by}
    places = sorted({condition.measure for condition in report.having} | of_both)
    here = {f"a{at}": _figure(report.measures[at], at, "here = 1", report.value) for at in places}
    there = {
        f"b{at}": _figure(report.measures[at], at, "here = 0", comparison.compared_value) for at in sorted(of_both)
    }
    return here | there


def from_both(comparison: Comparison, scope: Scope) -> str:
    """The groups of both periods with their measures, one under another: `here` is 1 in the report's own, 0 there."""
    here = _groups(comparison, comparison.report.where, scope, is_here=True)
    there = _groups(comparison, comparison.compared, scope.about(comparison.compared), is_here=False)
    return f"FROM ({here} UNION ALL {there})"


def _groups(comparison: Comparison, where: Filter, scope: Scope, *, is_here: bool) -> str:
    report = comparison.report
    dimensions = dimensions_in(comparison, scope, is_here=is_here)
    if is_merged(report):
        value = report.value if is_here else comparison.compared_value
        groups = f"FROM ({merged_groups(report, where, value, dimensions, scope)})"
        return f"SELECT {int(is_here)} AS here, * {groups}"
    figures = [compile_measure(measure, scope) for measure in report.measures]
    rows = from_rows(report.table, compile_filter(where, scope), scope)
    return _of_rows(rows, dimensions, figures, is_here=is_here)


def _of_rows(rows: str, dimensions: Sequence[str], figures: Sequence[str], *, is_here: bool) -> str:
    """The groups of one period over `rows`, which is SQL from FROM on. `figures` are the measures over them."""
    names = [f"d{position}" for position in range(len(dimensions))]
    selected = [
        f"{int(is_here)} AS here",
        "grouping(d0) AS total" if names else "1 AS total",
        *(f"{dimension} AS {name}" for dimension, name in zip(dimensions, names, strict=True)),
        *(f"{figure} AS m{position}" for position, figure in enumerate(figures)),
    ]
    grouped = f" GROUP BY GROUPING SETS (({', '.join(names)}), ())" if names else ""
    return f"SELECT {', '.join(selected)} {rows}{grouped}"


def dimensions_in(comparison: Comparison, scope: Scope, *, is_here: bool) -> list[str]:
    """From a row of the report's own period, or of the other one, to its group."""
    alignments = {} if is_here else comparison.alignments
    return [_dimension(by, alignments.get(position), scope) for position, by in enumerate(comparison.report.by)]


def _figure(measure: Measure, position: int, condition: str, value: ValueRows | None) -> str:
    figure = f"anyIf(m{position}, {condition})"
    return f"if(max({condition}) = 0, 0, {figure})" if is_zero_without_rows(measure, value) else figure


def is_zero_without_rows(measure: Measure, value: ValueRows | None) -> bool:
    """Whether a group without requests in a period has zero there, and not nothing. `value` is that of the period.

    A group without requests has the figures of nothing there; without value, what value is there.
    """
    is_known = measure.source is not Source.VALUE or (value is not None and value.of_groups)
    return is_zero_of_nothing(measure.name) and is_known


def _dimension(by: Dimension, alignment: Alignment | None, scope: Scope) -> str:
    """A bucket of the other period is named after the one beside which it stands."""
    bucket = compile_dimension(by, scope)
    if alignment is None or not isinstance(by, ByTime):
        return bucket
    if isinstance(alignment.first, datetime) and isinstance(alignment.compared_first, datetime):
        seconds = scope.bind(int((alignment.first - alignment.compared_first).total_seconds()), "Int64")
        zone = scope.bind(by.time_zone, "String")
        # Once more to the start of a bucket: clocks may be set by less than one.
        return BUCKETS[by.bucket].format(timestamp=f"addSeconds({bucket}, {seconds})", zone=zone)
    unit = _DATES[by.bucket]
    first, other = (
        f"toDate({scope.bind(day.isoformat(), 'String')})" for day in (alignment.first, alignment.compared_first)
    )
    return f"add{unit}({first}, dateDiff('{unit[:-1].lower()}', {other}, {bucket}))"


def _order(comparison: Comparison, names: Sequence[str]) -> str:
    position = comparison.report.order_by
    direction = "DESC" if comparison.report.descending else "ASC"
    if not names:
        return ""
    if position is None:
        return f", {names[0]} {direction}, {', '.join(names)}"
    return f", {rank_of(comparison)} {direction} NULLS LAST, {', '.join(names)}"


def rank_of(comparison: Comparison) -> str:
    """By what groups are ordered, over their `ranked_figures`, where they are ordered by a measure."""
    position = comparison.report.order_by
    ranked = {
        Ranked.VALUE: f"a{position}",
        Ranked.PREVIOUS: f"b{position}",
        Ranked.CHANGE: f"a{position} - b{position}",
        Ranked.RELATIVE: f"toFloat64(a{position} - b{position}) / nullIf(abs(toFloat64(b{position})), 0)",
    }
    return ranked[comparison.ranked]
