"""Runs the reports of alerts, and parses what comes back: the figures of groups into what a rule compares."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec

from schemas.alert import AlertMetric, AlertRule, GroupBy
from schemas.errors import InvalidRequest
from schemas.tables import REQUEST_RESPONSE, Kind, Operator
from services.domain.alerts.windows import zone_of_window
from services.ports.warehouse import QueryableWarehouse
from services.sql.alert_measures import AlertMeasures, alert_measures
from services.sql.compile import compile_report
from services.sql.measures import Measure
from services.sql.merged import compile_merged, is_merged
from services.sql.nodes import And, ByColumn, ByProperty, Compare, Dimension, Filter, Report, ValueRows, comparison
from services.sql.parse import parse_filter, property_target
from services.sql.sort import group_by_column, group_by_property
from services.sql.value import compile_given, names_in_filter, names_in_groups

OF_VALUE: Final = frozenset({AlertMetric.MARGIN, AlertMetric.MARGIN_RATIO})


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule is about, as the engine is asked."""

    organization_id: str
    rule: AlertRule
    where: Filter
    by: tuple[Dimension, ...]
    measures: AlertMeasures


class Row(msgspec.Struct, frozen=True):
    """One group, or the total where `by` is empty; figures by the names of measures."""

    by: tuple[Any, ...]
    figures: Mapping[str, Any]


def question_of(organization_id: str, rule: AlertRule) -> Question:
    """Raises: InvalidRequest, InvalidFilter."""
    return Question(
        organization_id=organization_id,
        rule=rule,
        where=parse_filter(rule.filter, zone_of_window(rule.window)),
        by=tuple(dimension_of(part) for part in rule.by),
        measures=alert_measures(rule.metric, rule.aggregation, rule.percentile),
    )


def dimension_of(part: GroupBy) -> Dimension:
    """Raises: InvalidRequest."""
    dimension = group_by_property(part.name) if part.is_property else group_by_column(part.name)
    if isinstance(dimension, ByColumn) and dimension.column.kind is Kind.TIMESTAMP:
        raise InvalidRequest(f"by: {part.name} is a timestamp, and each would be a group of its own")
    return dimension


def between(start: datetime, end: datetime) -> Filter:
    """Created from `start` on, before `end`."""
    return And(
        (
            comparison("request_created_at", Operator.GTE, start),
            comparison("request_created_at", Operator.LT, end),
        )
    )


def is_of(dimension: Dimension, value: object) -> Filter:
    """Holds for the requests of a group; None is that without a value."""
    text = None if value is None else str(value)
    match dimension:
        case ByColumn(column):
            return Compare(column=column, operator=Operator.EQUALS, value=text)
        case ByProperty(key):
            column, name = property_target(key)
            return Compare(column=column, operator=Operator.EQUALS, value=text, key=name)
        case _:
            raise AssertionError("alerts are not grouped by time")


async def run(
    question: Question,
    start: datetime,
    end: datetime,
    warehouse: QueryableWarehouse,
    *,
    by: Sequence[Dimension],
    measures: Sequence[Measure],
    limit: int = 1,
    order_by: int | None = 0,
    descending: bool = True,
) -> tuple[Row, list[Row]]:
    """The total, and the groups `by` in order. Raises: StoreUnavailable."""
    where = And((between(start, end), question.where))
    report = Report(
        table=REQUEST_RESPONSE,
        organization_id=question.organization_id,
        where=where,
        measures=tuple(measures),
        by=tuple(by),
        order_by=order_by,
        descending=descending,
        limit=limit,
        value=await _value(question, start, end, by, warehouse),
    )
    rows = await warehouse.query(compile_merged(report) if is_merged(report) else compile_report(report))
    total, *groups = [_row(row, report) for row in rows]
    return total, groups


async def _value(
    question: Question,
    start: datetime,
    end: datetime,
    by: Sequence[Dimension],
    warehouse: QueryableWarehouse,
) -> ValueRows | None:
    """What was earned in the window, where that is known; None where it is not asked for."""
    if question.rule.metric not in OF_VALUE:
        return None
    filtered, grouped = names_in_filter(question.where), names_in_groups(by)
    names = sorted(filtered.given | grouped.given)
    (row,) = await warehouse.query(compile_given(question.organization_id, start, end, names))
    given = frozenset(name for at, name in enumerate(names) if row[f"n{at}"])
    if not row["entries"] or not filtered.is_among(given):
        return None
    return ValueRows(start=start, end=end, where=question.where, of_groups=grouped.is_among(given))


def _row(row: Mapping[str, Any], report: Report) -> Row:
    by = tuple(_value_of(row[f"d{at}"]) for at in range(len(report.by)) if not row["total"])
    return Row(by, {measure.name: row[f"m{at}"] for at, measure in enumerate(report.measures)})


def _value_of(value: object) -> object:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return None if value == "" and not isinstance(value, date) else value


def exact(figure: object) -> Decimal | None:
    """Of what the warehouse returns; None is unknown."""
    if figure is None:
        return None
    return (
        figure if isinstance(figure, Decimal) else Decimal(repr(figure) if isinstance(figure, float) else str(figure))
    )


def divided(figure: Decimal | None, divisor: Decimal | None, *, has_divisor: bool) -> Decimal | None:
    """What a rule compares; None where there is nothing to divide by."""
    if not has_divisor or figure is None:
        return figure
    return figure / divisor if divisor else None
