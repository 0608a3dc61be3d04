"""Several groupings of the same requests in one statement, which reads these once for all of them."""

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Any, Final, TypeAlias

import msgspec

from schemas.statement import RolledStatement, Statement
from services.sql.comparison import dimensions_in, figures_beside, rank_of, ranked_figures
from services.sql.compile import compile_dimension
from services.sql.filters import compile_filter
from services.sql.merged import is_merged
from services.sql.nodes import ByColumn, Comparison, Dimension, Filter, Report
from services.sql.rollup.grains import Grain
from services.sql.rollup.reading import RolledRows, rolled_rows
from services.sql.scope import Scope, compile_measure, from_rows

Query: TypeAlias = Report | Comparison

_TOTAL: Final = "total"


class Groupings(msgspec.Struct, frozen=True, kw_only=True):
    """`queries` that differ in their groups, and `by` all their dimensions, in an order that suits each of them."""

    queries: tuple[Query, ...]
    by: tuple[Dimension, ...]

    def rows_of(self, query: Query, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """What the statement of `query` alone would have found, out of the `rows` that theirs together has found."""
        columns = {f"d{at}": self._columns[by] for at, by in enumerate(report_of(query).by)}
        own, total = self.mask_of(report_of(query).by), self.mask_of(())
        return [
            *({**row, _TOTAL: 1} for row in rows if row["grouped"] == total),
            *(
                {**row, _TOTAL: 0, **{name: row[column] for name, column in columns.items()}}
                for row in rows
                if row["grouped"] == own != total
            ),
        ]

    def mask_of(self, by: Sequence[Dimension]) -> int:
        """What `grouping` of all dimensions is of groups `by` some of them: the bits of the others."""
        return sum(1 << place for place, each in enumerate(reversed(self.by)) if each not in by)

    @property
    def names(self) -> list[str]:
        return list(self._columns.values())

    @property
    def sets(self) -> str:
        sets = {query_by: None for query in self.queries if (query_by := report_of(query).by)}
        return ", ".join(f"({', '.join(self._columns[each] for each in by)})" for by in (*sets, ()))

    @property
    def whole(self) -> Query:
        """A query that has all dimensions, for what does not depend on them."""
        first = self.queries[0]
        if isinstance(first, Report):
            return msgspec.structs.replace(first, by=self.by)
        alignments = {
            self.by.index(query.report.by[at]): alignment
            for query in self.queries
            if isinstance(query, Comparison)
            for at, alignment in query.alignments.items()
        }
        report = msgspec.structs.replace(first.report, by=self.by)
        return msgspec.structs.replace(first, report=report, alignments=alignments)

    @property
    def _columns(self) -> dict[Dimension, str]:
        return {by: f"d{at}" for at, by in enumerate(self.by)}


def report_of(query: Query) -> Report:
    return query if isinstance(query, Report) else query.report


def joined_groupings(queries: Sequence[Query], *, is_rolled: bool) -> dict[tuple[int, ...], Groupings]:
    """Those of `queries` that can be had from one statement, together, by their positions; others are in none.

    They have no conditions on groups. `is_rolled`: the roll-up is worth reading, so it has all or none of them, in the
    same grain.
    """
    alike: dict[object, list[int]] = {}
    for place, query in enumerate(queries):
        report = report_of(query)
        if not report.having and not is_merged(report):
            grains = _grains(query) if is_rolled else ()
            of = (report.organization_id, report.table.name, grains, report.measures, *_periods(query))
            alike.setdefault(of, []).append(place)
    found = {tuple(places): _joined([queries[place] for place in places]) for places in alike.values()}
    return {places: groupings for places, groupings in found.items() if groupings is not None}


def estimates(queries: Sequence[Query]) -> tuple[Statement, ...]:
    """Each finds how many `rows` of a period the roll-up spares at most; together they decide about `is_rolled`.

    None where the roll-up has all or none of `queries` in the same grain, as they are joined all the same.
    """
    if len({_grains(query) for query in queries}) < 2:
        return ()
    query, found = next((query, rows) for query in queries if None not in (rows := _rolled_rows(query)))
    looks = (rows.compile_estimate(report_of(query).organization_id) for rows in found if rows is not None)
    return tuple(msgspec.structs.replace(look, is_cheap=True) for look in looks)


def _joined(queries: Sequence[Query]) -> Groupings | None:
    """None where they are not several, or a row of the result would not tell whose it is, or in which order."""
    sets = [report_of(query).by for query in queries]
    if len(queries) < 2 or len(set(map(frozenset, sets))) < len(queries):
        return None
    before: dict[Dimension, list[Dimension]] = {each: [] for by in sets for each in by}
    columns = [each.column.sql for each in before if isinstance(each, ByColumn)]
    if len(set(columns)) < len(columns):  # of two names for one column the engine makes one key
        return None
    for by in sets:
        for earlier, later in pairwise(by):
            before[later].append(earlier)
    try:
        ordered = tuple(TopologicalSorter(before).static_order())
    except CycleError:
        return None
    return Groupings(queries=tuple(queries), by=ordered)


def _periods(query: Query) -> tuple[Filter, ...]:
    """What holds for its requests, and then for those that they are compared with."""
    return (query.where,) if isinstance(query, Report) else (query.report.where, query.compared)


def _rolled_rows(query: Query) -> tuple[RolledRows | None, ...]:
    report = report_of(query)
    return tuple(rolled_rows(report.table, where, report.by, report.measures) for where in _periods(query))


def _grains(query: Query) -> tuple[Grain | None, ...]:
    """Those of its periods, in their order; none where the roll-up has not all of them."""
    found = _rolled_rows(query)
    return () if None in found else tuple(rows.grain for rows in found if rows is not None)


def compile_groupings(groupings: Groupings) -> Statement:
    """The groups of all queries, each in its order and within its limit, and the total, which all have in common.

    `grouped` says of which query a row is, by `mask_of`. Figures are named as in the statement of one alone.
    """
    whole = groupings.whole
    report = report_of(whole)
    scope = Scope(report.organization_id, report.where)
    halves = [
        _half(
            groupings,
            place,
            from_rows(report.table, compile_filter(where, about), about),
            [compile_measure(measure, scope) for measure in report.measures],
            scope,
        )
        for place, (where, about) in enumerate((where, scope.about(where)) for where in _periods(whole))
    ]
    statement = scope.statement(_ranked_sql(groupings, halves, scope))
    return msgspec.structs.replace(statement, rolled=_rolled_groupings(groupings))


def _rolled_groupings(groupings: Groupings) -> RolledStatement | None:
    whole = groupings.whole
    found = [rows for rows in _rolled_rows(whole) if rows is not None]
    if len(found) < len(_periods(whole)):
        return None
    report = report_of(whole)
    scope = Scope(report.organization_id, report.where)
    halves = [
        _half(
            groupings,
            place,
            rows.compile_rows(scope.about(rows.where), place),
            [measure.sql for measure in rows.measures],
            scope,
        )
        for place, rows in enumerate(found)
    ]
    return RolledStatement(
        estimates=tuple(rows.compile_estimate(report.organization_id) for rows in found),
        outdated=tuple(rows.compile_outdated(report.organization_id) for rows in found),
        rows=scope.statement(_ranked_sql(groupings, halves, scope)),
    )


def _half(groupings: Groupings, place: int, rows: str, figures: Sequence[str], scope: Scope) -> str:
    """The groups of the period at `place`, of which 0 is the report's own, over `rows`, which is SQL from FROM on.

    `figures` are the measures over them.
    """
    whole, names = groupings.whole, groupings.names
    if isinstance(whole, Comparison):
        dimensions = dimensions_in(whole, scope, is_here=not place)
    else:
        dimensions = [compile_dimension(by, scope) for by in whole.by]
    selected = [
        f"{int(not place)} AS here",
        f"grouping({', '.join(names)}) AS grouped",
        *(f"{dimension} AS {name}" for dimension, name in zip(dimensions, names, strict=True)),
        *(f"{figure} AS m{at}" for at, figure in enumerate(figures)),
    ]
    return f"SELECT {', '.join(selected)} {rows} GROUP BY GROUPING SETS ({groupings.sets})"


def _ranked_sql(groupings: Groupings, halves: Sequence[str], scope: Scope) -> str:
    """Groups are numbered in the order of their query, and cut where its limit is."""
    names, whole = groupings.names, groupings.whole
    keys = ", ".join(("grouped", *names))
    rows = f"FROM ({' UNION ALL '.join(halves)})"
    shown = [f"m{at}" for at in range(len(report_of(whole).measures))]
    if isinstance(whole, Comparison):
        figures = figures_beside(whole)
        ranked: dict[str, str] = {}
        for query in groupings.queries:
            ranked |= ranked_figures(query) if isinstance(query, Comparison) else {}
        selected = ", ".join((keys, *(f"{sql} AS {name}" for name, sql in (figures | ranked).items())))
        rows, shown = f"FROM (SELECT {selected} {rows} GROUP BY {keys})", list(figures)
    order = ", ".join((*(_rank(groupings, query) for query in groupings.queries if report_of(query).by), *names))
    nth = f"row_number() OVER (PARTITION BY grouped ORDER BY {order}) AS nth"
    limits = ", ".join(
        f"grouped = {groupings.mask_of(report.by)}, {scope.bind(report.limit, 'UInt64')}"
        for report in map(report_of, groupings.queries)
        if report.by
    )
    listed = ", ".join((keys, *shown))
    ordered = f"FROM (SELECT {listed}, {nth} {rows})"
    return f"SELECT {listed} {ordered} WHERE nth <= multiIf({limits}, 1) ORDER BY grouped, nth"


def _rank(groupings: Groupings, query: Query) -> str:
    """By what the groups of `query` are ordered, before their dimensions; nothing among those of others."""
    report = report_of(query)
    if report.order_by is None:
        rank = groupings.names[groupings.by.index(report.by[0])]
    else:
        rank = rank_of(query) if isinstance(query, Comparison) else f"m{report.order_by}"
    direction = "DESC" if report.descending else "ASC"
    return f"if(grouped = {groupings.mask_of(report.by)}, {rank}, NULL) {direction} NULLS LAST"
