"""The models of recent requests: what they cost, and the price that a request would be charged by now."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from fastapi import Response

from schemas.api.prices import UsedPrice, UsedPrices
from schemas.api.requests import UTC_NAME, TimeZone
from schemas.price import PriceBook
from services.domain.pricing.price_book import LayeredPrices
from services.query.dependencies import ServiceDep
from services.query.http.auth import Reader
from services.query.http.responses import data_response
from services.query.prices.recent_models import MAX_MODELS, Since, recent_models
from services.query.prices.views import price_view
from services.query.reports.groups import Group
from services.query.reports.period import period_from
from services.query.reports.sealed import run_with_shares, sealed
from services.query.time_zone import zone_of
from services.sql.measures import MEASURES, ROWS
from services.sql.nodes import Everything
from services.sql.sort import group_by_column

_MEASURES = (ROWS, *(MEASURES[name] for name in ("cost_usd", "unpriced_requests", "last_request_at")))
_BY = (group_by_column("provider"), group_by_column("model"))


async def used_prices(
    organization_id: Reader, service: ServiceDep, since: Since = "28d", time_zone: TimeZone = UTC_NAME
) -> Response:
    """Models in use, those with the most requests first, and what each is charged by now."""
    seal = await service.seals.current()  # before the rows are read
    now = service.clock.now()
    period = period_from(since, None, now, zone_of(time_zone, "time_zone"))
    report = recent_models(organization_id, period, Everything(), _MEASURES, *_BY)
    (shares, total, groups), rows = await asyncio.gather(
        run_with_shares(report, service.warehouse), service.price_rows.list_prices(organization_id)
    )
    book = LayeredPrices(service.shipped, rows)
    view = UsedPrices(
        start=period.start,
        end=period.end,
        requests=total.figures["requests"],
        cost_usd=total.figures["cost_usd"],
        models=await asyncio.to_thread(_models, groups[:MAX_MODELS], book, now),
        truncated=len(groups) > MAX_MODELS,
    )
    return data_response(view, seal=sealed(seal, shares))


def _models(groups: Sequence[Group], book: PriceBook, now: datetime) -> list[UsedPrice]:
    """A price that is looked up for the first time takes a while."""
    return [_model(group, book, now) for group in groups]


def _model(group: Group, book: PriceBook, now: datetime) -> UsedPrice:
    provider, model = (part or "" for part in group.by)
    price = book.price_at(provider, model, now) if model else None
    return UsedPrice(
        provider=provider,
        model=model,
        **{measure.name: group.figures[measure.name] for measure in _MEASURES},
        price=None if price is None else price_view(price),
    )
