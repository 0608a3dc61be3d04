"""The id that a provider gives a response in its body."""

import re
from typing import Final

import msgspec

from schemas.undecodable import UNDECODABLE
from services.domain.exchange.sse import events_of, looks_like_events
from services.domain.usage.response.envelope import NOT_THERE, value_of

# Nothing else is taken for one: it is kept of a response that is omitted, so it must be no word of it.
_ID: Final = re.compile(r"(?=.*\d)[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,127}")
_MAX_RAW_BYTES: Final = 512
_OPENING_BYTES: Final = 16 * 2**10  # of what is no whole document: every event and every line names the id
_OPENING_EVENTS: Final = 3
# In a truncated response: behind short members only, so that it is no id of something inside.
_SCALAR: Final = rb'"\w+"\s*:\s*(?:"[^"\\]{0,256}"|[\w.+-]+)\s*,\s*'
_TRUNCATED: Final = re.compile(rb"\s*\{\s*(?:" + _SCALAR + rb'){0,16}"(?:id|responseId)"\s*:\s*("[^"\\]{1,256}")')


class _Ids(msgspec.Struct):
    id: msgspec.Raw = NOT_THERE
    response_id: msgspec.Raw = NOT_THERE
    google_id: msgspec.Raw = msgspec.field(default=NOT_THERE, name="responseId")
    message: msgspec.Raw = NOT_THERE  # in the first event of a stream
    response: msgspec.Raw = NOT_THERE

    @property
    def named(self) -> str:
        return _valid(self.id or self.response_id or self.google_id)


_decoder = msgspec.json.Decoder(_Ids)


def response_id_in(content: bytes) -> str:
    """'' when the body `content`, decompressed, names none."""
    if looks_like_events(content):
        events = events_of(content[:_OPENING_BYTES])[:_OPENING_EVENTS]
        return next((found for event in events if (found := _id_of(_ids_in(event)))), "")
    ids = _ids_in(content) if content.lstrip()[:1] == b"{" else None
    if ids is not None:
        return _id_of(ids)
    opening = content[:_OPENING_BYTES]
    cut = _TRUNCATED.match(opening)
    return _valid(msgspec.Raw(cut[1])) if cut else _id_of(_ids_in(opening.partition(b"\n")[0]))


def _id_of(ids: _Ids | None) -> str:
    """That of a response, or of the object in an event of a stream."""
    if ids is None:
        return ""
    inner = None if ids.named else _ids_in(bytes(ids.message or ids.response))
    return ids.named or (inner.named if inner is not None else "")


def _ids_in(text: bytes) -> _Ids | None:
    """None when `text` is no JSON object."""
    try:
        return _decoder.decode(text) if text else None
    except UNDECODABLE:
        return None


def _valid(raw: msgspec.Raw) -> str:
    name = value_of(raw) if len(bytes(raw)) <= _MAX_RAW_BYTES else None
    return name if isinstance(name, str) and _ID.fullmatch(name) else ""
