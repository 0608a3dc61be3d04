"""The routes of reports."""

from fastapi import APIRouter

from schemas.api.anomalies import AnomaliesView
from schemas.api.changes import ChangesView
from schemas.api.distribution import DistributionView
from schemas.api.envelopes import SealedEnvelope, WarnedEnvelope
from schemas.api.reports import ReportView, Summary
from services.query.http.csv import CSV_RESPONSE
from services.query.http.error_docs import WITH_BODY, WITH_QUERY
from services.query.http.routing import authenticated_router
from services.query.reports.anomalies.endpoint import report_anomalies
from services.query.reports.changes import report_changes
from services.query.reports.distribution import report_distribution
from services.query.reports.files import FILE_RESPONSES
from services.query.reports.report import report, report_summary


def reports_router() -> APIRouter:
    router = authenticated_router("/v1/report")
    router.post("", response_model=WarnedEnvelope[ReportView], responses=WITH_BODY | FILE_RESPONSES)(report)
    with_csv = WITH_BODY | CSV_RESPONSE
    router.post("/changes", response_model=WarnedEnvelope[ChangesView], responses=with_csv)(report_changes)
    router.post("/anomalies", response_model=WarnedEnvelope[AnomaliesView], responses=with_csv)(report_anomalies)
    router.post("/distribution", response_model=WarnedEnvelope[DistributionView], responses=with_csv)(
        report_distribution
    )
    router.get("/summary", response_model=SealedEnvelope[Summary], responses=WITH_QUERY)(report_summary)
    return router
