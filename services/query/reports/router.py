"""The routes of reports."""

from fastapi import APIRouter

from schemas.api.reports import ReportView, Summary
from schemas.api.requests import Envelope
from services.query.http.csv import CSV_RESPONSE
from services.query.http.error_docs import WITH_BODY, WITH_QUERY
from services.query.http.routing import authenticated_router
from services.query.reports.report import report, report_summary


def reports_router() -> APIRouter:
    router = authenticated_router("/v1/report")
    router.post("", response_model=Envelope[ReportView], responses=WITH_BODY | CSV_RESPONSE)(report)
    router.get("/summary", response_model=Envelope[Summary], responses=WITH_QUERY)(report_summary)
    return router
