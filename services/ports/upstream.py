"""What is needed of the providers: calls that are sent, and their responses as they come."""

from collections.abc import Sequence
from typing import Final, Protocol

from schemas.errors import UpstreamUnavailable
from schemas.origin import Origin

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
