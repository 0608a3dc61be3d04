"""JSON in and out: no digit is lost either way, and errors have Helicone's shape."""

import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

import msgspec
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect

from schemas.api.errors import ErrorResponse, ServerErrorResponse, UnauthenticatedError, ValidationErrorResponse
from schemas.errors import Busy, InvalidRequest, Rejected, Unauthenticated, Unavailable
from services.query.dependencies import service_of
from services.query.http.auth import check_key
from services.query.http.json_body import check_size, parse_apart
from services.query.http.routing import methods_of, paths_of

_SHOWN_FAULTS: Final = 20
_SHOWN_CHARACTERS: Final = 500  # of one fault

logger = logging.getLogger(__name__)


def answer(data: object, status: int = 200) -> Response:
    """Helicone's envelope around `data`."""
    return _json({"data": data, "error": None}, status)


def bare(data: object, headers: dict[str, str]) -> Response:
    """`data` without an envelope."""
    return _json(data, 200, headers)


def _dumped(view: object) -> dict[str, Any]:
    """For what msgspec cannot encode by itself. Raises: NotImplementedError, as it asks for."""
    if isinstance(view, BaseModel):
        return view.model_dump(by_alias=True)
    raise NotImplementedError(type(view))


_encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=_dumped)


def _json(content: object, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(_encoder.encode(content), status, headers, media_type="application/json")


def error_body(text: str) -> bytes:
    """A refusal in the envelope, for who refuses before there is a request."""
    return _encoder.encode(ErrorResponse(error=text))


class _ExactRequest(Request):
    async def read(self, hold: Callable[[int], None]) -> None:
        """All of the body, for which `hold` is asked. Raises: TooLarge, Busy."""
        announced = self.headers.get("content-length", "")
        check_size(int(announced) if announced.isdecimal() else 0)
        body = bytearray()
        async for part in self.stream():
            body += part
            check_size(len(body))
            hold(len(body))
        self._body = bytes(body)

    async def json(self) -> Any:
        """The body, with fractions as Decimal. What is not JSON that can be understood is refused."""
        try:
            return await parse_apart(await self.body())
        except InvalidRequest as error:
            raise HTTPException(422, str(error)) from error  # others would not pass through FastAPI


class ExactRoute(APIRoute):
    """Whoever comes needs a key, and finds every digit read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_exactly(request: Request) -> Response:
            organization_id = await check_key(request)
            exact = _ExactRequest(request.scope, request.receive)
            with service_of(request).body_space.share(organization_id) as hold:
                await exact.read(hold)
                return await handle(exact)

        return handle_exactly


def answer_errors(app: FastAPI) -> None:
    """The class of an error decides its response, here and nowhere else."""
    app.add_exception_handler(Rejected, _rejected)
    app.add_exception_handler(Unavailable, _unavailable)
    app.add_exception_handler(OSError, _unavailable)  # no descriptors left, or a disk that fails
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(StarletteHTTPException, _refused)
    app.add_exception_handler(ClientDisconnect, _disconnected)
    app.add_exception_handler(Exception, _failed)


async def _rejected(_: Request, error: Exception) -> Response:
    assert isinstance(error, Rejected)
    return rejected(error)


def rejected(error: Rejected) -> Response:
    """What the client is told of `error`."""
    if isinstance(error, InvalidRequest):
        return _invalid({error.code: ServerErrorResponse(message=str(error))}, str(error))
    refusal = UnauthenticatedError if isinstance(error, Unauthenticated) else ErrorResponse
    # What is too large is not read to its end, so nothing can follow it.
    return _json(refusal(error=str(error)), error.status, {"Connection": "close"} if error.status == 413 else None)


async def _unavailable(_: Request, error: Exception) -> Response:
    logger.warning("question not answered", extra={"reason": repr(error), "cause": repr(error.__cause__)})
    text = str(error) if isinstance(error, Busy) else "the store cannot answer now; try again later, or ask for less"
    return _json(ErrorResponse(error=text), 503, {"Retry-After": "1"})


async def _malformed(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if isinstance(error.body, bytes):
        text = "the body must be JSON: send Content-Type: application/json"
        return _invalid({"body": ServerErrorResponse(message=text)}, text)
    faults = error.errors()
    details = {
        _place(fault): ServerErrorResponse(message=fault["msg"][:_SHOWN_CHARACTERS]) for fault in faults[:_SHOWN_FAULTS]
    }
    texts = [f"{place}: {fault.message}" for place, fault in details.items()]
    if len(faults) > _SHOWN_FAULTS:
        texts.append(f"and {len(faults) - _SHOWN_FAULTS} more")
    return _invalid(details, "; ".join(texts))


def _place(fault: dict[str, Any]) -> str:
    """Where the fault lies, as clients wrote it; a name of theirs is never shown at full length."""
    parts = [str(part) for part in fault["loc"]]
    return ".".join(parts[1:] or parts)[:200]


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    if error.status_code == 422:
        return _invalid({"body": ServerErrorResponse(message=error.detail)}, error.detail)
    if error.status_code == 405:
        allowed = ", ".join(methods_of(request.app.state.routers, request.scope))
        text = f"{request.method} is not allowed for this path; {allowed} is"
        return _json(ErrorResponse(error=text), 405, {"Allow": allowed})
    if error.status_code == 404:  # only routing says so: what an organization does not have is NotFound
        return _json(
            ErrorResponse(error=f"no route has this path; there are {paths_of(request.app.state.routers)}"), 404
        )
    return _json(ErrorResponse(error=error.detail), error.status_code, dict(error.headers or {}))


async def _disconnected(_: Request, _error: Exception) -> Response:
    """Nobody is there to read it."""
    return Response(status_code=400)


async def _failed(_: Request, error: Exception) -> Response:
    """A bug. The server logs it with its stack."""
    return _json(ErrorResponse(error=f"internal error: {type(error).__name__}"), 500)


def _invalid(details: dict[str, ServerErrorResponse], error: str) -> Response:
    return _json(ValidationErrorResponse(details=details, error=error), 422)
