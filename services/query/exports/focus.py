"""Requests into charges, a charge period at a time: only the sums of one hour or day are held."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Final

import msgspec

from schemas.price import Price
from schemas.receipt import Charged
from schemas.tables import REQUEST_RESPONSE
from services.domain.focus.items import charge_items, price_ids_of
from services.domain.focus.rows import ChargeOwner, ChargePeriod, ChargeSums
from services.domain.reports.calendar import bucket_of, instant_of, next_bucket
from services.ports.warehouse import QueryableWarehouse, Row
from services.query.dependencies import Service
from services.query.exports.batches import Batch
from services.query.prices.views import decode_price
from services.query.requests.receipt import CHARGED_COLUMNS, charged_of
from services.sql.nodes import Key, key_of
from services.sql.prices import compile_prices

MAX_ROWS: Final = 20_000  # held at once: a period with more of them has some in two parts
CHARGED: Final = msgspec.structs.replace(
    REQUEST_RESPONSE,
    shown=(
        *(*CHARGED_COLUMNS, "request_id", "properties", "property_spellings", "key_id"),
        *("provider_organization", "provider_project"),
    ),
)


class FocusCharges:
    """The charges of one export."""

    def __init__(self, organization_id: str, service: Service, zone: tzinfo, bucket: str) -> None:
        """`bucket` is the length of a charge period, of a day or an hour of `zone`."""
        self._organization_id = organization_id
        self._service = service
        self._zone = zone
        self._bucket = bucket
        self._prices: dict[str, Price | None] = {"": None}  # None of what is no price of ours, such as a bill
        self._sums = ChargeSums()
        self._period: ChargePeriod | None = None

    async def batches(self, pages: AsyncIterator[Sequence[Row]], warehouse: QueryableWarehouse) -> AsyncIterator[Batch]:
        """Raises: StoreUnavailable, Busy."""
        last: Key | None = None
        async for page in pages:
            charged = await asyncio.to_thread(_charged, page)
            await self._learn_prices(charged, warehouse)
            keys = {key for row in page for key in row["properties"]}
            spellings = await self._service.property_names.spellings_of(self._organization_id, keys)
            for batch in await asyncio.to_thread(self._summed, page, charged, last, spellings):
                yield batch
            last = key_of(page[-1])
        if last is not None:
            yield Batch(self._sums.take(), last)

    async def _learn_prices(self, page: Sequence[Charged], warehouse: QueryableWarehouse) -> None:
        unknown = {price_id for charged in page for price_id in price_ids_of(charged)} - self._prices.keys()
        if unknown:
            rows = await warehouse.query(compile_prices(self._organization_id, sorted(unknown)))
            self._prices |= dict.fromkeys(unknown) | {row["price_id"]: decode_price(row["price"]) for row in rows}

    def _summed(
        self, page: Sequence[Row], charges: Sequence[Charged], last: Key | None, spellings: Mapping[str, str]
    ) -> list[Batch]:
        """The batches that are whole with `page`, which is behind `last`, and was charged `charges`."""
        whole = []
        for row, charged in zip(page, charges, strict=True):
            is_over = self._period is None or charged.request_created_at >= self._period.end
            if last is not None and len(self._sums) and (is_over or len(self._sums) > MAX_ROWS):
                whole.append(Batch(self._sums.take(), last))
            if is_over or self._period is None:
                self._period = _period_of(charged.request_created_at, self._bucket, self._zone)
            owner = _owner(row, self._organization_id, spellings)
            for item in charge_items(charged, self._prices):
                self._sums.add(item, charged.provider, self._period, owner)
            last = key_of(row)
        return whole


def _charged(page: Sequence[Row]) -> list[Charged]:
    return [charged_of(row) for row in page]


def _period_of(timestamp: datetime, bucket: str, zone: tzinfo) -> ChargePeriod:
    start, month = (bucket_of(timestamp, name, zone) for name in (bucket, "month"))
    return ChargePeriod(
        start=instant_of(start, zone),
        end=instant_of(next_bucket(start, bucket, zone), zone),
        billing_start=instant_of(month, zone),
        billing_end=instant_of(next_bucket(month, "month", zone), zone),
    )


def _owner(row: Row, organization_id: str, spellings: Mapping[str, str]) -> ChargeOwner:
    own = {spelling.lower(): spelling for spelling in row["property_spellings"]}
    tags = sorted((spellings.get(key, own.get(key, key)), value) for key, value in row["properties"].items())
    return ChargeOwner(
        account=row["provider_organization"] or organization_id,
        project=row["provider_project"],
        key_id=row["key_id"],
        tags=tuple(tags),
    )
