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
    since: datetime = _ALWAYS
    until: datetime = _FOR_EVER
    why: str  # for people; a sentence

    def is_open(self, timestamp: datetime) -> bool:
        """Whether it concerns requests at `timestamp`."""
        return self.since <= timestamp < self.until


class OffPeak(msgspec.Struct, frozen=True, kw_only=True):
    """Whole days, UTC, on which the prices of some hours do not hold, from `since` on and before `until`."""

    models: str  # a regular expression, matched against the whole of the package's names
    weekends: bool = False  # only on Saturdays and Sundays
    since: datetime = _ALWAYS
    until: datetime = _FOR_EVER

    def holds(self, timestamp: datetime) -> bool:
        if not self.since <= timestamp < self.until:
            return False
        return not self.weekends or timestamp.astimezone(UTC).weekday() >= _SATURDAY


class Regions(msgspec.Struct, frozen=True, kw_only=True):
    """Where a list holds, of a seller whose prices differ by region. All are regular expressions."""

    named_in_urls: str  # its group is the region
    named_in_models: str  # likewise, of a model's name or ARN, where the URL names none
    listed: str  # regions, whole, whose prices the list has
    alike: str  # models, anywhere in a name, that cost the same in all but those `apart`
    apart: str  # regions, whole, with prices of their own for every model

    def holds(self, region: str, model: str) -> bool:
        """Whether the list has the price of `model`, as requests name it, in `region`."""
        if re.fullmatch(self.listed, region):
            return True
        return not re.fullmatch(self.apart, region) and re.search(self.alike, model) is not None


class MovingAlias(msgspec.Struct, frozen=True, kw_only=True):
    """A name that the list has at the price of an older model than it stands for from `since` on."""

    name: str
    model: str  # by the package's names
    since: datetime


class PriceList(msgspec.Struct, frozen=True, kw_only=True):
    """One list of the package, and how to use it."""

    seller: str  # its id there
    billed_as: Mapping[str, str] = msgspec.field(default_factory=dict)  # usage class without a price -> class with one
    speech_models: str = ""  # models in the list that return nothing but audio, at their one output price
    resells: frozenset[str] = frozenset()  # ids of sellers whose models are sold at their prices, tiers aside
    is_sole_seller: bool = False  # its models cost the same whoever sells them, so a model's name is enough
    not_sold: str = ""  # models in the list that run elsewhere only, at other prices
    open_weights: str = ""  # models in the list that others sell at other prices
    search_fees: Mapping[Decimal, Mapping[str, Decimal]] = msgspec.field(default_factory=dict)
    least_audio_ms: int = 0  # shorter audio that is sold by its length is billed as so much
    free: str = ""  # names, whole, of models whose tokens cost nothing, whether or not the list has them
    gaps: tuple[PriceGap, ...] = ()
    off_peak: tuple[OffPeak, ...] = ()
    regions: Regions | None = None
    aliases: tuple[MovingAlias, ...] = ()

    def gaps_of(self, model: str) -> tuple[PriceGap, ...]:
        """What is known to be missing of `model`, by the package's name."""
        return tuple(gap for gap in self.gaps if re.fullmatch(gap.models, model))

    def off_peak_of(self, model: str) -> tuple[OffPeak, ...]:
        """The days on which `model`, by the package's name, has no prices by the hour."""
        return tuple(one for one in self.off_peak if re.fullmatch(one.models, model))


def costlier(models: str, above_tokens: int, until: datetime = _FOR_EVER) -> PriceGap:
    """Long prompts cost more, and the package has the price of short ones only."""
    why = (
        f"Prompts of more than {above_tokens:,} tokens cost more, and the shipped prices do not include that rate: add "
        f"a price that does, with `--above {above_tokens}:CLASS=USD` for each class."
    )
    return PriceGap(models=models, above_tokens=above_tokens, until=until, why=why)
