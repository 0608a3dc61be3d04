"""What is needed of the event log besides its events: a sink for every kind of entry, and where the log stands.

A seal is made from the latter, and from what those who work on the log have written down.
"""

from collections.abc import Awaitable, Collection, Mapping
from datetime import datetime
from typing import Protocol

from schemas.log_entry import LogEntry
from schemas.seal import LogProgress, LogSnapshot, Member
from services.ports import EventSink


class LogSink(EventSink, Protocol):
    """The writing end of the event log, for every kind of entry."""

    def publish(self, event: LogEntry) -> Awaitable[None]: ...


class LogPositions(Protocol):
    """Where the event log stands, for who neither writes to it nor reads from it."""

    async def snapshot(self) -> LogSnapshot:
        """As of now; ends are looked at after what is held. Raises: BrokerUnavailable."""
        ...

    async def close(self) -> None: ...


class ProgressStore(Protocol):
    """What the processes that work on the event log have written down of it and of themselves."""

    async def read(self) -> LogProgress:
        """Raises: StoreUnavailable."""
        ...

    async def advance(self, worker: Member, complete_until: Mapping[str, datetime]) -> None:
        """`worker` was heard. Until when partitions are complete: an earlier timestamp than is known changes nothing.

        Raises: StoreUnavailable.
        """
        ...

    async def announce(self, writer: Member) -> None:
        """`writer` was heard. Raises: StoreUnavailable."""
        ...

    async def withdraw(self, member_ids: Collection[str]) -> None:
        """They work on the log no more, and hold nothing. Raises: StoreUnavailable."""
        ...

    async def close(self) -> None: ...
