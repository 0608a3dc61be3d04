"""What requests for savings have in common: a period, a filter, groups, and how they are responded to."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from fastapi import Response

from schemas.api.savings import SavingsRequest
from schemas.tables import REQUEST_RESPONSE
from services.query.dependencies import Service
from services.query.http.csv import block_lines, table_csv
from services.query.http.responses import data_response
from services.query.reports.files import facts_of
from services.query.reports.groups import value_of
from services.query.reports.question import Question, dimensions_of, names_of_parts, question_of
from services.query.reports.response import in_zone
from services.query.reports.sealed import Found, Shares, run_with_shares, sealed_found
from services.sql.measures import MEASURES
from services.sql.nodes import And, Dimension, Report

_PERIOD: Final = ("cost_usd", "requests")


class Table(msgspec.Struct, frozen=True):
    """A view as lines under names."""

    name: str
    head: Sequence[str]
    lines: Sequence[Sequence[object]]


class SavingsQuestion(msgspec.Struct, frozen=True):
    """A request for savings, parsed."""

    question: Question
    by: tuple[Dimension, ...]
    names: tuple[str, ...]  # of `by`

    def group(self, values: Sequence[object]) -> list[Any]:
        """The values of a group as they are shown, buckets as timestamps."""
        return [in_zone(value_of(value), self.question.zone) for value in values]


def savings_question(body: SavingsRequest, organization_id: str, now: datetime) -> SavingsQuestion:
    """Raises: InvalidRequest."""
    by = dimensions_of(body.by, body.time_zone)
    return SavingsQuestion(question_of(body, organization_id, now), by, tuple(names_of_parts(body.by)))


async def period_total(asked: SavingsQuestion, service: Service) -> tuple[Shares, Any]:
    """How much of the requests has a price, and what they cost."""
    report = Report(
        table=REQUEST_RESPONSE,
        organization_id=asked.question.organization_id,
        where=And((asked.question.period.filter(), asked.question.where)),
        measures=tuple(MEASURES[name] for name in _PERIOD),
    )
    shares, total, _ = await run_with_shares(report, service.warehouse)
    return shares, total.figures


async def savings_response(
    asked: SavingsQuestion,
    found: Awaitable[Found],
    service: Service,
    table: Callable[[Any], Table] | None,
    scope: Sequence[Dimension] = (),
) -> Response:
    """`found` with the seal from before it and warnings of names, in `scope` too; as CSV where there is a `table`."""
    question = asked.question
    by = (*asked.by, *scope)
    shown, seal, warnings = await sealed_found(found, service, question.organization_id, question.where, by)
    if table is None:
        return data_response(shown.data, seal=seal, warnings=warnings)
    made = table(shown.data)
    facts = facts_of(made.name, question, f"{len(made.lines)} with the total", seal, service)
    return table_csv(made.name, made.head, made.lines, block=block_lines(facts), warnings=warnings)
