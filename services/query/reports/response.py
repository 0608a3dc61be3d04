"""Runs the groupings of a question together, and makes of what comes back what clients are shown."""

from collections.abc import Sequence
from datetime import date, datetime, tzinfo
from decimal import Decimal
from typing import Any

import msgspec

from schemas.api.reports import (
    Change,
    Compared,
    ComparedGroup,
    ComparedPeriod,
    ComparedRow,
    GroupingView,
    ReportRequest,
    ReportRow,
    ReportView,
)
from services.ports.warehouse import QueryableWarehouse
from services.query.reports.fill import filled
from services.query.reports.groups import Group
from services.query.reports.question import Grouping, Question, check_rows, grouping_of
from services.query.reports.sealed import Shares, run_all_with_shares
from services.query.reports.totals import rest_figures


async def report_view(
    question: Question, body: ReportRequest, warehouse: QueryableWarehouse
) -> tuple[Shares, ReportView]:
    """Raises: InvalidRequest, StoreUnavailable."""
    bodies = {"": body} | {f"breakdowns.{position}.": part for position, part in enumerate(body.breakdowns)}
    check_rows(bodies)
    groupings = [grouping_of(question, part, place) for place, part in bodies.items()]
    found = await run_all_with_shares([grouping.query for grouping in groupings], warehouse)
    first, *breakdowns = [
        _view(question, grouping, total, groups) for grouping, (_, total, groups) in zip(groupings, found, strict=True)
    ]
    view = ReportView(start=question.period.start, end=question.period.end, breakdowns=breakdowns, **dict(first))
    return found[0][0], view


def _view(question: Question, grouping: Grouping, total: Group, groups: Sequence[Group]) -> GroupingView:
    shown, truncated = groups[: grouping.limit], len(groups) > grouping.limit
    rest = _rest(total, shown) if truncated or grouping.leaves_out else None
    if grouping.buckets:
        shown = filled(shown, grouping.buckets, total)
    return GroupingView(
        rows=[_row(group, question.zone) for group in shown],
        rest=None if rest is None else dict(rest.figures),
        total=dict(total.figures),
        truncated=truncated,
        compared=_compared_period(question, total, rest),
    )


def _rest(total: Group, shown: Sequence[Group]) -> Group:
    figures = rest_figures(total, shown)
    if not total.previous:
        return Group((), figures)
    previous = [msgspec.structs.replace(group, figures=group.previous) for group in (total, *shown)]
    return Group((), figures, rest_figures(previous[0], previous[1:]))


def _compared_period(question: Question, total: Group, rest: Group | None) -> ComparedPeriod | None:
    if question.compared is None:
        return None
    return ComparedPeriod(
        start=question.compared.start,
        end=question.compared.end,
        total=Compared(**_compared(total)),
        rest=None if rest is None else Compared(**_compared(rest)),
    )


def _row(group: Group, zone: tzinfo) -> ReportRow:
    by = [in_zone(value, zone) for value in group.by]
    if not group.previous:
        return ReportRow(by=by, measures=dict(group.figures))
    compared = ComparedGroup(presence=group.presence, **_compared(group))
    return ComparedRow(by=by, measures=dict(group.figures), compared=compared)


def _compared(group: Group) -> dict[str, Any]:
    """The fields of `Compared`."""
    change = {name: change_of(figure, group.previous[name]) for name, figure in group.figures.items()}
    return {"measures": dict(group.previous), "change": change}


def change_of(figure: object, previous: object) -> Change | None:
    """None where either is unknown, or they are no numbers."""
    if not isinstance(figure, Decimal | int | float) or not isinstance(previous, Decimal | int | float):
        return None
    exact, base = Decimal(figure), Decimal(previous)
    absolute = exact - base
    inexact = isinstance(figure, float) or isinstance(previous, float)
    return Change(
        absolute=float(absolute) if inexact else absolute, relative=float(absolute / abs(base)) if base else None
    )


def in_zone(value: object, zone: tzinfo) -> object:
    """A bucket as the timestamp at which it starts there."""
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat()
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=zone).isoformat()
    return value
