"""What is needed of the event log: writing, reading, dead letters, and where it stands.

A seal is made from the latter, and from what those who work on the log have written down.
"""

from collections.abc import AsyncIterator, Awaitable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from schemas.event import DeadLetter, Delivery, ExchangeEvent
from schemas.log_entry import LogEntry
from schemas.seal import LogProgress, LogSnapshot, Member


class EventSink(Protocol):
    """The writing end of the event log."""

    def publish(self, event: ExchangeEvent) -> Awaitable[None]:
        """Takes `event` at once, without waiting; the response is done when the event is durable.

        Clients that do not need to know may drop the response. It fails with BrokerUnavailable when the event was
        given up, which is also counted; it never fails while the event may still be written.
        """
        ...

    async def close(self) -> None:
        """Returns when everything published is durable or given up."""
        ...


class EventSource(Protocol):
    """The reading end, for one consumer. At-least-once: what is not committed comes again after a restart."""

    async def take(self, *, max_events: int, max_bytes: int, wait_s: float) -> Sequence[Delivery]:
        """The next entries in log order; empty when none came within `wait_s`.

        Limits may be exceeded by one group of entries. Taken entries are not given again to this object; they are to
        a successor until committed.
        Raises: BrokerUnavailable.
        """
        ...

    async def commit(self) -> None:
        """Everything taken so far is done with. Raises: BrokerUnavailable."""
        ...

    async def write_dead_letters(self, dead_letters: Sequence[DeadLetter]) -> None:
        """Keeps `dead_letters` where people can look at them; durable on return. Raises: BrokerUnavailable."""
        ...

    async def backlog(self) -> int:
        """How many entries this consumer has not committed yet. Raises: BrokerUnavailable."""
        ...

    async def close(self) -> None: ...


class DeadLetters(Protocol):
    """Dead-lettered entries, for people to look at."""

    def read(self) -> AsyncIterator[DeadLetter]:
        """All of them, the oldest first. Raises: BrokerUnavailable."""
        ...

    async def forget(self, dead_letters: Sequence[DeadLetter]) -> bool:
        """Takes `dead_letters` out; False where nothing can be taken out. Raises: BrokerUnavailable."""
        ...

    async def close(self) -> None: ...


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
