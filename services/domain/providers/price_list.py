"""A provider's price list in the `genai-prices` package: what it is called there, and what it leaves out.

No prices stand here. Where the list is silent or out of date, the cost stays unknown until an operator adds a price.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import msgspec

_ALWAYS: Final = datetime(2020, 1, 1, tzinfo=UTC)
_FOR_EVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
_SATURDAY: Final = 5


class PriceGap(msgspec.Struct, frozen=True, kw_only=True):
    """Prompts of more than `above_tokens` have no known price from `since` on and before `until`."""

    models: str  # a regular expression, matched against the whole of the package's names
    above_tokens: int = 0  # 0: no prompt has
    hours: bool = False  # only where the price holds for some hours of the day
    weekends: bool = False  # only on Saturdays and Sundays, UTC
    since: datetime = _ALWAYS
    until: datetime = _FOR_EVER
    why: str  # for people; a sentence

    def is_open(self, timestamp: datetime, *, hours: bool) -> bool:
        """Whether it concerns requests at `timestamp`, priced by the hour of the day or not."""
        if not self.since <= timestamp < self.until or (self.hours and not hours):
            return False
        return not self.weekends or timestamp.astimezone(UTC).weekday() >= _SATURDAY


class PriceList(msgspec.Struct, frozen=True, kw_only=True):
    """One list of the package, and how to use it."""

    seller: str  # its id there
    billed_as: Mapping[str, str] = msgspec.field(default_factory=dict)  # usage class without a price -> class with one
    resells: frozenset[str] = frozenset()  # ids of sellers whose models are sold at their prices, tiers aside
    is_sole_seller: bool = False  # its models cost the same whoever sells them, so a model's name is enough
    not_sold: str = ""  # models in the list that run elsewhere only, at other prices
    open_weights: str = ""  # models in the list that others sell at other prices
    search_fees: Mapping[Decimal, Mapping[str, Decimal]] = msgspec.field(default_factory=dict)
    gaps: tuple[PriceGap, ...] = ()

    def gaps_of(self, model: str) -> tuple[PriceGap, ...]:
        """What is known to be missing of `model`, by the package's name."""
        return tuple(gap for gap in self.gaps if re.fullmatch(gap.models, model))


def costlier(models: str, above_tokens: int, until: datetime = _FOR_EVER) -> PriceGap:
    """Long prompts cost more, and the package has the price of short ones only."""
    why = (
        f"Prompts of more than {above_tokens:,} tokens cost more, and the shipped prices do not include that rate: add "
        f"a price that does, with `--above {above_tokens}:CLASS=USD` for each class."
    )
    return PriceGap(models=models, above_tokens=above_tokens, until=until, why=why)
