"""Prices into what clients are shown: per million tokens, as providers write them."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from schemas.api.prices import OperatorPriceView, PriceView, TierView
from schemas.price import MS_AN_HOUR, OperatorPrice, Price
from services.domain.pricing.price_book import price_of
from services.domain.pricing.price_input import counted_in_tokens


def price_view(price: Price) -> PriceView:
    # What is included in another class has no price of its own.
    rates = {name: rate for name, rate in price.rates.items() if name not in price.included_in}
    units = {name: rate.usd for name, rate in rates.items() if rate.per == 1}
    return PriceView(
        id=price.id,
        source=price.source,
        page_url=price.page_url,
        checked_on=price.checked_on,
        provider=price.provider,
        model=price.model,
        service_tier=price.tier,
        valid_from=price.valid_from,
        usd_per_million_tokens=_per_million(units),
        usd_per_unit=_per_unit(units),
        usd_per_hour={name: rate.usd for name, rate in rates.items() if rate.per == MS_AN_HOUR},
        billed_at_least={name: rate.at_least for name, rate in rates.items() if rate.at_least},
        usd_per_request=price.usd_per_request,
        tiers=_tiers(price),
        max_prompt_tokens=price.max_prompt_tokens,
    )


def operator_price_view(row: OperatorPrice) -> OperatorPriceView:
    view = price_view(price_of(row))
    return OperatorPriceView(
        **{name: getattr(view, name) for name in PriceView.model_fields},
        row_id=row.id,
        valid_until=row.holds_until,
        effective_for_events_since=row.effective_for_events_since,
        ended_at=row.ends[-1].effective_for_events_since if row.ends else None,
    )


def per_million(usage_class: str, unit_usd: Decimal | None) -> Decimal | None:
    """None for what is not counted in tokens. Moving the decimal point is exact."""
    return unit_usd.scaleb(6) if unit_usd is not None and counted_in_tokens(usage_class) else None


def _per_million(units: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {name: usd.scaleb(6) for name, usd in units.items() if counted_in_tokens(name)}


def _per_unit(units: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {name: usd for name, usd in units.items() if not counted_in_tokens(name)}


def _tiers(price: Price) -> list[TierView]:
    by_threshold: dict[int, dict[str, Decimal]] = {}
    for name, rate in price.rates.items():
        for threshold, usd in rate.tiers:
            by_threshold.setdefault(threshold, {})[name] = usd
    return [
        TierView(above_tokens=threshold, usd_per_million_tokens=_per_million(units), usd_per_unit=_per_unit(units))
        for threshold, units in sorted(by_threshold.items())
    ]


def decode_price(text: str) -> Price:
    """A price as the warehouse keeps it."""
    return msgspec.json.decode(text, type=Price)
