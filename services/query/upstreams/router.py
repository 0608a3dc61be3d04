"""The routes of named upstreams: listed, added, given another key and removed, each by an admin key."""

from typing import Final

from fastapi import APIRouter, Response

from schemas.api.properties import Done
from schemas.api.requests import Envelope
from schemas.api.upstreams import ProviderKeyRequest, UpstreamRequest, UpstreamView
from schemas.errors import NotFound
from schemas.upstream import NamedUpstream
from services.domain.providers.catalog import provider_named
from services.domain.routing.provider_key import check_provider_key
from services.domain.routing.upstream import new_upstream
from services.query.dependencies import ServiceDep
from services.query.http.auth import Admin
from services.query.http.error_docs import WITH_BODY, WITH_ID, error_responses
from services.query.http.responses import data_response
from services.query.http.routing import authenticated_router

_ADDED: Final = WITH_BODY | error_responses(409)
_REPLACED: Final = WITH_BODY | WITH_ID


def upstreams_router() -> APIRouter:
    router = authenticated_router("/v1/upstreams")
    router.get("", response_model=Envelope[list[UpstreamView]])(list_upstreams)
    router.post("", status_code=201, response_model=Envelope[UpstreamView], responses=_ADDED)(add_upstream)
    router.put("/{name}/provider-key", response_model=Envelope[Done], responses=_REPLACED)(replace_provider_key)
    router.delete("/{name}", response_model=Envelope[Done], responses=WITH_ID)(remove_upstream)
    return router


async def list_upstreams(organization_id: Admin, service: ServiceDep) -> Response:
    """The organization's upstreams, by name."""
    return data_response([_view(one) for one in await service.upstreams.upstreams_of(organization_id)])


async def add_upstream(body: UpstreamRequest, organization_id: Admin, service: ServiceDep) -> Response:
    """A server with a public address. The proxy knows it within two minutes. One inside is added by the command."""
    upstream = new_upstream(
        name=body.name,
        provider=body.provider,
        url=body.url,
        region=body.region,
        credentials=body.credentials,
        key_ids=body.key_ids,
        provider_key=body.provider_key,
    )
    await service.upstreams.add_upstream(organization_id, upstream, provider_key=body.provider_key)
    return data_response(_view(upstream), 201)


async def replace_provider_key(
    name: str, body: ProviderKeyRequest, organization_id: Admin, service: ServiceDep
) -> Response:
    """The key that is sent instead of the one before. The proxy takes it within two minutes."""
    rows = await service.upstreams.upstreams_of(organization_id)
    found = next((one for one in rows if one.name == name.lower()), None)
    if found is not None:
        check_provider_key(provider_named(found.provider), body.provider_key)
    if found is None or not await service.upstreams.replace_provider_key(
        organization_id, found.name, body.provider_key
    ):
        raise NotFound(f"there is no upstream with the name {name[:64]!r} whose credentials are stored")
    return data_response(Done())


async def remove_upstream(name: str, organization_id: Admin, service: ServiceDep) -> Response:
    """The proxy may send calls to it for up to two more minutes."""
    if not await service.upstreams.remove_upstream(organization_id, name.lower()):
        raise NotFound(f"there is no upstream with the name {name[:64]!r}")
    return data_response(Done())


def _view(upstream: NamedUpstream) -> UpstreamView:
    return UpstreamView(
        name=upstream.name,
        provider=upstream.provider,
        url=upstream.url,
        region=upstream.region,
        credentials=upstream.credentials,
        private=upstream.private,
        key_ids=list(upstream.key_ids),
    )
