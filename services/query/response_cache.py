"""The response cache of the proxies, for those who run Farebox: all that an organization has in it can be deleted."""

from fastapi import APIRouter, Response

from schemas.api.cache import ClearedCache
from schemas.api.requests import Envelope
from schemas.errors import NotFound
from services.query.dependencies import ServiceDep
from services.query.http.auth import Admin
from services.query.http.error_docs import error_responses
from services.query.http.responses import data_response
from services.query.http.routing import authenticated_router


def response_cache_router() -> APIRouter:
    router = authenticated_router("/v1/cache")
    router.delete("", response_model=Envelope[ClearedCache], responses=error_responses(404))(clear_cache)
    return router


async def clear_cache(organization_id: Admin, service: ServiceDep) -> Response:
    """Deletes all of the organization's cached responses, also from the disk; not those that are on their way."""
    if service.cache is None:
        raise NotFound("there is no response cache: FAREBOX_CACHE_URL is off")
    cleared = await service.cache.clear(organization_id)
    return data_response(ClearedCache(entries=cleared.entries, size_bytes=cleared.size_bytes))
