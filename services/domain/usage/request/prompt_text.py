"""How many characters of text a request holds, for an estimate of its tokens."""

from typing import Final

import msgspec

from schemas.undecodable import UNDECODABLE

MAX_BRACKETS: Final = 500_000  # of a request, opening ones, wherever they stand

# Where clients put text. Images, audio, ids and settings stand under other names.
_TEXT_FIELDS: Final = frozenset(
    (
        *("content", "text", "input", "prompt", "system", "instructions", "message", "preamble"),
        *("arguments", "thinking", "description", "output"),
    )
)
_HOLDS_TEXT: Final = (str, list, dict)

_any = msgspec.json.Decoder()


def prompt_characters(request_body: bytes) -> int:
    """How much text a request puts in.

    0 of what cannot be read, or holds more lists and objects than any prompt: other events wait meanwhile.
    """
    if request_body.count(b"[") + request_body.count(b"{") > MAX_BRACKETS:
        return 0
    try:
        return _characters(_any.decode(request_body), counted=False)
    except UNDECODABLE:
        return 0


def _characters(value: object, *, counted: bool) -> int:
    if isinstance(value, str):
        return len(value) if counted else 0
    if isinstance(value, list):
        return sum(_characters(one, counted=counted) for one in value if isinstance(one, _HOLDS_TEXT))
    if isinstance(value, dict):
        return sum(_characters(inner, counted=name in _TEXT_FIELDS) for name, inner in value.items())
    return 0
