"""The routes of users."""

from fastapi import APIRouter

from schemas.api.envelopes import WarnedEnvelope
from schemas.api.requests import Envelope
from schemas.api.users import ErasedUser, UserOverview, UsersPage, UserTotals
from services.query.http.error_docs import WITH_BODY, error_responses
from services.query.http.routing import authenticated_router
from services.query.users.erase import erase_user
from services.query.users.metrics import query_users, user_metrics, user_overview


def users_router() -> APIRouter:
    router = authenticated_router("/v1/user")
    limited = WITH_BODY | error_responses(400)
    router.post("/metrics/query", response_model=WarnedEnvelope[UsersPage], responses=limited)(user_metrics)
    router.post("/metrics-overview/query", response_model=WarnedEnvelope[UserOverview], responses=WITH_BODY)(
        user_overview
    )
    router.post("/query", response_model=WarnedEnvelope[list[UserTotals]], responses=WITH_BODY)(query_users)
    router.post("/erase", response_model=Envelope[ErasedUser], responses=WITH_BODY | error_responses(404))(erase_user)
    return router
