"""What is needed of the warehouse: queries, rows in, and rows as they are stored."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from schemas.amendment import StoredAmendment
from schemas.price import Price
from schemas.record import RequestBodies, RequestRecord
from schemas.reprice import Correction
from schemas.statement import Statement
from schemas.value import ValueEntry

Row = Mapping[str, Any]  # of the warehouse, by column alias


class QueryableWarehouse(Protocol):
    """Rows by statement, be they of a warehouse in another process."""

    async def query(self, statement: Statement) -> list[dict[str, Any]]:
        """Rows by column alias; values are str, int, float, Decimal, aware UTC datetime, UUID, dict, list or None.

        Raises: StoreUnavailable.
        """
        ...


class Warehouse(QueryableWarehouse, Protocol):
    """ClickHouse, as a server or in this process."""

    async def insert(self, records: Sequence[RequestRecord], bodies: Sequence[RequestBodies]) -> None:
        """Keeps all of them; writing the same ones again changes no response. Raises: StoreUnavailable."""
        ...

    async def keep_prices(self, prices: Sequence[Price]) -> None:
        """Keeps them for ever by their ids, for receipts. Keeping one again changes nothing.

        Raises: StoreUnavailable.
        """
        ...

    async def close(self) -> None: ...


class AmendableWarehouse(Warehouse, Protocol):
    """A warehouse whose rows can be written anew: with other money, or with what was set on them later."""

    async def keep_amendments(self, amendments: Sequence[StoredAmendment]) -> None:
        """Keeps what was set, before the rows are written anew. As `keep_corrections`."""
        ...

    async def keep_corrections(self, corrections: Sequence[Correction]) -> None:
        """Keeps what will change, before the rows are written anew. Keeping the same again changes nothing.

        Raises: StoreUnavailable.
        """
        ...

    async def execute(self, statement: Statement) -> None:
        """Runs a statement that changes tables; on disk on return. Raises: StoreUnavailable."""
        ...


class LedgerWarehouse(AmendableWarehouse, Protocol):
    """A warehouse that takes what was earned too."""

    async def keep_values(self, entries: Sequence[ValueEntry]) -> None:
        """Keeps versions of entries, beside those that they replace. Keeping the same again changes nothing.

        Raises: StoreUnavailable.
        """
        ...
