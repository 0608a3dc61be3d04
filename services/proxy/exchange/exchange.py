"""One exchange: a request goes to its provider, the response comes back, one event is left behind.

Knows neither the server nor the upstream client: it is told what happens on either side and tells the other, so
both may be replaced. Nothing in here waits, and answers pass piece by piece; of OpenAI chat streams that tell their
usage only because we asked, what the client did not ask for is taken out.

One event, exactly, for every request with a valid key, whatever its outcome, unless it was refused before a provider
could be asked: such refusals cost nothing, and are counted. Too large a body is the one that leaves an event.

Durability `strict`: what remains of the response when it is complete is held until the event is durable. When the
event is given up instead, or not durable in time, the client is cut off, so that a response that ended is always
recorded.
"""

import asyncio
from collections.abc import Awaitable
from datetime import datetime
from time import monotonic
from typing import Final

from msgspec.structs import replace

from schemas.errors import (
    FareboxError,
    InvalidRequest,
    Rejected,
    StoreUnavailable,
    Unavailable,
    UpstreamTimedOut,
    UpstreamUnavailable,
)
from schemas.event import Outcome
from services.domain.exchange.headers import Head, parse_head
from services.ports import UNKNOWN_LENGTH, Headers
from services.proxy.errors import FAILED, SUCCESS, Downstream, RequestTooSlow, send_error
from services.proxy.exchange.context import ProxyContext
from services.proxy.exchange.recorder import Request
from services.proxy.exchange.request_side import Asking

HELD_S: Final = 30.0  # the end of a response, for its event to become durable


class Exchange(Asking):
    """A state machine between a Downstream and an UpstreamCall. It is an ResponseReceiver."""

    __slots__ = ("_held_since_s", "_status")

    def __init__(self, relay: ProxyContext, client: Downstream, request: Request) -> None:
        super().__init__(relay, client, request)
        self._status = 0
        self._held_since_s: float | None = None  # whole, but not yet ended towards the client

    # The client's side tells

    def turn_came(self, at: datetime) -> None:
        """Only now, at the moment `at`. That it waited for answers to others is not held against its own provider."""
        self._request = replace(self._request, created_at=at, began_s=monotonic())

    def request_broken(self, error: Rejected) -> None:
        """The body cannot be understood; nothing more of it will come."""
        self._break_off(Outcome.CLIENT_DISCONNECTED, error)

    def client_disconnected(self) -> None:
        self._held_since_s = None
        if not self._finished:
            capture = self._capture
            has_all = capture is not None and not self._client_slow and capture.stream_ended
            self._leave_provider(Outcome.COMPLETED if has_all else Outcome.CLIENT_DISCONNECTED)

    def client_slow(self) -> None:
        self._client_slow = True
        if self._call is not None:
            self._call.pause_response()

    def client_ready(self) -> None:
        self._client_slow = False
        self._touched_s = monotonic()
        if self._call is not None and not self._finished:
            self._call.resume_response()

    def check(self, now_s: float) -> None:
        """Ends the exchange when it has taken too long. To be called several times a second."""
        if self._finished:
            self._check_held(now_s)
            return
        limits = self._relay.limits
        rested_s = now_s - self._touched_s
        if now_s - self._request.began_s > limits.total_timeout_s:
            self._time_out("the exchange took too long")
        elif not self._answering and self._request_ended:
            if rested_s > limits.first_byte_timeout_s:
                self._time_out("the provider did not answer in time")
        elif rested_s > limits.idle_timeout_s:
            self._time_out_idle()

    def _check_held(self, now_s: float) -> None:
        """The event may still become durable. That the client was cut off tells it only that nobody knows."""
        if self._held_since_s is not None and now_s - self._held_since_s > HELD_S:
            self._held_since_s = None
            self._relay.metrics.add("proxy_strict_cut_total")
            self._client.cut()

    def stop(self) -> None:
        """The proxy cannot wait any longer, whoever it is waiting for."""
        self._break_off(Outcome.TIMED_OUT, Unavailable("the proxy is stopping"))

    # The provider's side tells

    def response_head(self, status: int, reason: bytes, headers: Headers) -> None:
        try:
            head = parse_head(headers)
        except InvalidRequest as error:
            self._break_off(Outcome.UPSTREAM_ERROR, UpstreamUnavailable(f"the response's head is not valid: {error}"))
            return
        self._status = status
        self._answering = True
        if not self._request_ended and self._awaits_body():
            self._client.close_after()
        kept = head.forwarded
        if self._capture is not None:
            self._capture.response_head(status, head.framing_headers)
            kept.append((b"Helicone-Id", self._capture.request_id.encode("ascii")))
        kept.append(SUCCESS if status < 400 else FAILED)
        if self._removal is not None and not _can_be_read(status, head):
            self._removal = None
        if self._request.method == b"HEAD" or status in (204, 304):
            if head.body_bytes is not None and status != 204:
                kept.append((b"Content-Length", b"%d" % head.body_bytes))
            self._client.send_head(status, reason, kept, None)
        elif head.body_bytes is None or self._removal is not None:
            self._client.send_head(status, reason, kept, UNKNOWN_LENGTH)
        else:
            self._client.send_head(status, reason, kept, head.body_bytes)

    def response_chunk(self, piece: bytes) -> None:
        capture = self._capture
        if capture is not None:
            if not capture.response.body_bytes:
                capture.response_began(monotonic())
            capture.response.add(piece)
        if self._removal is None:
            self._client.send_chunk(piece)
        elif left := self._removal.feed(piece):
            self._client.send_chunk(left)

    def response_flush(self) -> None:
        self._touched_s = monotonic()
        self._client.flush()

    def response_end(self) -> None:
        outcome = Outcome.COMPLETED if self._status < 400 else Outcome.PROVIDER_ERROR
        self._tell_rest()
        if self._relay.strict and self._capture is not None:
            self._held_since_s = monotonic()
            durable = self._finish(outcome)
            if durable is None:
                self._let_go(None)
            else:
                asyncio.ensure_future(durable).add_done_callback(self._let_go)
        else:
            # First the event, then the end: who has the whole response may rely on it that a killed proxy recorded it.
            self._finish(outcome)
            self._client.finish()

    def _tell_rest(self) -> None:
        """What was held back of a stream whose usage is taken out."""
        if self._removal is not None and (rest := self._removal.close()):
            self._client.send_chunk(rest)

    def upstream_failed(self, error: UpstreamUnavailable) -> None:
        timed_out = isinstance(error, UpstreamTimedOut)
        self._break_off(Outcome.TIMED_OUT if timed_out else Outcome.UPSTREAM_ERROR, error)

    # Endings

    def _time_out_idle(self) -> None:
        if self._client_slow or not (self._answering or self._upstream_slow or self._call is None):
            self._time_out_client()
        else:
            self._time_out("the provider was silent for too long")

    def _time_out(self, reason: str) -> None:
        """Whoever was waited for decides the outcome. `reason` is for a provider that was asked."""
        if self._call is not None:
            self._break_off(Outcome.TIMED_OUT, UpstreamTimedOut(reason))
        elif self._keeping:
            self._time_out_client()
        else:
            self._break_off(Outcome.TIMED_OUT, StoreUnavailable("the key could not be checked in time; try again"))

    def _time_out_client(self) -> None:
        self._break_off(Outcome.CLIENT_DISCONNECTED, RequestTooSlow("the request's body did not come in time"))

    def _break_off(self, outcome: Outcome, error: FareboxError) -> None:
        if self._finished:
            return
        request_id = None if self._capture is None else self._capture.request_id
        self._leave_provider(outcome)
        if self._answering:
            self._tell_rest()
            self._client.flush()
            self._client.cut()
        else:
            self._relay.metrics.add("proxy_refused_total")
            if not self._request_ended and self._awaits_body():
                self._client.close_after()
            send_error(self._client, error, request_id=request_id, bodiless=self._request.method == b"HEAD")

    def _leave_provider(self, outcome: Outcome) -> None:
        """Gives the call up; or leaves it to a drain, when it was begun and the client is the one who has left."""
        call, capture = self._call, self._capture
        if call is None:
            self._finish(outcome)
        elif (
            outcome in (Outcome.CLIENT_DISCONNECTED, Outcome.COMPLETED)
            and capture is not None
            and call.begun
            and self._request_ended
            and self._relay.drains.take(call, capture, self._request.head.helicone_headers, outcome)
        ):
            self._finished = True
            self._call = None
            self._give_room_back()
        else:
            call.abort()
            self._finish(outcome)

    def _finish(self, outcome: Outcome) -> Awaitable[None] | None:
        self._finished = True
        call, self._call = self._call, None  # which points here: together they would wait for the garbage collector
        self._give_room_back()
        capture = self._capture
        if capture is None:
            return None
        if call is None or not call.begun:
            self._never_sent(capture)
        return self._relay.accounts.close(capture, outcome)

    def _let_go(self, durable: asyncio.Future[None] | None) -> None:
        """Ends a held answer, now that its event is durable; cuts it when it never will be."""
        lost = durable is None or durable.cancelled() or durable.exception() is not None
        if self._held_since_s is None:
            return
        self._held_since_s = None
        if lost:
            self._client.cut()
        else:
            self._client.finish()


def _can_be_read(status: int, head: Head) -> bool:
    """Whether a response is a stream of events that is not compressed."""
    if status != 200 or b"content-encoding" in head.framing_headers:
        return False
    return head.framing_headers.get(b"content-type", b"").lower().startswith(b"text/event-stream")
