"""The errors of Helicone's typed log route: each with the field of the logged call that is invalid."""

import re
from typing import Any, Final

TYPED_PATH: Final = "/v1/trace/custom/log/typed"

_PLACE: Final = re.compile(r"at `\$\.?([^`]*)`")
_MISSING: Final = re.compile(r"required field `(\w+)`")
_NAMED: Final = re.compile(r"(?:provider|timing)\w*(?:\.\w+)*")


def typed_faults(reason: str) -> dict[str, Any]:
    """The body of the response; `reason` is the text of the InvalidRequest that refused the log."""
    return {"isValid": False, "errors": [{"field": _field(reason), "message": reason}]}


def _field(reason: str) -> str:
    """The field that `reason` names; '' for the body as a whole."""
    place, missing = _PLACE.search(reason), _MISSING.search(reason)
    if place is None and missing is None:
        named = _NAMED.match(reason)
        return named[0] if named else ""
    return ".".join(found[1] for found in (place, missing) if found is not None and found[1])
