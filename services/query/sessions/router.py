"""The routes of sessions."""

from fastapi import APIRouter

from schemas.api.envelopes import WarnedEnvelope
from schemas.api.sessions import SessionCount, SessionMetrics, SessionName, SessionTree, SessionView
from services.query.http.error_docs import WITH_BODY, WITH_ID
from services.query.http.routing import authenticated_router
from services.query.sessions.metrics import session_metrics
from services.query.sessions.pages import count_sessions, query_names, query_sessions
from services.query.sessions.tree import session_tree


def sessions_router() -> APIRouter:
    router = authenticated_router("/v1/session")
    router.post("/query", response_model=WarnedEnvelope[list[SessionView]], responses=WITH_BODY)(query_sessions)
    router.post("/count", response_model=WarnedEnvelope[SessionCount], responses=WITH_BODY)(count_sessions)
    router.post("/name/query", response_model=WarnedEnvelope[list[SessionName]], responses=WITH_BODY)(query_names)
    router.post("/metrics/query", response_model=WarnedEnvelope[SessionMetrics], responses=WITH_BODY)(session_metrics)
    # The path, since clients make ids as they like, and some have a slash.
    router.get("/{session_id:path}", response_model=WarnedEnvelope[SessionTree], responses=WITH_ID)(session_tree)
    return router
