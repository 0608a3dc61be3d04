"""Helicone's wire form of a logged call: bytes -> what they hold, both bodies still unread."""

import re
from typing import Any, Final

import msgspec

from schemas.errors import InvalidRequest
from schemas.unreadable import UNREADABLE
from services.domain.log_times import Told

NO_PATH: Final = "custom-model-nopath"  # what Helicone's clients say instead of a URL
NOT_THERE: Final = msgspec.Raw(b"")

# A surrogate pair, or half of one, as programs write it that cut a text within a character.
_SURROGATES: Final = re.compile(
    rb"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(\\u[dD][c-fC-F][0-9a-fA-F]{2})?|[c-fC-F][0-9a-fA-F]{2})"
)
_MAX_SURROGATES: Final = 10_000  # are looked at: a text has few, and other callers wait meanwhile
_LOST: Final = rb"\ufffd"
_ESCAPE_BYTES: Final = 6
_BACKSLASH: Final = ord("\\")


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
    except UNREADABLE:
        text = payload.decode("utf-8", "replace").encode()
    mended = _SURROGATES.sub(_whole, text, _MAX_SURROGATES)
    try:
        return _calls.decode(mended)
    except RecursionError:
        raise InvalidRequest("the body is nested too deeply") from None
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"the body is not a logged call: {error}") from None


def _whole(found: re.Match[bytes]) -> bytes:
    """What was `found`, with half characters replaced: their other halves are gone for good."""
    before = found.start()
    while before and found.string[before - 1] == _BACKSLASH:
        before -= 1
    if (found.start() - before) % 2:  # the first backslash is itself escaped
        return found[0][:_ESCAPE_BYTES] + (_LOST if found[1] else b"")
    return found[0] if found[1] else _LOST
