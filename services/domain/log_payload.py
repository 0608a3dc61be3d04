"""Helicone's wire form of a logged call: bytes -> what they hold, both bodies still unread."""

import re
from typing import Any, Final

import msgspec

from schemas.errors import InvalidRequest
from services.domain.log_times import Told

NO_PATH: Final = "custom-model-nopath"  # what Helicone's clients say instead of a URL
NOT_THERE: Final = msgspec.Raw(b"")

# Half of a surrogate pair, as programs write it that cut a text within a character. The other half is gone for good.
_HALF_CHARACTER: Final = re.compile(
    rb"(?<!\\)((?:\\\\)*)(?:"
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})|"
    rb"(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2})"
)


class LoggedRequest(msgspec.Struct, frozen=True):
    url: str = NO_PATH
    json: msgspec.Raw = NOT_THERE
    meta: dict[str, Any] | None = None  # headers, and whatever else callers keep beside them


class LoggedResponse(msgspec.Struct, frozen=True, rename="camel"):
    status: int
    json: msgspec.Raw = NOT_THERE
    text_body: str | None = None
    cost: float | None = None


class Timing(msgspec.Struct, frozen=True, rename="camel"):
    start_time: Told
    end_time: Told
    time_to_first_token: float | None = None


class LoggedCall(msgspec.Struct, frozen=True, rename="camel"):
    provider_request: LoggedRequest
    provider_response: LoggedResponse
    timing: Timing
    provider: str | None = None


_calls = msgspec.json.Decoder(LoggedCall)


def read_payload(payload: bytes) -> LoggedCall:
    """Raises: InvalidRequest, which says where `payload` is not what it must be."""
    try:
        return _calls.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        mended = _HALF_CHARACTER.sub(rb"\1\\ufffd", payload.decode("utf-8", "replace").encode())
    try:
        return _calls.decode(mended)
    except RecursionError:
        raise InvalidRequest("the body is nested too deeply") from None
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"the body is not a logged call: {error}") from None
