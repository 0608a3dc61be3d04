"""Values of more than one kind in the bodies that clients send: what is of none is refused in one sentence.

Left to itself pydantic lists the faults of each kind, below the names that the kinds have in the code.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Final

from pydantic import Discriminator, Field, Tag

_WHOLE: Final = "<whole>"
_FRACTION: Final = "<fraction>"


def is_kind(part: object) -> bool:
    """Whether this part of a fault's place is the name of a kind, which no client wrote."""
    return isinstance(part, str) and part.startswith("<") and part.endswith(">")


def one_of(kind_of: Callable[[object], str | None], allowed: str) -> Discriminator:
    """Which of the tags `kind_of` a value has decides; the message of the others is `allowed`."""
    return Discriminator(kind_of, custom_error_type="kind", custom_error_message=allowed)


def _number_kind(value: object) -> str | None:
    if isinstance(value, bool):
        return None
    return _WHOLE if isinstance(value, int) else _FRACTION if isinstance(value, Decimal) else None


# An exact number: JSON's fractions are parsed as Decimal.
Number = Annotated[
    Annotated[int, Field(strict=True), Tag(_WHOLE)] | Annotated[Decimal, Field(strict=True), Tag(_FRACTION)],
    one_of(_number_kind, "Input should be a number"),
]


def _milliseconds_kind(value: object) -> str | None:
    if isinstance(value, str):
        return "<text>"
    return "<number>" if isinstance(value, int | Decimal) and not isinstance(value, bool) else None


Milliseconds = Annotated[
    Annotated[int, Tag("<number>")] | Annotated[str, Tag("<text>")],
    one_of(_milliseconds_kind, "Input should be milliseconds, as a number or text"),
]
