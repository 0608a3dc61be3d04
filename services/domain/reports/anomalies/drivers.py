"""Who explains an excess: the parts of it by user, model or property, which add up to it exactly."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

import msgspec

from schemas.price import UNIT_USD

ZERO: Final = Decimal(0)


class Part(msgspec.Struct, frozen=True):
    """What one value has of the actual figure, of the expected one, and of the excess."""

    value: str
    actual: Decimal
    expected: Decimal
    excess: Decimal


class Split(msgspec.Struct, frozen=True):
    parts: Sequence[Part]
    rest: Decimal  # of the excess: what the parts leave


def split_excess(
    actual: Mapping[str, Decimal],
    earlier: Mapping[str, Decimal],
    *,
    excess: Decimal,
    expected: Decimal,
    earlier_total: Decimal,
    limit: int,
) -> Split:
    """The largest parts by value, and the rest: together they are the excess, to the last digit.

    The parts of a fall, whose excess is negative, are those that fell.

    What was expected is divided as the same times of earlier weeks were, of which all values together had
    `earlier_total`; where they had nothing, it is in the rest.
    """
    scale = expected / earlier_total if earlier_total > 0 else ZERO
    parts = [_part(value, actual.get(value, ZERO), earlier.get(value, ZERO) * scale) for value in {**actual, **earlier}]
    sign = -1 if excess < 0 else 1
    alike = (part for part in parts if sign * part.excess > 0)
    largest = sorted(alike, key=lambda part: (-abs(part.excess), part.value))[:limit]
    return Split(largest, excess - sum((part.excess for part in largest), ZERO))


def _part(value: str, actual: Decimal, expected: Decimal) -> Part:
    rounded = expected.quantize(UNIT_USD, ROUND_HALF_EVEN)
    return Part(value, actual, rounded, actual - rounded)
