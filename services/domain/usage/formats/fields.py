"""The counts of a provider's usage object: whole, not negative and plausible, or invalid."""

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, TypeAlias

import msgspec

from schemas.usage import ModelUsage, Usage

MAX_COUNT: Final = 2**31 - 1  # no exchange has used two thousand million of anything

UsageObject: TypeAlias = Mapping[str, object]
_NOTHING: Final[UsageObject] = {}


class InvalidUsage(Exception):
    """A count that no provider can have meant. Never leaves the parsing of a response."""


class ParsedUsage(msgspec.Struct, frozen=True):
    """A usage object in our classes."""

    usage: Usage
    consistent: bool = True  # False: its own totals contradict these classes
    complete: bool = True  # False: something was used that no class holds
    other_models: tuple[ModelUsage, ...] = ()  # what they used beside `usage`


def count_field(block: UsageObject, name: str) -> int:
    """The count under `name`; 0 when it is absent or null. Raises: InvalidUsage."""
    value = block.get(name)
    if value is None:
        return 0
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or not 0 <= value <= MAX_COUNT:
        raise InvalidUsage(name)
    return value


def milliseconds_field(block: UsageObject, name: str) -> int:
    """The seconds under `name` in milliseconds, half up; 0 when there are none. Raises: InvalidUsage."""
    value = block.get(name)
    if not isinstance(value, float):
        return plausible(1000 * count_field(block, name))
    if not 0 <= value <= MAX_COUNT:  # nor is it NaN
        raise InvalidUsage(name)
    return plausible(int((Decimal(repr(value)) * 1000).to_integral_value(ROUND_HALF_UP)))


def summed_count(blocks: Iterable[UsageObject], name: str) -> int:
    """The counts under `name`, added. Raises: InvalidUsage."""
    return plausible(sum(count_field(block, name) for block in blocks))


def plausible(count: int) -> int:
    """`count`. Raises: InvalidUsage."""
    if count > MAX_COUNT:
        raise InvalidUsage
    return count


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
