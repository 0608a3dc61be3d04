"""The routes of API keys."""

from fastapi import APIRouter

from schemas.api.keys import ApiKeyView, NewKeyView
from schemas.api.requests import Envelope
from services.query.http.error_docs import WITH_BODY, WITH_ID, WITH_QUERY, error_responses
from services.query.http.routing import authenticated_router
from services.query.keys.endpoints import create_key, list_keys, rename_key, revoke_key, rotate_key


def keys_router() -> APIRouter:
    router = authenticated_router("/v1/api-keys")
    one, new = Envelope[ApiKeyView], Envelope[NewKeyView]
    conflict = error_responses(409)
    router.get("", response_model=Envelope[list[ApiKeyView]], responses=WITH_QUERY)(list_keys)
    router.post("", status_code=201, response_model=new, responses=WITH_BODY | conflict)(create_key)
    router.patch("/{key_id}", response_model=one, responses=WITH_BODY | WITH_ID)(rename_key)
    router.delete("/{key_id}", response_model=one, responses=WITH_ID)(revoke_key)
    router.post("/{key_id}/rotate", response_model=new, responses=WITH_BODY | WITH_ID)(rotate_key)
    return router
