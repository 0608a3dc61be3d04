"""Helicone's wire format of a logged call: bytes -> LoggedCall, both bodies still undecoded."""

import re
from codecs import getincrementaldecoder
from collections.abc import Generator, Mapping
from typing import Any, Final

import msgspec

from schemas.errors import InvalidRequest
from schemas.undecodable import UNDECODABLE
from services.domain.logging_api.timestamps import RawTime

NO_PATH: Final = "custom-model-nopath"  # what Helicone's clients send instead of a URL
NOT_THERE: Final = msgspec.Raw(b"")

# A surrogate pair, or half of one, as written by programs that truncate a text within a character.
_SURROGATES: Final = re.compile(
    rb"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(\\u[dD][c-fC-F][0-9a-fA-F]{2})?|[c-fC-F][0-9a-fA-F]{2})"
)
_MAX_SURROGATES: Final = 10_000  # are repaired: a text has few, and other clients wait meanwhile
_REPLACEMENT: Final = rb"\ufffd"
_ESCAPE_BYTES: Final = 6
_BACKSLASHES: Final = b"\\" * 4096
_REPLACEMENT_CHARACTER: Final = "\ufffd"
_MAX_REPLACED: Final = 500_000  # invalid UTF-8 sequences: more take too long
_CHUNK_BYTES: Final = 2**20
MAX_META_BYTES: Final = 256 * 2**10


class LoggedRequest(msgspec.Struct, frozen=True):
    url: str = NO_PATH
    json: msgspec.Raw = NOT_THERE
    meta: msgspec.Raw = NOT_THERE  # headers, and whatever else clients put beside them


class LoggedResponse(msgspec.Struct, frozen=True, rename="camel"):
    status: int
    headers: msgspec.Raw = NOT_THERE
    json: msgspec.Raw = NOT_THERE
    text_body: str | None = None
    cost: float | None = None


class Timing(msgspec.Struct, frozen=True, rename="camel"):
    start_time: RawTime
    end_time: RawTime
    time_to_first_token: float | None = None


class LoggedCall(msgspec.Struct, frozen=True, rename="camel"):
    provider_request: LoggedRequest
    provider_response: LoggedResponse
    timing: Timing
    provider: str | None = None


_calls = msgspec.json.Decoder(LoggedCall)
_meta = msgspec.json.Decoder(dict[str, Any] | None)


def decode_payload_steps(payload: bytes | bytearray) -> Generator[None, None, LoggedCall]:
    """Returns the call in `payload`; yields where other work may run, as each step may take milliseconds.

    Raises: InvalidRequest, which names the invalid member.
    """
    try:
        return _calls.decode(payload)
    except UNDECODABLE:
        pass
    yield
    text = valid_utf8(payload)
    yield
    repaired = _SURROGATES.sub(_whole, text, _MAX_SURROGATES)
    yield
    try:
        return _calls.decode(repaired)
    except RecursionError:
        raise InvalidRequest("the body is nested too deeply") from None
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"the body is not a logged call: {error}") from None


def decode_meta(raw: msgspec.Raw) -> Mapping[str, Any]:
    """Everything in a log's `meta`. Raises: InvalidRequest."""
    text = bytes(raw)
    if len(text) > MAX_META_BYTES:
        raise InvalidRequest(f"providerRequest.meta is larger than {MAX_META_BYTES} bytes")
    try:
        return _meta.decode(valid_utf8(text)) or {} if text else {}
    except RecursionError:
        raise InvalidRequest("providerRequest.meta is nested too deeply") from None
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"providerRequest.meta is invalid: {error}") from None


def valid_utf8(text: bytes | bytearray) -> bytes:
    """`text` with U+FFFD in place of invalid UTF-8. Raises: InvalidRequest when there is too much of it."""
    decoder = getincrementaldecoder("utf-8")("replace")
    valid, replaced = bytearray(), 0
    for start in range(0, len(text), _CHUNK_BYTES):
        end = start + _CHUNK_BYTES
        chunk = decoder.decode(text[start:end], final=end >= len(text))
        replaced += chunk.count(_REPLACEMENT_CHARACTER)
        if replaced > _MAX_REPLACED:
            raise InvalidRequest("the body is not UTF-8")
        valid += chunk.encode()
    return bytes(valid)


def _whole(found: re.Match[bytes]) -> bytes:
    """`found`, with unpaired surrogates replaced."""
    if _backslashes_before(found.string, found.start()) % 2:  # the first backslash is itself escaped
        return found[0][:_ESCAPE_BYTES] + (_REPLACEMENT if found[1] else b"")
    return found[0] if found[1] else _REPLACEMENT


def _backslashes_before(text: bytes, end: int) -> int:
    start = end
    while text.endswith(_BACKSLASHES, 0, start):  # many in one step, as a text may consist of them
        start -= len(_BACKSLASHES)
    before = text[max(0, start - len(_BACKSLASHES)) : start]
    return end - start + len(before) - len(before.rstrip(b"\\"))
