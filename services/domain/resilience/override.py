"""A fallback's own members of the request's body. One whose value is UNSET is left out."""

from collections.abc import Mapping
from typing import Any

import msgspec

from schemas.errors import InvalidRequest
from schemas.undecodable import UNDECODABLE


class BodyNotOverridable(InvalidRequest):
    """A fallback overrides members of a body that has none."""

    code = "invalid_fallbacks"
    status = 400


def with_override(body: bytes, override: Mapping[str, Any], model: str = "") -> bytes:
    """`body` with the members of `override`, inside objects too; others stay as they are.

    `model`: the one that it is to be sent to, where the body itself named it. Raises: BodyNotOverridable where it is
    no JSON object.
    """
    try:
        found = msgspec.json.decode(body)
        if isinstance(found, dict):
            return msgspec.json.encode(_merged(found, override))
    except UNDECODABLE:
        pass  # or nested too deeply to be merged
    who = f"the model {model}" if model else "Helicone-Fallbacks: bodyKeyOverride"
    raise BodyNotOverridable(f"{who} needs a body that is a JSON object, not nested too deeply")


def _merged(found: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(found)
    for name, value in override.items():
        inner = merged.get(name)
        if value is msgspec.UNSET:
            merged.pop(name, None)
        elif isinstance(inner, dict) and isinstance(value, dict):
            merged[name] = _merged(inner, value)
        else:
            merged[name] = value
    return merged
