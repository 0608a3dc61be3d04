"""How many characters of text a request holds, for an estimate of its tokens."""

from typing import Final

import msgspec

from schemas.undecodable import UNDECODABLE

MAX_BRACKETS: Final = 500_000  # opening ones, anywhere in a request

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
    """The characters of text in a request.

    0 if it cannot be decoded, or has more lists and objects than any prompt: other events would wait meanwhile.
    """
    if request_body.count(b"[") + request_body.count(b"{") > MAX_BRACKETS:
        return 0
    try:
        return _characters(_any.decode(request_body), is_text=False)
    except UNDECODABLE:
        return 0


def _characters(value: object, *, is_text: bool) -> int:
    if isinstance(value, str):
        return len(value) if is_text else 0
    if isinstance(value, list):
        return sum(_characters(one, is_text=is_text) for one in value if isinstance(one, _HOLDS_TEXT))
    if isinstance(value, dict):
        return sum(_characters(inner, is_text=name in _TEXT_FIELDS) for name, inner in value.items())
    return 0
