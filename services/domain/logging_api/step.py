"""The name of a logged step that is no call of a model: a tool, a data source or a vector database."""

from typing import Final

import msgspec

from schemas.undecodable import UNDECODABLE
from services.domain.logging_api.payload import NOT_THERE
from services.domain.usage.request.info import MAX_NAME_CHARACTERS

_MAX_RAW_NAME_BYTES: Final = 64 * 2**10
_STEPS: Final = ("tool", "data", "vector_db")
_NAMELESS: Final = "unknown"
_KIND: Final = b'"_type"'


class _Named(msgspec.Struct, frozen=True):
    """The members of a body that name the kind of call, undecoded: they may be any JSON."""

    kind: msgspec.Raw = msgspec.field(default=NOT_THERE, name="_type")
    tool: msgspec.Raw = msgspec.field(default=NOT_THERE, name="toolName")
    name: msgspec.Raw = NOT_THERE


_named = msgspec.json.Decoder(_Named)
_text = msgspec.json.Decoder(str)


def step_of(request_body: bytes, response_body: bytes) -> str:
    """The name of a non-LLM step, as Helicone names its model; '' for calls of models.

    The Python client writes the kind into both bodies, and the name of a data source only into the request: a name in
    the response may belong to a result.
    """
    if _KIND not in request_body and _KIND not in response_body:
        return ""
    request, response = _named_in(request_body), _named_in(response_body)
    kind = _text_of(response.kind)
    match kind if kind in _STEPS else _text_of(request.kind):
        case "tool":
            return f"tool:{_name(request.tool) or _name(response.tool) or _NAMELESS}"
        case "data":
            return f"data:{_name(request.name) or _name(response.name) or _NAMELESS}"
        case "vector_db":
            return "vector_db"
    return ""


def _named_in(body: bytes) -> _Named:
    try:
        return _named.decode(body)
    except UNDECODABLE:
        return _Named()


def _name(raw: msgspec.Raw) -> str:
    """'' without one; the Python client writes `unknown` then."""
    name = _text_of(raw)
    return "" if name == _NAMELESS else name


def _text_of(raw: msgspec.Raw) -> str:
    """The beginning of a JSON string; '' for other JSON, or one longer than any name."""
    content = bytes(raw)
    if not content.startswith(b'"') or len(content) > _MAX_RAW_NAME_BYTES:
        return ""
    try:
        return _text.decode(content)[:MAX_NAME_CHARACTERS]
    except UNDECODABLE:
        return ""
