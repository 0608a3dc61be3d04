"""Errors into responses of Helicone's shape. The class of an error decides, here and nowhere else."""

import logging
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect

from schemas.api.errors import ErrorResponse, ServerErrorResponse, UnauthenticatedError, ValidationErrorResponse
from schemas.api.unions import is_kind
from schemas.errors import Busy, InvalidRequest, Rejected, Unauthenticated, Unavailable
from services.query.http.responses import json_response
from services.query.http.routing import methods_of, paths_near

_MAX_FAULTS: Final = 20  # in one response
_MAX_CHARACTERS: Final = 500  # of one fault
_NO_OBJECT: Final = ("dict_type", "model_type", "model_attributes_type")  # as pydantic calls what is none

logger = logging.getLogger(__name__)


def add_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(Rejected, _rejected)
    app.add_exception_handler(Unavailable, _unavailable)
    app.add_exception_handler(OSError, _unavailable)  # no descriptors left, or a disk that fails
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(StarletteHTTPException, _http_error)
    app.add_exception_handler(ClientDisconnect, _disconnected)
    app.add_exception_handler(Exception, _failed)


def rejection_response(error: Rejected) -> Response:
    if isinstance(error, InvalidRequest):
        return _invalid({error.code: ServerErrorResponse(message=str(error))}, str(error))
    body = UnauthenticatedError if isinstance(error, Unauthenticated) else ErrorResponse
    # What is too large is not read to its end, so nothing can follow it.
    headers = {"Connection": "close"} if error.status == 413 else None
    return json_response(body(error=str(error)), error.status, headers)


async def _rejected(_: Request, error: Exception) -> Response:
    assert isinstance(error, Rejected)
    return rejection_response(error)


async def _unavailable(_: Request, error: Exception) -> Response:
    logger.warning("query failed", extra={"reason": repr(error), "cause": repr(error.__cause__)})
    text = str(error) if isinstance(error, Busy) else "the store is unavailable; try again later, or query less"
    return json_response(ErrorResponse(error=text), 503, {"Retry-After": "1"})


async def _malformed(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = error.errors()
    if isinstance(error.body, bytes) and any(fault["loc"] == ("body",) for fault in faults):
        text = "the body must be JSON: send Content-Type: application/json"
        return _invalid({"body": ServerErrorResponse(message=text)}, text)
    details = {
        _place(fault): ServerErrorResponse(message=_message(fault)[:_MAX_CHARACTERS]) for fault in faults[:_MAX_FAULTS]
    }
    texts = [f"{place}: {fault.message}" for place, fault in details.items()]
    if len(faults) > _MAX_FAULTS:
        texts.append(f"and {len(faults) - _MAX_FAULTS} more")
    return _invalid(details, "; ".join(texts))


def _place(fault: dict[str, Any]) -> str:
    """Where the fault lies, as the client wrote it; its names are never shown at full length."""
    parts = [str(part) for part in fault["loc"] if not is_kind(part)]
    return ".".join(parts[1:] or parts)[:200]


def _message(fault: dict[str, Any]) -> str:
    """In the words of JSON."""
    if fault["type"] in _NO_OBJECT:
        return "Input should be an object"
    return "Unknown field" if fault["type"] == "extra_forbidden" else str(fault["msg"])


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    if error.status_code == 422:
        return _invalid({"body": ServerErrorResponse(message=error.detail)}, error.detail)
    if error.status_code == 405:
        allowed = ", ".join(methods_of(request.app.state.routers, request.scope))
        text = f"{request.method} is not allowed for this path; {allowed} is"
        return json_response(ErrorResponse(error=text), 405, {"Allow": allowed})
    if error.status_code == 404:  # of routing only: what an organization does not have is NotFound
        near = paths_near(request.url.path, request.app.state.routers)
        text = f"no route has this path; the nearest are {', '.join(near)}" if near else "no route has this path"
        text += "; /docs has all of them"
        return json_response(ErrorResponse(error=text), 404)
    return json_response(ErrorResponse(error=error.detail), error.status_code, dict(error.headers or {}))


async def _disconnected(_: Request, _error: Exception) -> Response:
    """No client is left to read it."""
    return Response(status_code=400)


async def _failed(_: Request, error: Exception) -> Response:
    """A bug. The server logs it with its stack."""
    return json_response(ErrorResponse(error=f"internal error: {type(error).__name__}"), 500)


def _invalid(details: dict[str, ServerErrorResponse], error: str) -> Response:
    return json_response(ValidationErrorResponse(details=details, error=error), 422)
