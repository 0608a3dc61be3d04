"""Charge items -> rows of FOCUS 1.4: added up over a charge period by what they have in common.

A row is what one meter of one model cost in one hour or day at one price per unit, for one set of tags. So quantity
and amount of every row are sums of lines of receipts, and the rows of a period add up to its cost to the last digit.

Source: https://focus.finops.org/focus-specification/ (the Cost and Usage dataset; names and allowed values of columns).
Columns that are conditional on what Farebox does not have are left out: invoices, commitments, contracts, regions,
resources, a second currency, split allocation. So are unit prices, which a provider's own bill has none of: a row has
its own in `x_UnitPrice`, where there is one. List, contracted, billed and effective cost are the same amount, since a
price list and an operator's own price differ by no discount that would be known here.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Context, Decimal
from typing import Final

import msgspec

from services.domain.focus.items import ROUNDING, ChargeItem
from services.domain.focus.meters import meter_of
from services.domain.providers.catalog import provider_named

FocusValue = str | Decimal | Mapping[str, str] | None

COLUMNS: Final = (
    *("BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd"),
    *("BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency"),
    *("ChargePeriodEnd", "ChargePeriodStart", "ConsumedQuantity", "ConsumedUnit", "ContractedCost", "EffectiveCost"),
    *("HostProviderName", "InvoiceIssuerName", "ListCost", "PricingCategory", "PricingQuantity", "PricingUnit"),
    *("ServiceCategory", "ServiceName", "ServiceProviderName", "ServiceSubcategory", "SkuId", "SkuMeter"),
    *("SkuPriceDetails", "SkuPriceId", "SubAccountId", "SubAccountName", "Tags"),
    *("x_KeyId", "x_PriceId", "x_UnitPrice", "x_UnitPriceQuantity"),
)
_EXACT: Final = Context(prec=80)  # no sum is ever rounded


class ChargePeriod(msgspec.Struct, frozen=True, kw_only=True):
    """The hour or day of a charge, and the month that it is in."""

    start: datetime
    end: datetime
    billing_start: datetime
    billing_end: datetime


class ChargeOwner(msgspec.Struct, frozen=True, kw_only=True):
    """Whose charge it is."""

    account: str  # at the provider, as far as it is known
    project: str  # '' where it is unknown
    key_id: str
    tags: tuple[tuple[str, str], ...]  # properties, sorted


class _Kind(msgspec.Struct, frozen=True):
    """What the items of one row have in common."""

    period: ChargePeriod
    owner: ChargeOwner
    provider: str
    model: str
    tier: str
    price_id: str
    meter: str
    unit_usd: Decimal | None
    per: int
    above_tokens: int


class _Sum(msgspec.Struct):
    consumed: int = 0
    quantity: int = 0
    amount_usd: Decimal = Decimal(0)


class ChargeSums:
    """The charges of some requests, added up."""

    def __init__(self) -> None:
        self._sums: dict[_Kind, _Sum] = {}

    def __len__(self) -> int:
        """How many rows they make."""
        return len(self._sums)

    def add(self, item: ChargeItem, provider: str, period: ChargePeriod, owner: ChargeOwner) -> None:
        is_rounding = item.meter == ROUNDING
        kind = _Kind(
            period=period,
            owner=owner,
            provider=provider,
            model=item.model,
            tier=item.tier,
            price_id=item.price_id,
            meter=item.meter,
            unit_usd=None if is_rounding else item.unit_usd,
            per=item.per,
            above_tokens=item.above_tokens,
        )
        total = self._sums.setdefault(kind, _Sum())
        total.consumed += item.consumed
        total.quantity += item.quantity
        total.amount_usd = _EXACT.add(total.amount_usd, item.amount_usd)

    def take(self) -> list[list[FocusValue]]:
        """Their rows, in the order of `COLUMNS`. Afterwards there are none."""
        sums, self._sums = self._sums, {}
        rows = (_row(kind, total) for kind, total in sums.items() if kind.meter != ROUNDING or total.amount_usd)
        return [[row.get(name) for name in COLUMNS] for row in rows]


def _row(kind: _Kind, total: _Sum) -> dict[str, FocusValue]:
    """Without what is null."""
    title = provider_named(kind.provider).title or kind.provider
    costs = dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), total.amount_usd)
    period, owner = kind.period, kind.owner
    return {
        **costs,
        "BillingAccountId": owner.account,
        "BillingCurrency": "USD",
        "BillingPeriodStart": _instant(period.billing_start),
        "BillingPeriodEnd": _instant(period.billing_end),
        "ChargePeriodStart": _instant(period.start),
        "ChargePeriodEnd": _instant(period.end),
        "ChargeFrequency": "Usage-Based",
        "HostProviderName": title,
        "InvoiceIssuerName": title,
        "ServiceProviderName": title,
        "ServiceName": title,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceSubcategory": "Generative AI",
        "SubAccountId": owner.project or None,
        "Tags": dict(owner.tags) or None,
        "x_KeyId": owner.key_id or None,
        "x_PriceId": kind.price_id or None,
        **(_adjusted(kind) if kind.meter == ROUNDING else _used(kind, total)),
    }


def _adjusted(kind: _Kind) -> dict[str, FocusValue]:
    return {
        "ChargeCategory": "Adjustment",
        "ChargeDescription": f"Rounding of the costs of single requests of {kind.model} to twelve decimals",
    }


def _used(kind: _Kind, total: _Sum) -> dict[str, FocusValue]:
    meter = meter_of(kind.meter)
    model = kind.model or "unknown"
    sku = f"{kind.provider.lower()}/{model}/{kind.meter}"
    tier = kind.tier or "standard"
    context = f"above {kind.above_tokens} prompt tokens" if kind.above_tokens else ""
    details = {"ModelId": kind.model, "x_UsageClass": kind.meter, "x_ServiceTier": tier, "x_ContextTier": context}
    return {
        "ChargeCategory": "Usage",
        "ChargeDescription": f"{meter.title} of {model}",
        "ConsumedQuantity": Decimal(total.consumed),
        "ConsumedUnit": meter.unit,
        "PricingCategory": "Standard",
        "PricingQuantity": Decimal(total.quantity),
        "PricingUnit": meter.unit,
        "SkuId": sku,
        "SkuMeter": meter.title,
        "SkuPriceId": f"{sku}/{tier}" + (f"/above-{kind.above_tokens}" if context else ""),
        "SkuPriceDetails": {name: text for name, text in details.items() if text},
        "x_UnitPrice": kind.unit_usd,
        "x_UnitPriceQuantity": None if kind.unit_usd is None else Decimal(kind.per),
    }


def _instant(timestamp: datetime) -> str:
    return f"{timestamp:%Y-%m-%dT%H:%M:%SZ}"
