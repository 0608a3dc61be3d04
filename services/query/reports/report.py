"""Reports of measures by group, and the summary that `farebox report` prints."""

from typing import Annotated, Final

from fastapi import Query, Response

from schemas.api.changes import ChangesView
from schemas.api.reports import ReportRequest, ReportView
from schemas.api.requests import UTC_NAME, TimeZone
from schemas.api.seal import SealView, seal_view
from schemas.errors import InvalidRequest
from services.query.dependencies import Service, ServiceDep
from services.query.http.auth import Reader
from services.query.http.csv import block_lines, report_csv
from services.query.http.responses import data_response
from services.query.reports.files import FileKind, WantedFile, facts_of, report_file
from services.query.reports.period import period_of
from services.query.reports.question import Question, dimensions_of, names_of_parts, question_of
from services.query.reports.response import report_view
from services.query.reports.sealed import sealed
from services.query.reports.summary import summarize
from services.query.reports.value_given import with_value
from services.query.time_zone import zone_of
from services.sql.names import names_of

Since = Annotated[str | None, Query(description="A number of minutes, hours, days or weeks: 90m, 24h, 7d, 4w")]
Start = Annotated[str | None, Query(description="ISO 8601; instead of `since`")]
End = Annotated[str | None, Query(description="ISO 8601; with `start`, by default now")]

_NAMES: Final = {FileKind.CSV: "CSV", FileKind.JSONL: "JSON lines", FileKind.PARQUET: "Parquet"}


async def report(body: ReportRequest, organization_id: Reader, service: ServiceDep, wanted: WantedFile) -> Response:
    """Measures by groups, with their total. Amounts of money bring their coverage.

    With `Accept` as CSV, JSON lines or Parquet.
    """
    if wanted is not None and body.breakdowns:
        raise InvalidRequest(f"breakdowns: {_NAMES[wanted]} is one table, so ask for each of them on its own")
    now = service.clock.now()
    question = question_of(body, organization_id, now, tuple(body.measures))
    question, unknown = await with_value(question, body, service.warehouse, now)
    by = [part for grouping in (body, *body.breakdowns) for part in dimensions_of(grouping.by, body.time_zone)]
    (seal, view), warnings = await service.names.beside(
        organization_id,
        names_of(question.where, by),
        _sealed_view(question, body, service),
        is_empty=lambda found: not found[1].rows if body.by else found[0].priced_request_share is None,
    )
    warnings = [*warnings, *unknown]
    if wanted is None:
        return data_response(view, seal=seal, warnings=warnings)
    facts = facts_of("report", question, rows_named(view, has_groups=bool(body.by)), seal, service)
    if wanted is FileKind.CSV:
        return report_csv(view, names_of_parts(body.by), block_lines(facts), warnings=warnings)
    return report_file(view, names_of_parts(body.by), wanted, facts, seal=seal.model_dump(), warnings=warnings)


async def _sealed_view(question: Question, body: ReportRequest, service: Service) -> tuple[SealView, ReportView]:
    seal = await service.seals.current()
    shares, view = await report_view(question, body, service.warehouse)
    return sealed(seal, shares), view


async def report_summary(
    organization_id: Reader,
    service: ServiceDep,
    since: Since = None,
    start: Start = None,
    end: End = None,
    timeZone: TimeZone = UTC_NAME,  # noqa: N803
) -> Response:
    """What traffic cost, by default in 7 days: by environment and feature, by user, and what was not priced."""
    if (since, start, end) == (None, None, None):
        since = "7d"
    period = period_of(since, start, end, service.clock.now(), zone_of(timeZone))
    seal = await service.seals.current()
    summary = await summarize(organization_id, period, service.warehouse)
    shares = {name: getattr(summary.total, name) for name in ("priced_request_share", "priced_token_share")}
    return data_response(summary, seal=seal_view(seal, **shares))


def rows_named(view: ReportView | ChangesView, *, has_groups: bool) -> str:
    """What the lines of a file are."""
    count = len(view.rows)
    groups = [f"{count} group{'' if count == 1 else 's'}"] if has_groups else []
    return " and ".join([*groups, *(["the rest"] if view.truncated else []), "the total"])
