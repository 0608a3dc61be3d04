"""The counts of a provider's usage object: whole, not negative and plausible, or invalid."""

from collections.abc import Mapping
from typing import Final, TypeAlias

import msgspec

from schemas.usage import Usage

_MAX_COUNT: Final = 2**31 - 1  # no exchange has used two thousand million of anything

UsageObject: TypeAlias = Mapping[str, object]
_NOTHING: Final[UsageObject] = {}


class InvalidUsage(Exception):
    """A count that no provider can have meant. Never leaves the parsing of a response."""


class ParsedUsage(msgspec.Struct, frozen=True):
    """A usage object in our classes."""

    usage: Usage
    consistent: bool = True  # False: its own totals contradict these classes
    complete: bool = True  # False: something was used that no class holds


def count_field(block: UsageObject, name: str) -> int:
    """The count under `name`; 0 when it is absent or null. Raises: InvalidUsage."""
    value = block.get(name)
    if value is None:
        return 0
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or not 0 <= value <= _MAX_COUNT:
        raise InvalidUsage(name)
    return value


def first_count_field(block: UsageObject, *names: str) -> int:
    """The first non-zero count under any of `names`: some servers fill in all names. Raises: InvalidUsage."""
    for name in names:
        if name in block and (count := count_field(block, name)):
            return count
    return 0


def section(block: UsageObject, *names: str) -> UsageObject:
    """The first object under any of `names` that is not empty; empty when there is none."""
    for name in names:
        value = block.get(name)
        if value and isinstance(value, dict):
            return value
    return _NOTHING


def entries(block: UsageObject, name: str) -> list[UsageObject]:
    """The objects of the list under `name`; empty when it is none."""
    value = block.get(name)
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
