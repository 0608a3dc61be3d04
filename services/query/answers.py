"""JSON in and out: no digit is lost either way, and errors have Helicone's shape."""

import json
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any, Final

import msgspec
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException

from schemas.api_errors import Fault, Malformed, Refusal, UnknownCaller
from schemas.errors import InvalidRequest, Rejected, Unauthenticated, Unavailable
from schemas.unreadable import UNREADABLE
from services.query.auth import check_key
from services.sql.values import shown

MAX_BODY_BYTES: Final = 10 * 2**20

logger = logging.getLogger(__name__)

_decoder = msgspec.json.Decoder(float_hook=Decimal)


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


class _ExactRequest(Request):
    async def body(self) -> bytes:
        """All of it. What is too large is not read to its end."""
        if not hasattr(self, "_body"):
            told = self.headers.get("content-length", "")
            _check_size(int(told) if told.isdecimal() else 0)
            body = bytearray()
            async for part in self.stream():
                body += part
                _check_size(len(body))
            self._body = bytes(body)
        return self._body

    async def json(self) -> Any:
        """The body, with fractions as Decimal.

        What is not JSON in UTF-8, nested beyond reason, or has a name twice in one object, is refused.
        """
        body = await self.body()
        try:
            decoded = _decoder.decode(body)
            _twice_finder.decode(body.decode())
        except UNREADABLE as error:
            raise HTTPException(422, f"the body is not JSON that can be read: {error}") from error
        return decoded


def _check_names(pairs: list[tuple[str, object]]) -> None:
    """Of two values under one name a decoder keeps the last: the other would be dropped without a word."""
    if len(dict(pairs)) < len(pairs):
        ((name, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise HTTPException(422, f"the body has a name twice in one object: {shown(name)}")


# Of what was decoded before, so it meets no other fault. Numbers stay texts: none is too long.
_twice_finder = json.JSONDecoder(object_pairs_hook=_check_names, parse_int=str, parse_float=str)


def _check_size(size_bytes: int) -> None:
    if size_bytes > MAX_BODY_BYTES:
        text = f"the body has more than {MAX_BODY_BYTES:,} bytes"
        raise HTTPException(413, text, {"Connection": "close"})


class ExactRoute(APIRoute):
    """Whoever comes needs a key, and finds every digit read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_exactly(request: Request) -> Response:
            await check_key(request)
            return await handle(_ExactRequest(request.scope, request.receive))

        return handle_exactly


def answer_errors(app: FastAPI) -> None:
    """The class of an error decides its answer, here and nowhere else."""
    app.add_exception_handler(Rejected, _rejected)
    app.add_exception_handler(Unavailable, _unavailable)
    app.add_exception_handler(OSError, _unavailable)  # no descriptors left, or a disk that fails
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(StarletteHTTPException, _refused)
    app.add_exception_handler(Exception, _failed)


async def _rejected(_: Request, error: Exception) -> Response:
    assert isinstance(error, Rejected)
    if isinstance(error, InvalidRequest):
        return _invalid({error.code: Fault(message=str(error))}, str(error))
    refusal = UnknownCaller if isinstance(error, Unauthenticated) else Refusal
    return _json(refusal(error=str(error)), error.status)


async def _unavailable(_: Request, error: Exception) -> Response:
    logger.warning("question not answered", extra={"reason": repr(error), "cause": repr(error.__cause__)})
    text = "the store cannot answer now; try again later, or ask for less"
    return _json(Refusal(error=text), 503, {"Retry-After": "1"})


async def _malformed(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if isinstance(error.body, bytes):
        text = "the body must be JSON: send Content-Type: application/json"
        return _invalid({"body": Fault(message=text)}, text)
    details = {_place(fault): Fault(message=fault["msg"]) for fault in error.errors()}
    return _invalid(details, "; ".join(f"{place}: {fault.message}" for place, fault in details.items()))


def _place(fault: dict[str, Any]) -> str:
    """Where the fault lies, as callers wrote it; a name of theirs is never shown at full length."""
    parts = [str(part) for part in fault["loc"]]
    return ".".join(parts[1:] or parts)[:200]


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    if error.status_code == 422:
        return _invalid({"body": Fault(message=error.detail)}, error.detail)
    return _json(Refusal(error=error.detail), error.status_code, dict(error.headers or {}))


async def _failed(_: Request, error: Exception) -> Response:
    """A bug. The server logs it with its stack."""
    return _json(Refusal(error=f"internal error: {type(error).__name__}"), 500)


def _invalid(details: dict[str, Fault], error: str) -> Response:
    return _json(Malformed(details=details, error=error), 422)
