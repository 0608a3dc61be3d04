"""The route of exports."""

from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from services.query.exports.endpoint import export
from services.query.http.error_docs import WITH_BODY
from services.query.http.routing import authenticated_router

_TEXT: Final = {"schema": {"type": "string"}}
_EXPORTED: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The rows. Headers: `Farebox-Seal`, how complete they are; `Farebox-Total-Rows` and "
        "`Farebox-Unpriced-Requests`, counted at the start; `Farebox-Warnings`",
        "content": {
            "text/csv": _TEXT,
            "application/x-ndjson": _TEXT,
            "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


def exports_router() -> APIRouter:
    router = authenticated_router("/v1/export")
    router.post("", response_class=StreamingResponse, responses=WITH_BODY | _EXPORTED)(export)
    return router
