"""Looks up what value was given in the periods of a report, and says what is not known of it, and why."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Final

import msgspec

from schemas.api.reports import ReportRequest
from schemas.api.requests import NameWarning, instant
from services.ports.warehouse import QueryableWarehouse
from services.query.reports.period import Period
from services.query.reports.question import Question, dimensions_of
from services.query.reports.value_by_group import ValueGiven
from services.sql.measures import MEASURES, Source
from services.sql.value import Named, compile_given, names_in_filter, names_in_groups

_ROUNDED: Final = timedelta(seconds=1)  # up to which a period until now goes
_OF_VALUE: Final = frozenset(name for name, measure in MEASURES.items() if measure.source is Source.VALUE)


async def with_value(
    question: Question, body: ReportRequest, warehouse: QueryableWarehouse, now: datetime
) -> tuple[Question, list[NameWarning]]:
    """`question` with the value that was given in its periods, and what is not known of it.

    As it was, where it has no measures of value. Raises: InvalidRequest, StoreUnavailable.
    """
    groupings = (body, *body.breakdowns)
    if _OF_VALUE.isdisjoint(chain(question.measures, *(grouping.having for grouping in groupings))):
        return question, []
    asked = [names_in_filter(question.where)]
    asked += [names_in_groups(dimensions_of(grouping.by, question.time_zone)) for grouping in groupings]
    names = sorted(frozenset[str]().union(*(named.given for named in asked)))
    periods = [question.period] if question.compared is None else [question.period, question.compared]
    given = await asyncio.gather(*(_given(question.organization_id, each, names, warehouse) for each in periods))
    found = msgspec.structs.replace(question, value=given[0], compared_value=given[1] if given[1:] else None)
    warnings = [*_not_given(asked), *(w for each in zip(periods, given, strict=True) for w in _missing(*each, names))]
    if given[0].entries and question.period.end > now + _ROUNDED:
        warnings.append(_not_over(question.period))
    return found, list({warning.message: warning for warning in warnings}.values())


async def _given(
    organization_id: str, period: Period, names: Sequence[str], warehouse: QueryableWarehouse
) -> ValueGiven:
    (row,) = await warehouse.query(compile_given(organization_id, period.start, period.end, names))
    return ValueGiven(entries=row["entries"], names=frozenset(name for at, name in enumerate(names) if row[f"n{at}"]))


def _not_given(asked: Sequence[Named]) -> Iterator[NameWarning]:
    """Of what no value can be given for: of a filter nothing is known, of groups only the total."""
    for place, named in enumerate(asked):
        verb = "grouped" if place else "filtered"
        for column in sorted(named.not_given):
            text = f"value is given for users, properties and times, so it cannot be {verb} by {column}: it is unknown"
            yield _warning(text, column)


def _missing(period: Period, given: ValueGiven, names: Iterable[str]) -> Iterator[NameWarning]:
    when = f"from {instant(period.start)} to {instant(period.end)}"
    if not given.entries:
        yield _warning(f"no value was given {when}, so it is unknown", "")
        return
    for name in names:
        if name not in given.names:
            yield _warning(f"no value was given by {name} {when}, so it is unknown of it", name)


def _not_over(period: Period) -> NameWarning:
    text = f"value until {instant(period.end)} is in it, and costs are until now: to compare them, end the period now"
    return NameWarning(code="period_not_over", message=text, column=None, name="", nearest=None)


def _warning(message: str, name: str) -> NameWarning:
    return NameWarning(code="no_value_given", message=message, column=None, name=name, nearest=None)
