"""What rate limits need from the outside. Adapters live in `stores/limits`."""

from typing import Protocol

from schemas.limit import RateLimit, Taken
from schemas.price import PriceBooks


class LimitStore(Protocol):
    """Levels of buckets. Each method is one atomic step, and raises StoreUnavailable."""

    async def take(self, limit: RateLimit) -> Taken:
        """Whether a request may pass. One that is counted takes its one out of the bucket; others wait for `spend`."""
        ...

    async def spend(self, limit: RateLimit, amount: float) -> None:
        """Takes `amount` of the policy's unit out of the bucket, also where that is more than it holds."""
        ...

    async def close(self) -> None: ...


class CurrentPrices(Protocol):
    """The prices by which exchanges are charged now, for processes that charge none."""

    async def books(self) -> PriceBooks:
        """Up to some seconds old. Raises: StoreUnavailable."""
        ...
