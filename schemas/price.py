"""Prices and what they make of a usage."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

import msgspec


class CostState(StrEnum):
    """Whether a cost is known. Unknown is not zero: totals carry how much of them is unknown."""

    PRICED = "priced"
    FREE = "free"  # truly costs nothing: an error answer, a cached answer, a model with a price of zero
    UNKNOWN_MODEL = "unknown_model"  # no price row for this model at that moment
    NO_USAGE = "no_usage"  # the provider did not say what was used
    PARTIAL = "partial"  # some class that was used has no price


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """Price of one usage class in US dollars per unit. Tiers are (threshold in input tokens, price), ascending.

    The highest tier whose threshold is exceeded prices the whole request, not only the excess.
    """

    usd: Decimal
    tiers: tuple[tuple[int, Decimal], ...] = ()


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """One dated row of the price book. `rates` is keyed by the field names of `Usage`."""

    id: str  # names source, provider, model and valid-from; stored beside each cost
    provider: str
    model: str
    valid_from: datetime | None  # None: since ever
    source: str
    rates: dict[str, Rate]
    usd_per_request: Decimal = Decimal(0)
    tier: str = ""  # service tier these rates are of; '' for the standard one


class PriceBook(Protocol):
    """All prices that are known, each with the time from which it holds."""

    def price_at(self, provider: str, model: str, moment: datetime, tier: str = "") -> Price | None:
        """The price in force at `moment`; None when the model is unknown.

        A known model without published prices for `tier` has a price without rates. Reads nothing from outside.
        """
        ...


class ChargeLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a receipt: `amount_usd` = `quantity` x `unit_usd`, exactly."""

    usage_class: str
    quantity: int
    unit_usd: Decimal
    amount_usd: Decimal


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """What a usage costs. `cost_usd` is None exactly when `state` is not PRICED and not FREE."""

    cost_usd: Decimal | None
    state: CostState
    price_id: str = ""
    lines: tuple[ChargeLine, ...] = ()
