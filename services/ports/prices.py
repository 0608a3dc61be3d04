"""What pricing needs from the state database: the operator's prices, who charges events, and the re-pricings."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from schemas.price import OperatorPrice, PriceTerms
from schemas.reprice import Criteria, Reprice


class PriceRows(Protocol):
    """The operator's own prices. Rows are added and ended, never deleted, so that each cost can be defended."""

    async def add_price(self, organization_id: str, terms: PriceTerms) -> OperatorPrice:
        """The new row, which counts for events recorded from soon on. Raises: StoreUnavailable."""
        ...

    async def list_prices(self, organization_id: str) -> Sequence[OperatorPrice]:
        """Its rows, ended ones too, as they were added. Raises: StoreUnavailable."""
        ...

    async def all_prices(self) -> Sequence[OperatorPrice]:
        """The rows of all organizations, with every one and every end that counts by now. Raises: StoreUnavailable."""
        ...

    async def end_price(self, organization_id: str, price_id: str, at: datetime) -> bool:
        """The row holds no more from `at` on. False when there is no such row, or it ends before that anyway.

        Raises: StoreUnavailable.
        """
        ...


class PricingReleaseRegistry(Protocol):
    """Which releases charge events here: each parses responses in its own way, at the prices that it ships."""

    async def other_release_active_until(self) -> datetime | None:
        """Events that were recorded later no other release has charged; None when there is no other.

        On return others see that this one charges what has been recorded until now. Raises: StoreUnavailable.
        """
        ...


class Reprices(Protocol):
    """The record of every re-pricing. A lease per organization lets one run or undoing at a time go on.

    A lease that was not renewed by `advance` for a minute expires, and its run is recorded as failed.
    """

    async def begin(self, organization_id: str, criteria: Criteria, *, dry_run: bool, at: datetime) -> Reprice:
        """The new run, which holds the lease. Raises: Conflict when another one does, StoreUnavailable."""
        ...

    async def begin_undo(self, reprice: Reprice, *, at: datetime) -> Reprice:
        """The run, whose undoing holds the lease now. Raises: Conflict when another one does, StoreUnavailable."""
        ...

    async def advance(self, reprice: Reprice, *, at: datetime) -> bool:
        """Records its progress and renews the lease. False when the lease was lost. Raises: StoreUnavailable."""
        ...

    async def end(self, reprice: Reprice) -> None:
        """Records how it ended, unless the lease was lost, and releases the lease. Raises: StoreUnavailable."""
        ...

    async def get_reprice(self, organization_id: str, reprice_id: str) -> Reprice | None:
        """Raises: StoreUnavailable."""
        ...

    async def list_reprices(self, organization_id: str, *, limit: int) -> Sequence[Reprice]:
        """The latest first. Raises: StoreUnavailable."""
        ...
