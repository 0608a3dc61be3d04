"""Counts in a usage object under unrecognized names: new ones, or those of another format.

They may be billed, so a cost without them could be wrong: it is unknown.
"""

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

from services.domain.usage.formats.fields import UsageObject

# The names that a format knows, or that repeat those, by the object they are in; '' is the usage object itself.
Names: TypeAlias = Mapping[str, frozenset[str]]

_NONE: Final[frozenset[str]] = frozenset()
_DEEPEST: Final = 4  # no provider nests counts deeper
_COUNT: Final = re.compile(
    r"token|char|second|minute|image|audio|video|pixel|frame|page|search|quer|request|unit|tool|call|connector|credit"
    r"|count|num_|used|cache",
    re.IGNORECASE,
)
# Numbers that are not billed: totals, prices and costs, timings and speeds, shares, ids.
_NO_COUNT: Final = re.compile(
    r"\.total_?token(?:s|count)$|cost|price|discount|time$|timestamp|\.time_|latency|duration|per_?sec|per_\w{0,40}token"
    r"|percent|rate$|ratio$|[._]id$",
    re.IGNORECASE,
)


def counts_more(block: UsageObject, names: Names, place: str = "", depth: int = 0) -> bool:
    """Whether `block` has a number above zero that is named like a count, and under none of the `names`."""
    known = names.get(place, _NONE)
    for name, value in block.items():
        if not value or name in known:
            continue
        if name in names and isinstance(value, dict):
            if depth == _DEEPEST or counts_more(value, names, name, depth + 1):
                return True
        elif _is_count(f"{place}.{name}", value) or _holds_count(value, names, name, depth):
            return True
    return False


def _is_count(path: str, value: object) -> bool:
    if type(value) is not int and type(value) is not float:
        return False
    return value > 0 and _COUNT.search(path) is not None and _NO_COUNT.search(path) is None


def _holds_count(value: object, names: Names, name: str, depth: int) -> bool:
    """Whether a list or an object of unknown name contains one."""
    objects = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]
    return any(depth == _DEEPEST or counts_more(one, names, name, depth + 1) for one in objects)
