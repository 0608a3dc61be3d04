"""The routes of alerts."""

from fastapi import APIRouter

from schemas.api.alerts import (
    AlertDetailView,
    AlertHistoryView,
    AlertStatesView,
    AlertsView,
    BacktestView,
    CreatedAlert,
    ExplainView,
)
from schemas.api.channels import DeliveryView
from schemas.api.envelopes import CheckedEnvelope
from schemas.api.properties import Done
from schemas.api.requests import Envelope
from services.query.alerts.endpoints import (
    alert_history,
    change_alert,
    count_states,
    create_alert,
    list_alerts,
    list_notices,
    mute_alert,
    remove_alert,
    show_alert,
    try_alert,
)
from services.query.alerts.explain import explain_alert
from services.query.http.error_docs import WITH_BODY, WITH_ID, WITH_QUERY
from services.query.http.routing import authenticated_router


def alerts_router() -> APIRouter:
    router = authenticated_router("/v1/alert")
    detail = Envelope[AlertDetailView]
    with_both = WITH_BODY | WITH_ID
    router.get("/query", response_model=Envelope[AlertsView], responses=WITH_QUERY)(list_alerts)
    router.get("/states", response_model=Envelope[AlertStatesView])(count_states)
    router.post("/create", response_model=CreatedAlert, responses=WITH_BODY)(create_alert)
    router.post("/backtest", response_model=CheckedEnvelope[BacktestView], responses=WITH_BODY)(try_alert)
    router.get("/{alert_id}", response_model=detail, responses=WITH_ID)(show_alert)
    router.put("/{alert_id}", response_model=CheckedEnvelope[AlertDetailView], responses=with_both)(change_alert)
    router.delete("/{alert_id}", response_model=Envelope[Done], responses=WITH_ID)(remove_alert)
    router.get("/{alert_id}/history", response_model=Envelope[AlertHistoryView], responses=WITH_ID)(alert_history)
    router.get("/{alert_id}/notices", response_model=Envelope[list[DeliveryView]], responses=WITH_ID)(list_notices)
    router.post("/{alert_id}/mute", response_model=detail, responses=with_both)(mute_alert)
    router.get("/{alert_id}/explain", response_model=Envelope[ExplainView], responses=WITH_ID)(explain_alert)
    return router
