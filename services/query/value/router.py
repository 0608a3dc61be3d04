"""The routes of value."""

from typing import Any, Final

from fastapi import APIRouter

from schemas.api.requests import Envelope
from schemas.api.value import ValueDeleted, ValuePage, ValueTaken, ValueVersion
from services.query.http.csv import CSV_RESPONSE
from services.query.http.error_docs import WITH_BODY, WITH_ID
from services.query.http.routing import authenticated_router
from services.query.value.give import delete_value, give_value
from services.query.value.list import query_value, value_versions

_EXAMPLE: Final = "amount,period,user_id,properties.UserTier\n120,2026-11,user-123,premium\n"
_OR_CSV: Final[dict[str, Any]] = {
    "requestBody": {"content": {"text/csv": {"schema": {"type": "string", "examples": [_EXAMPLE]}}}}
}


def value_router() -> APIRouter:
    router = authenticated_router("/v1/value")
    router.post("", response_model=Envelope[ValueTaken], responses=WITH_BODY, openapi_extra=_OR_CSV)(give_value)
    router.post("/query", response_model=ValuePage, responses=WITH_BODY | CSV_RESPONSE)(query_value)
    # The path, since clients make ids as they like, and some have a slash.
    router.get("/{value_id:path}", response_model=Envelope[list[ValueVersion]], responses=WITH_ID)(value_versions)
    router.delete("/{value_id:path}", response_model=Envelope[ValueDeleted], responses=WITH_ID)(delete_value)
    return router
