"""JSON out: Helicone's envelope around the data, and no digit lost."""

from typing import Any, Final

import msgspec
from fastapi import Response
from pydantic import BaseModel

from schemas.api.errors import ErrorResponse


def data_response(data: object, status: int = 200, **beside: object) -> Response:
    """`data` in Helicone's envelope, with what else stands in it, such as its seal."""
    return json_response({"data": data, "error": None, **beside}, status)


def json_response(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """`content` as it is, without the envelope."""
    return Response(_encoder.encode(content), status, headers, media_type="application/json")


def error_body(text: str) -> bytes:
    """An error in the envelope, for what refuses before there is a request."""
    return _encoder.encode(ErrorResponse(error=text))


def _encoded(view: object) -> dict[str, Any]:
    """For what msgspec cannot encode by itself. Raises: NotImplementedError, as msgspec expects."""
    if isinstance(view, BaseModel):
        return view.model_dump(by_alias=True)
    raise NotImplementedError(type(view))


_encoder: Final = msgspec.json.Encoder(decimal_format="number", enc_hook=_encoded)
