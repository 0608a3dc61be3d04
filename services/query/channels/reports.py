"""Scheduled reports: what is sent when, and to which channels."""

from uuid import UUID

from fastapi import Response

from schemas.api.properties import Done
from schemas.api.requests import NameWarning
from schemas.api.scheduled_reports import (
    AttachmentView,
    ReportPreview,
    ScheduledReportRequest,
    ScheduledReportView,
    ScheduleView,
)
from schemas.channel import ChannelKind
from schemas.errors import InvalidRequest, NotFound
from schemas.scheduled_report import ReportOrder, Schedule, ScheduledReport
from services.domain.channels.new_channel import checked_name
from services.domain.channels.report_notice import report_notice
from services.domain.channels.schedule import last_occurrence, next_occurrence, period_before
from services.domain.messages.content import content_of
from services.domain.messages.render import mail_of
from services.query.channels.known import known_kinds
from services.query.dependencies import Service, ServiceDep
from services.query.http.auth import Admin, AdminKey, Reader
from services.query.http.responses import data_response
from services.query.reports.question import dimensions_of, grouping_of, question_of
from services.query.reports.scheduled import ReportEngine, query_json, query_of, report_request
from services.query.time_zone import zone_of
from services.sql.names import names_of
from services.sql.parse import parse_filter


async def list_reports(organization_id: Reader, service: ServiceDep) -> Response:
    """The organization's scheduled reports, the oldest first."""
    return data_response([_view(one) for one in await service.scheduled_reports.reports_of(organization_id)])


async def add_report(body: ScheduledReportRequest, own: AdminKey, service: ServiceDep) -> Response:
    """It is about the whole days since the time before: on Mondays, from Monday to Sunday."""
    order = await _checked_order(body, own.organization_id, service)
    next_at = next_occurrence(order.schedule, service.clock.now())
    report = await service.scheduled_reports.add_report(own.organization_id, order, next_at=next_at, created_by=own.id)
    return data_response(_view(report), 201, warnings=await _warnings(body, own.organization_id, service))


async def change_report(
    report_id: UUID, body: ScheduledReportRequest, organization_id: Admin, service: ServiceDep
) -> Response:
    """All of it anew. One that is due and not made yet is made all the same."""
    order = await _checked_order(body, organization_id, service)
    now = service.clock.now()
    report = await service.scheduled_reports.change_report(
        organization_id, str(report_id), order, next_at=next_occurrence(order.schedule, now), now=now
    )
    if report is None:
        raise _no_report(report_id)
    return data_response(_view(report), warnings=await _warnings(body, organization_id, service))


async def remove_report(report_id: UUID, organization_id: Admin, service: ServiceDep) -> Response:
    """It is not sent again."""
    if not await service.scheduled_reports.remove_report(organization_id, str(report_id)):
        raise _no_report(report_id)
    return data_response(Done())


async def send_report(report_id: UUID, organization_id: Admin, service: ServiceDep) -> Response:
    """Sends it now, about the whole days since it was due last, and then by its schedule."""
    found = await service.scheduled_reports.reports_of(organization_id)
    report = next((one for one in found if one.id == str(report_id)), None)
    if report is None:
        raise _no_report(report_id)
    now = service.clock.now()
    await service.scheduled_reports.change_report(organization_id, report.id, report.order, next_at=now, now=now)
    return data_response(Done(), 202)


async def preview_report(body: ScheduledReportRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """What would be sent now, of the days before its last occurrence. Nothing is sent, and its channels may be gone."""
    now, order = service.clock.now(), _order(body, organization_id, service)
    occurrence = last_occurrence(order.schedule, now)
    period = period_before(order.schedule, occurrence)
    report = ScheduledReport(
        id="preview", organization_id=organization_id, order=order, created_at=now, next_at=occurrence
    )
    figures = await ReportEngine(service.warehouse, service.seals.current).figures(organization_id, order, *period)
    notice = report_notice(report, figures, occurrence, period)
    mail = mail_of(notice, content_of(notice, service.public_url))
    preview = ReportPreview(
        subject=mail.subject,
        text=mail.text,
        html=mail.html,
        attachments=[AttachmentView(name=one.name, content=one.content.decode()) for one in mail.attachments],
        starts_at=period[0],
        ends_at=period[1],
        complete_until=figures.complete_until,
    )
    return data_response(preview)


async def _checked_order(body: ScheduledReportRequest, organization_id: str, service: Service) -> ReportOrder:
    """Raises: InvalidRequest, also of channels that are not there."""
    await _check_channels(body.channel_ids, organization_id, service)
    return _order(body, organization_id, service)


def _order(body: ScheduledReportRequest, organization_id: str, service: Service) -> ReportOrder:
    """Checked as a report is. Raises: InvalidRequest."""
    checked_name(body.name)
    zone_of(body.schedule.time_zone, "schedule.time_zone")
    schedule = Schedule(**body.schedule.model_dump(exclude={"time_zone"}), zone=body.schedule.time_zone)
    order = ReportOrder(
        name=body.name, schedule=schedule, channel_ids=tuple(body.channel_ids), query=query_json(body.query)
    )
    if order.query:
        now = service.clock.now()
        report = report_request(order, *period_before(schedule, now))
        grouping_of(question_of(report, organization_id, now, tuple(report.measures)), report, "query.")
    return order


async def _warnings(body: ScheduledReportRequest, organization_id: str, service: Service) -> list[NameWarning]:
    """Of names in a report that no request has: it would be empty each time."""
    if body.query is None:
        return []
    where = parse_filter(body.query.filter, zone_of(body.schedule.time_zone))
    names = names_of(where, dimensions_of(body.query.by, body.schedule.time_zone))
    return await service.names.never_seen(organization_id, names)


async def _check_channels(channel_ids: list[str], organization_id: str, service: Service) -> None:
    for channel_id, kind in (await known_kinds(channel_ids, organization_id, service)).items():
        if kind is ChannelKind.PAGERDUTY:
            raise InvalidRequest(f"channel_ids: {channel_id} is of PagerDuty, which takes no reports")


def _no_report(report_id: UUID) -> NotFound:
    return NotFound(f"no scheduled report of this organization has the id {report_id}")


def _view(report: ScheduledReport) -> ScheduledReportView:
    order, schedule = report.order, report.order.schedule
    return ScheduledReportView(
        id=report.id,
        name=order.name,
        schedule=ScheduleView(
            every=schedule.every,
            hour=schedule.hour,
            minute=schedule.minute,
            weekday=schedule.weekday,
            day=schedule.day,
            time_zone=schedule.zone,
        ),
        channel_ids=list(order.channel_ids),
        query=query_of(order),
        created_at=report.created_at,
        created_by=report.created_by,
        next_at=report.next_at,
        last_at=report.last_at,
        error=report.error,
    )
