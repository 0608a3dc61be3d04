"""The body of a request, with another model in it. Nothing else in it changes, byte for byte of each value."""

from typing import Final

import msgspec

from schemas.undecodable import UNDECODABLE

_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text: Final = msgspec.json.Decoder(str)


def with_model(content: bytes, model: str) -> bytes | None:
    """None where the body does not name its model: a form, or an API whose path does."""
    try:
        members = _members.decode(content)
        _text.decode(members["model"])
    except (*UNDECODABLE, KeyError):
        return None
    members["model"] = msgspec.Raw(msgspec.json.encode(model))
    return msgspec.json.encode(members)
