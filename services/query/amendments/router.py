"""The routes that set something on a request, or on a session."""

from fastapi import APIRouter

from schemas.api.amendments import Done
from schemas.api.requests import Envelope
from services.query.amendments.endpoints import post_feedback, post_scores, put_property
from services.query.amendments.sessions import rate_session, tag_of_session, tag_session
from services.query.http.error_docs import WITH_BODY, WITH_QUERY, error_responses
from services.query.http.routing import authenticated_router


def amendments_router() -> APIRouter:
    router = authenticated_router("/v1/request/{request_id}")
    responses = WITH_BODY | error_responses(409)
    router.put("/property", status_code=201, response_model=Done, responses=responses)(put_property)
    router.post("/feedback", status_code=201, response_model=Done, responses=responses)(post_feedback)
    router.post("/score", status_code=201, response_model=Done, responses=responses)(post_scores)
    return router


def session_amendments_router() -> APIRouter:
    """Before the routes of sessions: an id may have a slash."""
    router = authenticated_router("/v1/session/{session_id:path}")
    responses = WITH_BODY | error_responses(404, 409)
    router.post("/feedback", response_model=Done, responses=responses)(rate_session)
    router.post("/tag", response_model=Done, responses=responses)(tag_session)
    router.get("/tag", response_model=Envelope[str | None], responses=WITH_QUERY)(tag_of_session)
    return router
