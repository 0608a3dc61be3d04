"""Both directions of one WebSocket: bytes pass as they came, while frames are followed.

Pings, pongs, close frames and their codes pass like everything else. The proxy adds frames of its own only between two
others: pings where a side is silent, and a close frame where it ends the session itself.
"""

from collections.abc import Callable, Set
from enum import Enum, auto
from secrets import token_bytes
from time import monotonic
from typing import Final

from schemas.event import Outcome
from services.domain.exchange.captured_body import CaptureSpace
from services.domain.realtime.frames import (
    BAD_GATEWAY,
    GOING_AWAY,
    POLICY_VIOLATION,
    FrameReader,
    InvalidFrame,
    close_frame,
    ping_frame,
)
from services.ports.upstream import UpstreamCall
from services.proxy.errors import Downstream
from services.proxy.exchange.deadlines import Limits
from services.proxy.realtime.ledger import PENDING_BYTES, Ledger

CLOSE_S: Final = 5.0  # for the other side to answer a close frame
LAST_RESPONSES_S: Final = 120.0  # for those that are being generated when the session is to end
_ANY_BYTES: Final = 2**63


class State(Enum):
    OPEN = auto()
    STOPPING = auto()  # the server stops, or a limit is used up: what is being generated then may end
    CLOSING = auto()  # one side has sent its close frame, and the other has not
    CLOSED = auto()


class _Side:
    """One of the two that are connected."""

    __slots__ = ("heard_s", "pinged", "reader", "slow_since_s")

    def __init__(self, reader: FrameReader, now_s: float) -> None:
        self.reader = reader  # of what it sends
        self.heard_s = now_s
        self.pinged = False  # since it was heard
        self.slow_since_s: float | None = None  # it takes less than is sent to it


class Relay:
    """Begins with the session, ends it for both sides, and then does nothing more."""

    def __init__(
        self,
        client: Downstream,
        call: UpstreamCall,
        ledger: Ledger | None,
        limits: Limits,
        space: CaptureSpace,
        on_end: Callable[[], None],
    ) -> None:
        """`ledger`: None for a session that passes without a key. `space` is for the provider's messages that it wants.

        `on_end` is called when it has ended, before the client is told.
        """
        self._on_end = on_end
        self._began_s = now_s = monotonic()
        self._to_client = client
        self._to_provider = call
        self._ledger = ledger
        self._limits = limits
        self._client = _Side(
            FrameReader(
                None if ledger is None else ledger.client_events,
                masked=True,
                max_message_bytes=limits.max_body_bytes,
                space=CaptureSpace(PENDING_BYTES),  # of its own: what clients send takes none from any ledger
            ),
            now_s,
        )
        self._provider = _Side(
            FrameReader(ledger, masked=False, max_message_bytes=_ANY_BYTES, space=space),
            now_s,
        )
        self._closing_since_s = 0.0
        self._stopping_since_s = 0.0
        self._last_responses: Set[str] = frozenset()  # after which the session ends, in STOPPING
        self._stopping_close = GOING_AWAY, "the proxy is stopping"
        self._closing_outcome = Outcome.UPSTREAM_ERROR  # of what still runs when the close frames have passed
        self.state = State.OPEN

    # What comes

    def from_client(self, data: bytes) -> None:
        if self.state is State.CLOSED:
            return
        try:
            _heard(self._client, data)
        except InvalidFrame as fault:
            self._close(fault.code, str(fault), Outcome.CLIENT_DISCONNECTED)
            return
        self._to_provider.send_chunk(data)
        if self._client.reader.closed:
            self._begin_closing(Outcome.CLIENT_DISCONNECTED)

    def from_provider(self, data: bytes) -> None:
        if self.state is State.CLOSED:
            return
        was_between = self._provider.reader.at_boundary
        try:
            _heard(self._provider, data)
        except InvalidFrame as fault:
            if was_between:
                self._to_client.send_chunk(close_frame(BAD_GATEWAY, f"the provider's frames are not valid: {fault}"))
            self._end(Outcome.UPSTREAM_ERROR)
            return
        self._to_client.send_chunk(data)
        if self._provider.reader.closed:
            self._begin_closing(Outcome.UPSTREAM_ERROR)

    def flush_to_provider(self) -> None:
        if self.state is not State.CLOSED:
            self._to_provider.flush()
            self._end_when_done()

    def flush_to_client(self) -> None:
        if self.state is not State.CLOSED:
            self._to_client.flush()
            self._end_when_done()

    def _begin_closing(self, outcome: Outcome) -> None:
        if self.state is not State.CLOSING:
            self.state = State.CLOSING
            self._closing_since_s = monotonic()
            self._closing_outcome = outcome

    def _end_when_done(self) -> None:
        if self.state is State.CLOSING and self._client.reader.closed and self._provider.reader.closed:
            self._end(self._closing_outcome)
        elif self.state is State.STOPPING and self._last_responses.isdisjoint(self._running()):
            self._close(*self._stopping_close, Outcome.TIMED_OUT)

    def _running(self) -> Set[str]:
        return frozenset() if self._ledger is None else self._ledger.running

    # Who is slow: the other one is not read meanwhile

    def client_slow(self) -> None:
        """As the other three, to be called as often as it is so, also when the session is over."""
        self._client.slow_since_s = monotonic()
        self._to_provider.pause_response()

    def client_ready(self) -> None:
        self._client.slow_since_s = None
        self._provider.heard_s = monotonic()
        self._to_provider.resume_response()

    def provider_slow(self) -> None:
        self._provider.slow_since_s = monotonic()
        self._to_client.pause_request()

    def provider_ready(self) -> None:
        self._provider.slow_since_s = None
        self._client.heard_s = monotonic()
        self._to_client.resume_request()

    # Ends

    def check(self, now_s: float) -> None:
        """Looks after time limits."""
        if self.state is State.CLOSED:
            return
        if self.state is State.CLOSING and now_s - self._closing_since_s > CLOSE_S:
            self._end(self._closing_outcome)
        elif self.state is State.STOPPING and now_s - self._stopping_since_s > LAST_RESPONSES_S:
            self._close(*self._stopping_close, Outcome.TIMED_OUT)
        elif now_s - self._began_s > self._limits.total_timeout_s:
            self._close(GOING_AWAY, "the session took too long", Outcome.TIMED_OUT)
        elif self._is_stuck(self._client, now_s) or self._is_silent(self._client, self._provider, now_s):
            self._close(GOING_AWAY, "the client was silent for too long", Outcome.CLIENT_DISCONNECTED)
        elif self._is_stuck(self._provider, now_s) or self._is_silent(self._provider, self._client, now_s):
            self._close(GOING_AWAY, "the provider was silent for too long", Outcome.TIMED_OUT)
        else:
            self._ping(now_s)

    def _is_stuck(self, side: _Side, now_s: float) -> bool:
        return side.slow_since_s is not None and now_s - side.slow_since_s > self._limits.idle_timeout_s

    def _is_silent(self, side: _Side, other: _Side, now_s: float) -> bool:
        """Nothing is heard of a side while it is not read, for the sake of the other."""
        return other.slow_since_s is None and now_s - side.heard_s > self._limits.idle_timeout_s

    def _ping(self, now_s: float) -> None:
        """A side that lives responds; its pong passes on to the other, which ignores it."""
        if self._may_ping(self._client, self._provider, now_s):
            self._to_client.send_chunk(ping_frame())
            self._to_client.flush()
        if self._may_ping(self._provider, self._client, now_s):
            self._to_provider.send_chunk(ping_frame(token_bytes(4)))
            self._to_provider.flush()

    def _may_ping(self, side: _Side, other: _Side, now_s: float) -> bool:
        """`other` is whose frames go to `side`: nothing may be put into one of them."""
        due = not side.pinged and now_s - side.heard_s > self._limits.idle_timeout_s / 2
        if not due or side.slow_since_s is not None or not other.reader.at_boundary or self.state is State.CLOSING:
            return False
        side.pinged = True
        return True

    def stop_when_idle(self) -> None:
        """The server stops: a response that is being generated may end, and one that begins now is not waited for."""
        if self.state is State.OPEN:
            self.state = State.STOPPING
            self._stopping_since_s = monotonic()
            self._last_responses = frozenset(self._running())
            self._end_when_done()

    def end_when_idle(self, reason: str) -> None:
        """A limit of the session is used up: a response that is being generated may end, and the client is told why."""
        if self.state is State.OPEN:
            self._stopping_close = POLICY_VIOLATION, reason
            self.stop_when_idle()

    def stop(self) -> None:
        """The server cannot wait any longer."""
        if self.state is not State.CLOSED:
            self._close(GOING_AWAY, "the proxy is stopping", Outcome.TIMED_OUT)

    def client_disconnected(self) -> None:
        if self.state is State.CLOSED:
            return
        outcome = Outcome.CLIENT_DISCONNECTED if self.state is not State.CLOSING else self._closing_outcome
        self._close_provider()
        self._leave(outcome)

    def provider_disconnected(self) -> None:
        if self.state is State.CLOSED:
            return
        if self.state is not State.CLOSING:
            self._close_client(BAD_GATEWAY, "the provider ended the connection")
        outcome = Outcome.UPSTREAM_ERROR if self.state is not State.CLOSING else self._closing_outcome
        self._end(outcome)

    def _close(self, code: int, reason: str, outcome: Outcome) -> None:
        """With close frames of our own, where they fit in."""
        self._close_client(code, reason)
        self._close_provider()
        self._end(outcome)

    def _close_client(self, code: int, reason: str) -> None:
        reader = self._provider.reader
        if reader.at_boundary and not reader.closed:
            self._to_client.send_chunk(close_frame(code, reason))

    def _close_provider(self) -> None:
        reader = self._client.reader
        if reader.at_boundary and not reader.closed:
            self._to_provider.send_chunk(close_frame(GOING_AWAY, "", token_bytes(4)))
            self._to_provider.flush()

    def _end(self, outcome: Outcome) -> None:
        self._leave(outcome)
        self._to_client.flush()
        self._to_client.finish()

    def _leave(self, outcome: Outcome) -> None:
        self.state = State.CLOSED
        for side in (self._client, self._provider):
            side.reader.release()
        if self._ledger is not None:
            self._ledger.close(outcome)
        self._to_provider.abort()
        self._on_end()


def _heard(side: _Side, data: bytes) -> None:
    """Raises: InvalidFrame."""
    side.heard_s = monotonic()
    side.pinged = False
    side.reader.feed(data)
