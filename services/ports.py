"""What the core needs from the outside, said once. Adapters live in `stores`; processes receive them as arguments."""

from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from schemas.amendment import StoredAmendment
from schemas.errors import UpstreamUnavailable
from schemas.event import DeadLetter, Delivery, ExchangeEvent
from schemas.key import ApiKey, Permission
from schemas.origin import Origin
from schemas.price import Price
from schemas.record import RequestBodies, RequestRecord
from schemas.reprice import Correction
from schemas.statement import Statement
from schemas.value import ValueEntry

Row = Mapping[str, Any]  # of the warehouse, by column alias


class Clock(Protocol):
    def now(self) -> datetime:
        """The timestamp, aware UTC."""
        ...


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

    async def write_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Keeps `letters` where people can look at them; durable on return. Raises: BrokerUnavailable."""
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

    async def forget(self, letters: Sequence[DeadLetter]) -> bool:
        """Takes `letters` out; False where nothing can be taken out. Raises: BrokerUnavailable."""
        ...

    async def close(self) -> None: ...


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


class KeyStore(Protocol):
    """API keys, stored as hashes, as those need them who are shown a key."""

    async def organization_of(self, secret: str) -> tuple[str, Permission] | None:
        """Whose key `secret` is and what it may do; None when it is none in force. It counts as no use of the key.

        Raises: StoreUnavailable.
        """
        ...

    async def key_of(self, secret: str) -> ApiKey | None:
        """The key that `secret` is; None when unknown or revoked. Raises: ExpiredKey, StoreUnavailable."""
        ...


class Secrets(Protocol):
    """What all processes of a deployment know, and nobody else."""

    async def secret(self, name: str) -> bytes:
        """256 random bits, the same for ever and in every process. Raises: StoreUnavailable."""
        ...


Headers = Sequence[tuple[bytes, bytes]]  # names as spelled on the wire
UNKNOWN_LENGTH: Final = -1  # of a body that ends when it says so; None is the length of a body that is not there
# Of a request that offers to change the protocol. Where the provider agrees (the response's status is 101), the bodies
# of both are what passes in the new one, until the connection ends.
OTHER_PROTOCOL: Final = -2


class ResponseReceiver(Protocol):
    """Callbacks for one upstream response: the head, the chunks and the end, or the failure, and then nothing more."""

    def response_head(self, status: int, reason: bytes, headers: Headers) -> None: ...

    def response_chunk(self, chunk: bytes) -> None: ...

    def response_end(self) -> None: ...

    def response_flush(self) -> None:
        """Nothing more is at hand: what was received so far should be sent on."""
        ...

    def upstream_failed(self, error: UpstreamUnavailable) -> None:
        """The response will not come, or not go on."""
        ...

    def upstream_slow(self) -> None:
        """The provider does not take the request as fast as it is given; `upstream_ready` follows."""
        ...

    def upstream_ready(self) -> None: ...


class UpstreamCall(Protocol):
    """One request on its way to a provider. Nothing waits: what cannot be sent yet is kept."""

    @property
    def begun(self) -> bool:
        """Whether a byte of it has been given to a connection: from then on the provider may bill it."""
        ...

    @property
    def waited_s(self) -> float:
        """How long it waited for the provider, once a response has begun: from its head to that of the response."""
        ...

    def send_head(self, method: bytes, target: bytes, headers: Headers, body_bytes: int | None) -> None:
        """`headers` without Host and without framing, which follow from the origin and from `body_bytes`."""
        ...

    def send_chunk(self, chunk: bytes) -> None: ...

    def finish(self) -> None: ...

    def flush(self) -> None:
        """Nothing more is at hand: what was given so far should travel."""
        ...

    def pause_response(self) -> None: ...

    def resume_response(self) -> None: ...

    def hand_over(self, receiver: ResponseReceiver) -> None:
        """From now on `receiver` is called, instead of the former one."""
        ...

    def abort(self) -> None:
        """Gives the request up; the receiver is not called any more."""
        ...


class Upstream(Protocol):
    """The providers, reached through pooled connections. A request is written at most once, so it is paid once."""

    def call(self, origin: Origin, receiver: ResponseReceiver) -> UpstreamCall: ...

    def sweep(self) -> None:
        """To be called several times a second: ends what has taken, and closes what has rested, too long."""
        ...

    async def close(self) -> None: ...
