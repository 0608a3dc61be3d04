"""Reports whose measures are over several things: requests, sessions, users, and what was earned.

Each of these is grouped apart by the same dimensions, and then groups and totals are put together. What a session or
user costs in the total is all of it, and no part by group.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from schemas.statement import Statement
from services.sql.compile import compile_dimension, having_condition
from services.sql.filters import compile_filter
from services.sql.measures import MEASURES, Measure, Source
from services.sql.nodes import Filter, Report, ValueRows
from services.sql.scope import Scope, compile_measure, from_rows
from services.sql.score_measures import is_zero_of_nothing
from services.sql.value import from_parts

# Sessions and users as one value each, since of a key that is a dimension too the engine would make one.
_UNITS: Final = {
    Source.SESSIONS: ("array(session_id, session_name)", "session_id != ''"),
    Source.USERS: ("array(user_id)", "user_id != ''"),
}
_EARNED: Final = {"earned": "sum(part_picodollars)", "given": "uniqExact(value_id)"}
_NO_REQUESTS: Final = f"max(source = '{Source.REQUESTS}') = 0"


def is_merged(report: Report) -> bool:
    """Whether its statement is that of `compile_merged`; else it is that of `compile_report`."""
    return any(measure.source is not Source.REQUESTS for measure in report.measures)


def compile_merged(report: Report) -> Statement:
    """What `compile_report` returns, for measures of every source."""
    scope = Scope(report.organization_id, report.where)
    dimensions = [compile_dimension(by, scope) for by in report.by]
    groups = f"FROM ({merged_groups(report, report.where, report.value, dimensions, scope)})"
    where = f" WHERE {having_condition(report.having, 'm', scope)}" if report.having else ""
    order = ["total DESC", *_order(report, _names(dimensions))]
    limit = scope.bind(report.limit + 1, "UInt64")
    return scope.statement(f"SELECT * {groups}{where} ORDER BY {', '.join(order)} LIMIT {limit}")


def _order(report: Report, names: Sequence[str]) -> Sequence[str]:
    if not names:
        return ()
    first = names[0] if report.order_by is None else f"m{report.order_by}"
    return f"{first} {'DESC' if report.descending else 'ASC'} NULLS LAST", *names


def merged_groups(
    report: Report, where: Filter, value: ValueRows | None, dimensions: Sequence[str], scope: Scope
) -> str:
    """The groups of one period, and their total: `total`, `d0, ...` and the measures `m0, ...`.

    `dimensions` are expressions over the columns that requests and parts of entries have in common.
    """
    names = _names(dimensions)
    of_value = any(measure.source is Source.VALUE for measure in report.measures)
    merged = {f"s{at}": _once(f"r{at}", measure) for at, measure in _counted(report)}
    if of_value:
        merged |= {"cost": _once("spent", MEASURES["cost_usd"]), **_earned(value, scope, has_groups=bool(names))}
    columns = [f"r{at}" for at, _ in _counted(report)] + (["spent", *_EARNED] if of_value else [])
    branches = [
        branch.select(names, columns)
        for branch in _branches(report, where, value, dimensions, scope, of_value=of_value)
    ]
    key = ", ".join(("total", *names))
    union = f"FROM ({' UNION ALL '.join(branches)})"
    groups = f"FROM (SELECT {key}, {_listed(merged)} {union} GROUP BY {key})"
    measures = {
        f"m{at}": measure.sql if measure.source is Source.VALUE else f"s{at}"
        for at, measure in enumerate(report.measures)
    }
    return f"SELECT {key}, {_listed(measures)} {groups}"


class _Branch(msgspec.Struct, frozen=True):
    """Groups of one source, and their total."""

    source: Source
    total: str
    dimensions: Sequence[str]
    figures: Mapping[str, str]
    rows: str  # from FROM on, with GROUP BY

    def select(self, names: Sequence[str], columns: Sequence[str]) -> str:
        """With no value in the columns of other branches."""
        dimensions = dict(zip(names, self.dimensions, strict=True))
        figures = {column: self.figures.get(column, "NULL") for column in columns}
        head = {"source": f"'{self.source}'", "total": self.total}
        return f"SELECT {_listed(head | dimensions | figures)} {self.rows}"


def _branches(
    report: Report, where: Filter, value: ValueRows | None, dimensions: Sequence[str], scope: Scope, *, of_value: bool
) -> Iterator[_Branch]:
    names = _names(dimensions)
    total, sets = ("grouping(d0)", f" GROUP BY GROUPING SETS (({', '.join(names)}), ())") if names else ("1", "")
    condition = compile_filter(where, scope)
    figures = {
        source: {f"r{at}": compile_measure(measure, scope) for at, measure in _counted(report, source)}
        for source in Source
    }
    if of_value:
        figures[Source.REQUESTS]["spent"] = MEASURES["cost_usd"].sql
    rows = from_rows(report.table, condition, scope)
    yield _Branch(Source.REQUESTS, total, dimensions, figures[Source.REQUESTS], f"{rows}{sets}")
    for source, (unit, is_named) in _UNITS.items():
        if figures[source]:
            rows = from_rows(report.table, f"{is_named} AND {condition}", scope)
            grouped = f" GROUP BY {', '.join(('total', *names))}"
            costs = f"FROM ({_costs(unit, dimensions, total, rows)}) WHERE figure IS NOT NULL{grouped}"
            yield _Branch(source, "total", names, figures[source], costs)
    if of_value and names and value is not None and value.of_groups:
        yield _Branch(Source.VALUE, total, dimensions, _EARNED, f"{from_parts(value, scope)}{sets}")


def _costs(unit: str, dimensions: Sequence[str], total: str, rows: str) -> str:
    """The known cost of each session or user, by group and in all."""
    names = _names(dimensions)
    sets = f"GROUPING SETS (({', '.join((*names, 'unit'))}), (unit))" if names else "unit"
    selected = {"unit": unit, "total": total, **dict(zip(names, dimensions, strict=True)), "figure": "sum(cost_usd)"}
    return f"SELECT {_listed(selected)} {rows} GROUP BY {sets}"


def _earned(value: ValueRows | None, scope: Scope, *, has_groups: bool) -> dict[str, str]:
    """`value` in dollars and the number of `entries` of a group; NULL where they are unknown."""
    if value is None:
        return {"value": "CAST(NULL, 'Nullable(Decimal(38, 12))')", "entries": "CAST(NULL, 'Nullable(UInt64)')"}
    if has_groups and value.of_groups:
        return {"value": _dollars("any(earned)"), "entries": "ifNull(any(given), 0)"}
    parts = from_parts(value, scope)
    earned, given = (f"(SELECT {sql} {parts})" for sql in _EARNED.values())
    return {"value": f"if(total = 1, {_dollars(earned)}, NULL)", "entries": f"if(total = 1, {given}, NULL)"}


def _dollars(picodollars: str) -> str:
    return f"toDecimal128(ifNull({picodollars}, 0), 0) * toDecimal128('0.000000000001', 12)"


def _once(column: str, measure: Measure) -> str:
    """The figure that one branch has. A group without requests has the figures of nothing."""
    return f"if({_NO_REQUESTS}, 0, any({column}))" if is_zero_of_nothing(measure.name) else f"any({column})"


def _counted(report: Report, *sources: Source) -> Sequence[tuple[int, Measure]]:
    """Measures with a column of their own, by their position."""
    wanted = sources or tuple(source for source in Source if source is not Source.VALUE)
    return [(at, measure) for at, measure in enumerate(report.measures) if measure.source in wanted]


def _names(dimensions: Sequence[str]) -> list[str]:
    return [f"d{position}" for position in range(len(dimensions))]


def _listed(columns: Mapping[str, str]) -> str:
    return ", ".join(sql if sql == name else f"{sql} AS {name}" for name, sql in columns.items())
