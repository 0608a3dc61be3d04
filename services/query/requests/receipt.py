"""How one request came to cost what it cost."""

from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec
from fastapi import Response

from schemas.api.prices import ContextTierView, LineView, ReceiptView
from schemas.event import Outcome
from schemas.price import Price
from schemas.receipt import Charged, Receipt
from schemas.tables import REQUEST_RESPONSE
from schemas.usage import USAGE_CLASSES
from services.domain.pricing.receipt import receipt_of
from services.ports import Row, Warehouse
from services.query.dependencies import ServiceDep
from services.query.http.auth import Reader
from services.query.http.responses import data_response
from services.query.prices.views import decode_price, per_million, price_view
from services.query.requests.by_id import CreatedAt, row_of
from services.query.requests.views import json_or_text
from services.sql.prices import compile_price

_FACTS: Final = tuple(name for name in Charged.__struct_fields__ if name != "usage")
_BESIDE: Final = (
    *("request_id", "provider_usage", "provider_cost_usd", "original_cost_usd", "reprice_id"),
    *("cache_reference_id", "cache_saved_usd"),
)
_ROW: Final = msgspec.structs.replace(REQUEST_RESPONSE, shown=(*_FACTS, *USAGE_CLASSES, *_BESIDE))


async def get_receipt(
    request_id: UUID, organization_id: Reader, service: ServiceDep, created_at: CreatedAt = None
) -> Response:
    """The sum that led to the cost of a request, line by line, with the prices that were used then."""
    row, others = await row_of(_ROW, organization_id, request_id, created_at, service)
    charged = _charged(row)
    price = await _price(organization_id, charged.price_id, service.warehouse)
    return data_response(_view(row, charged, receipt_of(charged, price), others))


def _charged(row: Row) -> Charged:
    usage = {name: row[name] for name in USAGE_CLASSES}
    return msgspec.convert({name: row[name] for name in _FACTS} | {"usage": usage}, Charged)


async def _price(organization_id: str, price_id: str, warehouse: Warehouse) -> Price | None:
    rows = await warehouse.query(compile_price(organization_id, price_id)) if price_id else []
    return decode_price(rows[0]["price"]) if rows else None


def _view(row: Row, charged: Charged, receipt: Receipt, others: list[datetime] | None) -> ReceiptView:
    cached = charged.outcome is Outcome.CACHED
    tier = receipt.context_tier
    rounding = (line.amount_usd for line in receipt.lines if line.usage_class == "rounding")
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
        context_tier=None if tier is None else ContextTierView(**msgspec.structs.asdict(tier)),
        price=None if receipt.price is None else price_view(receipt.price),
        lines=_lines(receipt),
        rounding_usd=next(rounding, None) or Decimal(0),
        total_usd=receipt.total_usd,
        reconciles=receipt.reconciles,
        provider_usage=json_or_text(row["provider_usage"]),
        provider_cost_usd=row["provider_cost_usd"],
        original_cost_usd=row["original_cost_usd"],
        reprice_id=row["reprice_id"] or None,
        cache_reference_id=str(row["cache_reference_id"]) if cached else None,
        cache_saved_usd=row["cache_saved_usd"],
    )


def _lines(receipt: Receipt) -> list[LineView]:
    return [
        LineView(
            usage_class=line.usage_class,
            quantity=line.quantity,
            unit_usd=line.unit_usd,
            usd_per_million=per_million(line.usage_class, line.unit_usd),
            amount_usd=line.amount_usd,
        )
        for line in receipt.lines
    ]
