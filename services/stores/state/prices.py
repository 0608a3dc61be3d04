"""The PriceRows port on the state database: the prices that operators gave, and their ends. Both are only added."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Select, false, select

from schemas.price import OperatorPrice, PriceEnd, PriceTerms, Rate
from services.stores.state.database import Database
from services.stores.state.tables import OPERATOR_PRICE, OPERATOR_PRICE_END

# What is added or ended takes effect so much later: by then it is committed, and the clocks of the proxies, from which
# events have their timestamps, have come that far. So no worker charges an event by fewer rows than a later one sees.
LEAD: Final = timedelta(seconds=2)

_AS_ADDED = (OPERATOR_PRICE.c.effective_for_events_since, OPERATOR_PRICE.c.id)

_rates = msgspec.json.Decoder(dict[str, Rate])


class SqlPriceRows:
    """Price rows in a table."""

    def __init__(self, url: str) -> None:
        """Connects when first used. Raises: InvalidSetting when `url` names no database that is known."""
        self._database = Database(url, what="prices")

    async def add_price(self, organization_id: str, terms: PriceTerms) -> OperatorPrice:
        """The new row, which takes effect for events recorded from soon on. Raises: StoreUnavailable."""

        def add(connection: Connection) -> OperatorPrice:
            row = OperatorPrice(
                **msgspec.structs.asdict(terms),
                id=str(uuid.uuid4()),
                organization_id=organization_id,
                effective_for_events_since=_soon(connection),
            )
            connection.execute(OPERATOR_PRICE.insert().values(_values(row)))
            return row

        return await self._database.write(add)

    async def list_prices(self, organization_id: str) -> Sequence[OperatorPrice]:
        """Its rows, ended ones too, as they were added. Raises: StoreUnavailable."""
        return await self._read(select(OPERATOR_PRICE).where(OPERATOR_PRICE.c.organization_id == organization_id))

    async def all_prices(self) -> Sequence[OperatorPrice]:
        """The rows of all organizations. Raises: StoreUnavailable."""
        return await self._read(select(OPERATOR_PRICE))

    async def _read(self, which: Select[*tuple[object, ...]]) -> Sequence[OperatorPrice]:
        return await self._database.read(lambda connection: _rows(connection, which))

    async def end_price(self, organization_id: str, price_id: str, at: datetime) -> bool:
        """The row holds no more from `at` on. False when there is no such row, or it ends before that anyway.

        Raises: StoreUnavailable.
        """
        its_own = OPERATOR_PRICE.c.organization_id == organization_id
        its_row = select(OPERATOR_PRICE).where(its_own & (OPERATOR_PRICE.c.id == price_id))

        def work(connection: Connection) -> bool:
            since = _soon(connection)
            rows = _rows(connection, its_row)
            if not rows or (rows[0].holds_until is not None and rows[0].holds_until <= at):
                return False
            end = OPERATOR_PRICE_END.insert().values(price_id=price_id, at=at, effective_for_events_since=since)
            connection.execute(end)
            return True

        return await self._database.write(work)

    async def close(self) -> None:
        await self._database.close()


def _soon(connection: Connection) -> datetime:
    """When what `connection` is about to write takes effect. Waits for other writers to end."""
    connection.execute(OPERATOR_PRICE.update().where(false()).values(tier=""))
    return datetime.now(UTC) + LEAD


def _rows(connection: Connection, which: Select[*tuple[object, ...]]) -> list[OperatorPrice]:
    ends = defaultdict(list)
    # Ends after rows: an end that comes in between is of a row that is there.
    rows = connection.execute(which.order_by(*_AS_ADDED)).mappings().all()
    for end in connection.execute(select(OPERATOR_PRICE_END).order_by(OPERATOR_PRICE_END.c.at.desc())):
        ends[end.price_id].append(PriceEnd(at=end.at, effective_for_events_since=end.effective_for_events_since))
    return [_row(**values, ends=tuple(ends[values["id"]])) for values in rows]


def _values(row: OperatorPrice) -> dict[str, Any]:
    values = {column.name: getattr(row, column.name) for column in OPERATOR_PRICE.c}
    return values | {"rates": msgspec.json.encode(row.rates).decode(), "usd_per_request": str(row.usd_per_request)}


def _row(rates: str, usd_per_request: str, **values: Any) -> OperatorPrice:
    return OperatorPrice(**{**values, "rates": _rates.decode(rates), "usd_per_request": Decimal(usd_per_request)})
