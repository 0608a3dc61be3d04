"""The routes of channels and of scheduled reports."""

from typing import Final

from fastapi import APIRouter

from schemas.api.channels import DeliveryView, ListedChannel, NewChannelView
from schemas.api.envelopes import CheckedEnvelope
from schemas.api.properties import Done
from schemas.api.requests import Envelope
from schemas.api.scheduled_reports import ReportPreview, ScheduledReportView
from services.query.channels.endpoints import (
    add_channel,
    change_channel,
    list_channels,
    list_deliveries,
    remove_channel,
    try_channel,
)
from services.query.channels.reports import (
    add_report,
    change_report,
    list_reports,
    preview_report,
    remove_report,
    send_report,
)
from services.query.http.error_docs import WITH_BODY, WITH_ID, error_responses
from services.query.http.routing import authenticated_router

_ADDED: Final = WITH_BODY | error_responses(409)


def channels_router() -> APIRouter:
    router = authenticated_router("/v1/channels")
    router.get("", response_model=Envelope[list[ListedChannel]])(list_channels)
    router.post("", status_code=201, response_model=Envelope[NewChannelView], responses=_ADDED)(add_channel)
    router.patch("/{channel_id}", response_model=Envelope[NewChannelView], responses=_ADDED | WITH_ID)(change_channel)
    router.delete("/{channel_id}", response_model=Envelope[Done], responses=WITH_ID)(remove_channel)
    router.post("/{channel_id}/test", status_code=202, response_model=Envelope[DeliveryView], responses=WITH_ID)(
        try_channel
    )
    router.get("/{channel_id}/deliveries", response_model=Envelope[list[DeliveryView]], responses=WITH_ID)(
        list_deliveries
    )
    return router


def scheduled_reports_router() -> APIRouter:
    router = authenticated_router("/v1/scheduled-reports")
    router.get("", response_model=Envelope[list[ScheduledReportView]])(list_reports)
    checked = CheckedEnvelope[ScheduledReportView]
    router.post("", status_code=201, response_model=checked, responses=WITH_BODY)(add_report)
    router.post("/preview", response_model=Envelope[ReportPreview], responses=WITH_BODY)(preview_report)
    with_id = WITH_BODY | WITH_ID
    router.put("/{report_id}", response_model=checked, responses=with_id)(change_report)
    router.delete("/{report_id}", response_model=Envelope[Done], responses=WITH_ID)(remove_report)
    router.post("/{report_id}/send", status_code=202, response_model=Envelope[Done], responses=WITH_ID)(send_report)
    return router
