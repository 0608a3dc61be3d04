"""The response cache, as its users need it. Adapters live in `stores/cache`."""

from typing import Protocol

from schemas.cache import CacheKey, Cleared, Found


class ClearableCache(Protocol):
    async def clear(self, organization_id: str) -> Cleared:
        """Deletes all responses of an organization, also from the disk. Raises: StoreUnavailable."""
        ...

    async def close(self) -> None: ...


class ResponseCache(ClearableCache, Protocol):
    """Responses by key, in buckets of some slots. What is too old or was not used for long is deleted by itself.

    Every method raises StoreUnavailable.
    """

    shared: bool  # with other processes, so that their requests are coalesced by a lease

    async def find(self, key: CacheKey, *, slots: int, draw: int) -> Found | None:
        """The response in the slot `draw`; None unless all of the first `slots` are filled."""
        ...

    async def read(self, key: CacheKey, slot: int) -> bytes | None:
        """The payload of one slot."""
        ...

    async def save(self, key: CacheKey, payload: bytes, *, slots: int, draw: int, lifetime_s: int) -> int:
        """Writes into the first free one of `slots` and returns it; where none is free, replaces that of `draw`."""
        ...

    async def lead(self, key: CacheKey, leader: str, *, lease_s: float) -> bool:
        """Whether `leader` is the one that requests the response to `key`, from now on for `lease_s`."""
        ...

    async def renew_lead(self, key: CacheKey, leader: str, *, lease_s: float) -> None: ...

    async def end_lead(self, key: CacheKey, leader: str, slot: int | None, *, remember_s: float) -> None:
        """`slot` is where the response is, which is known for `remember_s`; None when there is none."""
        ...

    async def led_slot(self, key: CacheKey) -> tuple[bool, int | None]:
        """Whether a leader still requests the response, and where it is once the leader has it."""
        ...
