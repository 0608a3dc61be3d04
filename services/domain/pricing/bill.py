"""The provider's own bill: where a response carries it, that is the cost, and what we calculate stands beside it.

Which providers' responses do is known by provider (`Quirk.BILL_IN_RESPONSE`). A cost that any other response reports,
or that a client logged, is compared with ours and never charged.
"""

from decimal import Decimal
from typing import Final

from schemas.price import Charge, ChargeLine, CostState, Price
from schemas.usage import ParsedResponse
from services.domain.providers.catalog import has_quirk, provider_named
from services.domain.providers.record import Quirk

SOURCE: Final = "the provider's own bill"
PREFIX: Final = "bill/"  # of a price id; what follows is the provider
LINE: Final = "bill"

_SHARE: Final = Decimal("0.01")
# A cost that ends at a coarser decimal may have been rounded to it. Beyond thousandths of a dollar nobody rounds.
_COARSEST: Final = 3
_FINEST: Final = 12


def bill_of(provider: str, parsed: ParsedResponse) -> Charge | None:
    """The charge that the response of `provider` carries; None when it carries no bill, or not all of it."""
    if parsed.cost_usd is None or not parsed.cost_is_whole or not has_quirk(provider, Quirk.BILL_IN_RESPONSE):
        return None
    return charge_of_bill(f"{PREFIX}{provider_named(provider).name}", parsed.cost_usd)


def charge_of_bill(price_id: str, bill_usd: Decimal) -> Charge:
    line = ChargeLine(usage_class=LINE, quantity=1, unit_usd=bill_usd, amount_usd=bill_usd)
    state = CostState.PRICED if bill_usd else CostState.FREE
    return Charge(cost_usd=bill_usd, state=state, price_id=price_id, lines=(line,))


def is_bill(price_id: str) -> bool:
    """Whether a row's cost is its provider's own bill."""
    return price_id.startswith(PREFIX)


def price_of_bill(price_id: str) -> Price:
    """What stands for the price of a row that costs what its provider billed: a source, and no rates."""
    provider = price_id.removeprefix(PREFIX)
    return Price(id=price_id, provider=provider, model="", valid_from=None, source=SOURCE, rates={})


def calculated_usd_of(price_id: str, cost_usd: Decimal | None, beside_usd: Decimal | None) -> Decimal | None:
    """What our prices make of a row: `beside_usd`, which stands beside a bill, else its cost."""
    return beside_usd if is_bill(price_id) else cost_usd


def is_disputed(reported_usd: Decimal | None, calculated_usd: Decimal | None) -> bool:
    """Whether both costs are known and contradict each other; `DISPUTED` in `schemas/disputes.py`, for one row."""
    return reported_usd is not None and calculated_usd is not None and costs_differ(reported_usd, calculated_usd)


def costs_differ(reported_usd: Decimal, calculated_usd: Decimal) -> bool:
    """Whether a reported cost contradicts ours: by more than a hundredth, and by more than it was rounded by."""
    difference = abs(reported_usd - calculated_usd)
    larger = max(reported_usd, calculated_usd)
    return difference > larger * _SHARE and difference > _rounded_by(reported_usd)


def _rounded_by(reported_usd: Decimal) -> Decimal:
    """Half a unit of its last decimal."""
    for decimals in range(_COARSEST, _FINEST):
        if reported_usd == round(reported_usd, decimals):
            return Decimal(5).scaleb(-decimals - 1)
    return Decimal(0)
