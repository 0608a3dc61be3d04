"""Prices and what they make of a usage."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, Protocol

import msgspec

from schemas.usage import ModelUsage

# Which rules charge. Raised whenever the same event comes out with another usage or cost: workers of two versions may
# run beside each other during an upgrade, and a golden test fails when it has to be.
PRICING_VERSION: Final = 3

UNIT_USD: Final = Decimal("1e-12")  # amounts are whole multiples of it
MS_AN_HOUR: Final = 3_600_000
MAX_USD: Final = Decimal("999999.999999999999")  # what the column holds


class CostState(StrEnum):
    """Whether a cost is known. Unknown is not zero: totals carry how much of them is unknown."""

    PRICED = "priced"
    FREE = "free"  # truly costs nothing: an error response, a cached response, a model with a price of zero
    UNKNOWN_MODEL = "unknown_model"  # no price row for this model at that timestamp
    NO_USAGE = "no_usage"  # the provider reported no usage
    PARTIAL = "partial"  # only part of what was used is known, or has a price
    TRUNCATED = "truncated"  # the response was larger than the capture limit, and its usage was cut off


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """Price of one usage class in US dollars for `per` units. Tiers are (threshold in input tokens, price), ascending.

    The highest tier whose threshold is exceeded prices the whole request, not only the excess. A price by the hour
    stays one, such as 0.111 for 3,600,000 milliseconds: no rate is rounded.
    """

    usd: Decimal
    tiers: tuple[tuple[int, Decimal], ...] = ()
    per: int = 1
    at_least: int = 0  # fewer units are billed as so many


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """One dated row of the price book. `rates` is keyed by the field names of `Usage`."""

    id: str  # names source, provider, model and valid-from; stored beside each cost
    provider: str
    model: str
    valid_from: datetime | None  # None: always
    source: str
    rates: dict[str, Rate]
    usd_per_request: Decimal = Decimal(0)
    tier: str = ""  # service tier these rates are of; '' for the standard one
    max_prompt_tokens: int | None = None  # longer prompts cost more, at an unknown rate; None: no limit
    page_url: str = ""  # where the seller publishes its prices
    checked_on: date | None = None  # when the source compared it with that page last; None where it does not say
    included_in: dict[str, str] = {}  # class -> the one whose price has it included, so only where that one was used


class PriceBook(Protocol):
    """All prices that are known, each with the time from which it holds."""

    def price_at(self, provider: str, model: str, timestamp: datetime, tier: str = "") -> Price | None:
        """The price in force at `timestamp`; None when the model is unknown.

        A known model without published prices for `tier` has a price without rates. Reads nothing from outside.
        """
        ...


class ShippedBook(PriceBook, Protocol):
    """The published prices, which know where they are incomplete or out of date."""

    @property
    def release(self) -> str:
        """Of the rules and the prices that requests are charged by, for people."""
        ...

    def why_unpriced(self, provider: str, model: str, timestamp: datetime) -> str:
        """What is known to be missing of a model's prices at `timestamp`, and what helps: a sentence, or ''."""
        ...

    def nearest(self, provider: str, model: str, timestamp: datetime) -> Price | None:
        """The price of the known model whose name is most like `model`; None where none is. A hint for people only."""
        ...


class PriceBooks(Protocol):
    """The price book of each organization: what is published is in all of them, and each may have rows of its own."""

    def prices_of(self, organization_id: str, recorded_at: datetime) -> PriceBook:
        """What counts for an event recorded at `recorded_at`: rows and ends that are known since then or before.

        What is added or ended later is not in it, so that an event has the same cost whenever it is delivered
        again. Reads nothing from outside.
        """
        ...


class PriceTerms(msgspec.Struct, frozen=True, kw_only=True):
    """A price that an operator sets, and when it is valid. It replaces all other prices of the same models."""

    provider: str = ""  # '' for any; matched in any spelling of the provider's names
    model: str  # a name, or a pattern in which each * stands for any text; matched ignoring case
    tier: str = ""  # service tier, lower case; '' for the standard one
    rates: dict[str, Rate]  # keyed by the field names of `Usage`; what is used and not in it makes a cost unknown
    usd_per_request: Decimal = Decimal(0)
    valid_from: datetime  # for requests made from this timestamp on
    valid_until: datetime | None = None  # and before this one


class PriceEnd(msgspec.Struct, frozen=True, kw_only=True):
    """An operator ended a price."""

    at: datetime  # for requests made from this timestamp on it holds no more
    effective_for_events_since: datetime  # for events recorded from this timestamp on


class OperatorPrice(PriceTerms, frozen=True, kw_only=True):
    """A price row of one organization. It is never deleted nor changed: what may be added is an earlier end."""

    id: str  # UUID
    organization_id: str
    effective_for_events_since: datetime  # for events recorded from this timestamp on it counts
    ends: tuple[PriceEnd, ...] = ()  # in the order in which they were set

    @property
    def holds_until(self) -> datetime | None:
        """When it holds no more: at the end that it was added with, or at an earlier one that was set since."""
        ends = [end.at for end in self.ends]
        return min(ends if self.valid_until is None else [self.valid_until, *ends], default=None)


class ChargeLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a receipt: `amount_usd` = `quantity` x `unit_usd` / `per`, exactly unless that never ends."""

    usage_class: str
    quantity: int
    unit_usd: Decimal  # for `per` units
    amount_usd: Decimal  # to 1e-24, half even, where the division never ends
    per: int = 1


class ModelCharge(ModelUsage, frozen=True, kw_only=True, omit_defaults=True):
    """What another model used within a request, and what that costs: a part of the request's cost."""

    service_tier: str = ""
    cost_usd: Decimal | None
    cost_state: CostState
    price_id: str = ""


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """What a usage costs. `cost_usd` is None exactly when `state` is not PRICED and not FREE."""

    cost_usd: Decimal | None  # with that of the `others`; None where one of them is unknown
    state: CostState
    price_id: str = ""
    lines: tuple[ChargeLine, ...] = ()  # of the billed model
    others: tuple[ModelCharge, ...] = ()  # models that used something for it
    calculated: "Charge | None" = None  # by our prices, where `cost_usd` is the provider's own bill
