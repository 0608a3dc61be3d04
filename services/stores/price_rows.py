"""The PriceRows port on the state database: the prices that operators gave. Rows are added and ended, never deleted."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, MetaData, Select, String, Table, Text, or_, select

from schemas.price import OperatorPrice, PriceTerms, Rate
from services.stores.database import Database, UtcMoment

_PRICES = Table(
    "operator_price",
    MetaData(),
    Column("id", String(36), primary_key=True),
    Column("organization_id", String, nullable=False),
    Column("provider", String, nullable=False),
    Column("model", String, nullable=False),
    Column("tier", String, nullable=False),
    Column("rates", Text, nullable=False),  # JSON, with amounts as text: digit for digit
    Column("usd_per_request", String, nullable=False),
    Column("valid_from", UtcMoment, nullable=False),
    Column("valid_until", UtcMoment),
    Column("known_since", UtcMoment, nullable=False),
    Column("ended_at", UtcMoment),
)
_AS_ADDED = (_PRICES.c.known_since, _PRICES.c.id)

_rates = msgspec.json.Decoder(dict[str, Rate])


class SqlPriceRows:
    """Price rows in a table."""

    def __init__(self, url: str) -> None:
        """Connects when first asked. Raises: InvalidSetting when `url` names no database that is known."""
        self._database = Database(url, what="prices")

    async def migrate(self) -> None:
        """Makes the table where it is missing; safe to run twice and at once. Raises: StoreUnavailable."""
        await self._database.create(_PRICES)

    async def add_price(self, organization_id: str, terms: PriceTerms) -> OperatorPrice:
        """The new row, known from now on. Raises: StoreUnavailable."""
        row = OperatorPrice(
            **msgspec.structs.asdict(terms),
            id=str(uuid.uuid4()),
            organization_id=organization_id,
            known_since=datetime.now(UTC),
        )
        values = msgspec.structs.asdict(row)
        values |= {"rates": msgspec.json.encode(row.rates).decode(), "usd_per_request": str(row.usd_per_request)}
        await self._database.write(lambda connection: connection.execute(_PRICES.insert().values(values)))
        return row

    async def list_prices(self, organization_id: str) -> Sequence[OperatorPrice]:
        """Its rows, ended ones too, as they were added. Raises: StoreUnavailable."""
        return await self._read(select(_PRICES).where(_PRICES.c.organization_id == organization_id))

    async def all_prices(self) -> Sequence[OperatorPrice]:
        """The rows of all organizations. Raises: StoreUnavailable."""
        return await self._read(select(_PRICES))

    async def _read(self, which: Select[*tuple[object, ...]]) -> Sequence[OperatorPrice]:
        def read(connection: Connection) -> list[OperatorPrice]:
            return [_row(**values) for values in connection.execute(which.order_by(*_AS_ADDED)).mappings()]

        return await self._database.read(read)

    async def end_price(self, organization_id: str, price_id: str, at: datetime) -> bool:
        """The row holds no more from `at` on. False when there is no such row, or it ends before that anyway.

        Raises: StoreUnavailable.
        """
        longer = or_(_PRICES.c.valid_until.is_(None), _PRICES.c.valid_until > at)
        its_row = (_PRICES.c.organization_id == organization_id) & (_PRICES.c.id == price_id) & longer
        end = _PRICES.update().where(its_row).values(valid_until=at, ended_at=datetime.now(UTC))
        return await self._database.write(lambda connection: connection.execute(end).rowcount > 0)

    async def close(self) -> None:
        await self._database.close()


def _row(rates: str, usd_per_request: str, **values: Any) -> OperatorPrice:
    return OperatorPrice(**{**values, "rates": _rates.decode(rates), "usd_per_request": Decimal(usd_per_request)})
