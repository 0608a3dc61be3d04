"""How one request came to cost what it cost."""

from collections.abc import Mapping, Set
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec
from fastapi import Response

from schemas.api.prices import CalculationView, ContextTierView, LineView, OtherModelView, ReceiptView
from schemas.event import Outcome
from schemas.price import Price
from schemas.receipt import Charged, ModelReceipt, Receipt
from schemas.tables import REQUEST_RESPONSE
from schemas.usage import USAGE_CLASSES
from services.domain.pricing.bill import calculated_usd_of, is_bill, is_disputed
from services.domain.pricing.other_models import decode_parts
from services.domain.pricing.receipt import receipt_of
from services.ports.warehouse import Row, Warehouse
from services.query.dependencies import ServiceDep
from services.query.http.auth import Reader
from services.query.http.responses import data_response
from services.query.prices.views import decode_price, per_million, price_view
from services.query.requests.by_id import CreatedAt, row_of
from services.query.requests.views import json_or_text
from services.sql.prices import compile_prices

_FACTS: Final = tuple(name for name in Charged.__struct_fields__ if name != "usage")
CHARGED_COLUMNS: Final = (*_FACTS, *USAGE_CLASSES)
_BESIDE: Final = (
    *("request_id", "provider_usage", "original_cost_usd", "reprice_id"),
    *("cache_reference_id", "cache_saved_usd"),
)
_ROW: Final = msgspec.structs.replace(REQUEST_RESPONSE, shown=(*CHARGED_COLUMNS, *_BESIDE))


async def get_receipt(
    request_id: UUID, organization_id: Reader, service: ServiceDep, created_at: CreatedAt = None
) -> Response:
    """The sum that led to the cost of a request, line by line, with the prices that were used then."""
    row, others = await row_of(_ROW, organization_id, request_id, created_at, service)
    charged = charged_of(row)
    price_id = charged.calculated_price_id if is_bill(charged.price_id) else charged.price_id
    ids = {price_id, *(part.price_id for part in decode_parts(charged.other_models))}
    prices = await _prices(organization_id, ids - {""}, service.warehouse)
    return data_response(_view(row, charged, receipt_of(charged, prices.get(price_id), prices), others))


def charged_of(row: Row) -> Charged:
    """Of a row with the `CHARGED_COLUMNS`."""
    usage = {name: row[name] for name in USAGE_CLASSES}
    return msgspec.convert({name: row[name] for name in _FACTS} | {"usage": usage}, Charged)


async def _prices(organization_id: str, price_ids: Set[str], warehouse: Warehouse) -> Mapping[str, Price]:
    """Those of `price_ids` that are stored."""
    rows = await warehouse.query(compile_prices(organization_id, sorted(price_ids))) if price_ids else []
    return {row["price_id"]: decode_price(row["price"]) for row in rows}


def _view(row: Row, charged: Charged, receipt: Receipt, others: list[datetime] | None) -> ReceiptView:
    cached = charged.outcome is Outcome.CACHED
    calculated_usd = calculated_usd_of(charged.price_id, charged.cost_usd, charged.calculated_cost_usd)
    rounding = (line.amount_usd for line in receipt.lines if line.usage_class == "rounding" and line.amount_usd)
    return ReceiptView(
        request_id=str(row["request_id"]),
        model=charged.model,
        provider=charged.provider,
        request_created_at=charged.request_created_at,
        also_created_at=others,
        cost_usd=charged.cost_usd,
        cost_state=charged.cost_state,
        why=receipt.why,
        usage_source=charged.usage_source,
        usage_mismatch=charged.usage_mismatch,
        service_tier=charged.service_tier,
        context_tier=_tier(receipt),
        price=None if receipt.price is None else price_view(receipt.price),
        lines=_lines(receipt),
        other_models=_other_models(receipt),
        rounding_usd=sum(rounding, Decimal(0)),
        total_usd=receipt.total_usd,
        reconciles=receipt.reconciles,
        provider_usage=json_or_text(row["provider_usage"]),
        provider_cost_usd=charged.provider_cost_usd,
        cost_disputed=is_disputed(charged.provider_cost_usd, calculated_usd),
        calculated=None if receipt.calculated is None else _calculation(charged, receipt.calculated),
        original_cost_usd=row["original_cost_usd"],
        reprice_id=row["reprice_id"] or None,
        cache_reference_id=str(row["cache_reference_id"]) if cached else None,
        cache_saved_usd=row["cache_saved_usd"],
    )


def _calculation(charged: Charged, receipt: Receipt) -> CalculationView:
    return CalculationView(
        cost_usd=charged.calculated_cost_usd,
        why=receipt.why,
        context_tier=_tier(receipt),
        price=None if receipt.price is None else price_view(receipt.price),
        lines=_lines(receipt),
        other_models=_other_models(receipt),
        total_usd=receipt.total_usd,
        reconciles=receipt.reconciles,
    )


def _other_models(receipt: Receipt) -> list[OtherModelView]:
    return [
        OtherModelView(
            model=one.model,
            service_tier=one.service_tier,
            cost_usd=one.cost_usd,
            why=one.why,
            context_tier=_tier(one),
            price=None if one.price is None else price_view(one.price),
        )
        for one in receipt.other_models
    ]


def _tier(receipt: Receipt | ModelReceipt) -> ContextTierView | None:
    tier = receipt.context_tier
    return None if tier is None else ContextTierView(**msgspec.structs.asdict(tier))


def _lines(receipt: Receipt) -> list[LineView]:
    return [
        LineView(
            model=line.model,
            usage_class=line.usage_class,
            quantity=line.quantity,
            unit_usd=line.unit_usd,
            usd_per_million=per_million(line.usage_class, line.unit_usd),
            amount_usd=line.amount_usd,
            per=line.per,
        )
        for line in receipt.lines
    ]
