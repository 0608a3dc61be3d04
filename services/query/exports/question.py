"""A request for an export into what is read: whose rows, of which time, from where on."""

from datetime import datetime, timedelta, tzinfo
from typing import Final

import msgspec

from schemas.api.exports import ExportFormat, ExportRequest
from schemas.errors import InvalidRequest
from schemas.tables import Operator
from services.domain.cursor import Cursor, digest_of, encode_cursor, parse_cursor
from services.query.exports.columns import ExportColumn, export_columns
from services.query.reports.period import Period, period_of
from services.query.time_zone import zone_of
from services.sql.nodes import And, Filter, Key, comparison
from services.sql.parse import parse_filter

_CLOCKS_DIFFER_BY: Final = timedelta(minutes=5)  # as pages of requests show them


class ExportQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """`until`, which is not in it, is fixed at the start: an export ends, however much comes in meanwhile."""

    organization_id: str
    digest: str
    zone: tzinfo
    columns: tuple[ExportColumn, ...]
    named: Filter  # by the client
    start: datetime | None
    until: datetime
    after: Key | None = None
    rows_before: int = 0

    @property
    def where(self) -> Filter:
        bounds = [comparison("request_created_at", Operator.LT, self.until)]
        if self.start is not None:
            bounds.append(comparison("request_created_at", Operator.GTE, self.start))
        return And((self.named, *bounds))

    def cursor_of(self, key: Key, rows: int, secret: bytes) -> str:
        """Of a checkpoint behind the request `key`."""
        cursor = Cursor(
            query=self.digest, created_at=key.request_created_at, request_id=key.request_id, until=self.until, rows=rows
        )
        return encode_cursor(cursor, self.organization_id, secret)


def export_question(body: ExportRequest, organization_id: str, now: datetime, secret: bytes) -> ExportQuestion:
    """Raises: InvalidRequest."""
    _check(body)
    zone = zone_of(body.time_zone)
    period = _period(body, now, zone)
    question = ExportQuestion(
        organization_id=organization_id,
        digest=digest_of("export", body.model_dump(mode="json", exclude={"cursor", "limit", "checkpoints"})),
        zone=zone,
        columns=() if body.format is ExportFormat.FOCUS else export_columns(body.columns),
        named=parse_filter(body.filter, zone),
        start=None if period is None else period.start,
        until=now.replace(microsecond=0) + _CLOCKS_DIFFER_BY if period is None else period.end,
    )
    if body.cursor is None:
        return question
    cursor = parse_cursor(body.cursor, question.digest, organization_id, secret)
    return msgspec.structs.replace(
        question,
        until=cursor.until or question.until,
        after=Key(cursor.created_at, cursor.request_id),
        rows_before=cursor.rows,
    )


def _check(body: ExportRequest) -> None:
    if body.format is ExportFormat.FOCUS and body.columns is not None:
        raise InvalidRequest("columns: those of focus are given by its specification")
    if body.format is ExportFormat.FOCUS and body.limit is not None:
        raise InvalidRequest("limit: a row of focus is no request; give a shorter timeFilter")


def _period(body: ExportRequest, now: datetime, zone: tzinfo) -> Period | None:
    times = body.time_filter
    return None if times is None else period_of(times.since, times.start, times.end, now, zone)
