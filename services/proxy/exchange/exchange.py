"""One exchange: a request goes to its provider, the response comes back, one event is published.

It knows neither the server nor the upstream client: both sides call its methods, and it calls theirs. Nothing in here
waits, and bodies pass chunk by chunk.

Every request with a valid key has exactly one event, whatever its outcome, unless it was refused before it could be
sent: such refusals cost nothing, and are counted. The one refusal that has an event is that of too large a body.

Durability `strict`: the end of a response is held until its event is durable. When the event is given up instead, or
is not durable in time, the client is cut off: a response that ended is always recorded.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from enum import IntEnum
from math import inf
from time import monotonic
from typing import Final

from msgspec.structs import replace

from schemas.errors import (
    FareboxError,
    InvalidRequest,
    Rejected,
    StoreUnavailable,
    TooLarge,
    Unavailable,
    UpstreamTimedOut,
    UpstreamUnavailable,
)
from schemas.event import Outcome
from services.domain.exchange.capture import Capture
from services.domain.exchange.headers import Pair, parse_head
from services.ports.upstream import UNKNOWN_LENGTH, Headers, UpstreamCall
from services.proxy.admission.admission import AdmissionResult
from services.proxy.errors import FAILED, SUCCESS, Downstream, RequestTooSlow, send_error
from services.proxy.exchange.context import ProxyContext
from services.proxy.exchange.deadlines import Deadlines, Overdue
from services.proxy.exchange.paced_work import SMALL_BYTES
from services.proxy.exchange.recorder import Request
from services.proxy.exchange.request_buffer import MAX_UNCHECKED_BYTES, RequestBuffer
from services.proxy.exchange.request_times import RequestTimes
from services.proxy.exchange.usage_injection import UsageInjection, can_be_stripped, may_inject


class State(IntEnum):
    """How far an exchange is. There is a call to the provider exactly in SENDING and RESPONDING."""

    QUEUED = 0  # responses to earlier requests of the connection come first; the body may begin to come
    ADMISSION = 1  # the gates check the request
    BUFFERING = 2  # the body is collected until it is whole, since usage may have to be injected
    SENDING = 3  # the request is sent as it comes, and its response awaited
    RESPONDING = 4  # the response's head has come
    HOLDING = 5  # the response is whole but for its end, which waits until the event is durable
    ENDED = 6


# As names of their own: looking up an enum's attribute takes as long as several method calls.
QUEUED, ADMISSION, BUFFERING, SENDING, RESPONDING, HOLDING, ENDED = State

TRANSITIONS: Final[Mapping[State, frozenset[State]]] = {
    QUEUED: frozenset([ADMISSION, ENDED]),
    ADMISSION: frozenset([BUFFERING, SENDING, ENDED]),
    BUFFERING: frozenset([SENDING, ENDED]),
    SENDING: frozenset([RESPONDING, ENDED]),
    RESPONDING: frozenset([HOLDING, ENDED]),
    HOLDING: frozenset([ENDED]),
    ENDED: frozenset(),
}


class Exchange:
    """A state machine between a Downstream and an UpstreamCall. It is a ResponseReceiver."""

    __slots__ = (
        "_buffer",
        "_call",
        "_capture",
        "_client",
        "_context",
        "_deadlines",
        "_injection",
        "_request",
        "_sent_bytes",
        "_status",
        "_times",
        "state",
    )

    def __init__(self, context: ProxyContext, client: Downstream, request: Request) -> None:
        self.state = QUEUED
        self._context = context
        self._client = client
        self._request = request
        self._buffer = RequestBuffer(context.buffer_memory)
        self._deadlines = Deadlines(request.began_s)
        self._injection: UsageInjection | None = None  # None also when it turned out that there is nothing to strip
        self._capture: Capture | None = None  # None for requests that pass without a key
        self._call: UpstreamCall | None = None
        self._sent_bytes = 0  # of the request's body
        self._status = 0
        self._times = RequestTimes(context)

    # Called by the client's connection: the request

    def turn_came(self, at: datetime) -> None:
        """Restarts the clocks. That the request was queued is not held against its own provider."""
        now_s = monotonic()
        self._request = replace(self._request, created_at=at, began_s=now_s)
        self._deadlines.restart(now_s)

    def begin(self) -> None:
        """Responses to earlier requests are over."""
        self.state = ADMISSION
        self._context.admission.check(self._request, self._admitted)

    def body(self, chunk: bytes) -> None:
        call = self._call
        if call is None:
            self._buffer_body(chunk)
            return
        self._sent_bytes += len(chunk)
        if self._sent_bytes > self._context.limits.max_body_bytes:
            self._refuse_size()
        else:
            if self._capture is not None:
                self._capture.body.add(chunk)
            call.send_chunk(chunk)

    def request_end(self) -> None:
        self._buffer.complete = True
        if self._call is not None:
            self._call.finish()
        elif self.state is BUFFERING:
            self._times.ready()
            self._send_when_paced()

    def request_flush(self) -> None:
        call = self._call
        if call is None and self.state >= HOLDING:
            return
        self._deadlines.active_s = monotonic()
        if call is not None:
            call.flush()
            if self._buffer.reserved_bytes and not self._deadlines.upstream_slow:
                self._buffer.release()
        elif self.state is BUFFERING and not self._buffer.reserve():
            self._send()  # as it is, for want of memory; what has come keeps its own, as it may have to wait too

    def request_broken(self, error: Rejected) -> None:
        """The body cannot be parsed; nothing more of it will come."""
        self._break_off(Outcome.CLIENT_DISCONNECTED, error)

    # Called by the client's connection: the client

    def client_disconnected(self) -> None:
        if self.state is HOLDING:
            self.state = ENDED
        elif self.state is not ENDED:
            capture = self._capture
            if capture is not None and capture.stream_ended and not self._deadlines.client_slow:
                self._complete_before_connection()
            else:
                self._leave_provider(Outcome.CLIENT_DISCONNECTED)

    def client_slow(self) -> None:
        self._deadlines.client_slow = True
        if self._call is not None:
            self._call.pause_response()

    def client_ready(self) -> None:
        self._deadlines.client_slow = False
        if self._call is not None:
            self._deadlines.active_s = monotonic()
            self._call.resume_response()

    def check(self, now_s: float) -> None:
        """Ends the exchange when it has taken too long. To be called several times a second."""
        deadlines = self._deadlines
        if self.state is HOLDING:
            if deadlines.hold_is_over(now_s):
                # The event may still become durable. A cut connection means that the outcome is unknown.
                self._context.metrics.add("proxy_strict_cut_total")
                self._end_response(cut=True)
        elif self.state is not ENDED:
            overdue = deadlines.overdue(now_s, self._context.limits, idle_s=self._may_rest_s())
            if overdue is not None:
                self._time_out(overdue)

    def stop(self) -> None:
        """The proxy stops, whatever is being waited for."""
        self._break_off(Outcome.TIMED_OUT, Unavailable("the proxy is stopping"))

    # Admission, and the request on its way

    def _admitted(self, result: AdmissionResult) -> None:
        if self.state is not ADMISSION:
            return
        if isinstance(result, FareboxError):
            self._break_off(Outcome.REFUSED, result)
            return
        context = self._context
        try:
            request = self._request = context.targets.chosen(self._request, result)
            if result is None:
                context.metrics.add("proxy_unauthenticated_passthrough_total")
            else:
                self._capture = context.recorder.open(request, result)
        except Rejected as refusal:
            self._break_off(Outcome.REFUSED, refusal)
            return
        if (request.head.body_bytes or 0) > context.limits.max_body_bytes:
            self._refuse_size()
            return
        self._times.admitted(request)
        if request.head.expects_continue:
            self._client.proceed()
        self._client.resume_request()  # it may have been paused until now
        # Without an event nobody needs to know the usage.
        if self._capture is not None and may_inject(request, by_default=context.inject_usage):
            self._collect_body()
        else:
            self._send()

    def _buffer_body(self, chunk: bytes) -> None:
        if self.state <= BUFFERING:
            self._buffer.add(chunk)
            if self._buffer.held_bytes > MAX_UNCHECKED_BYTES and self.state is not BUFFERING:
                self._client.pause_request()

    def _collect_body(self) -> None:
        """What has come before, if anything has, may be all of the body."""
        self.state = BUFFERING
        self._injection = UsageInjection(self._request.head, by_default=self._context.inject_usage)
        if self._buffer.complete:
            self._send_when_paced()
        if self._buffer.complete or self._buffer.held_bytes:
            self.request_flush()

    def _send_when_paced(self) -> None:
        """The collected body is whole. It is sent at once, or when the large ones before it have been parsed."""
        if self._buffer.held_bytes <= SMALL_BYTES or self._capture is None:
            self._send_with_usage()
        else:
            self._context.paced.run(self._capture.organization_id, self._send_in_turn)

    def _send_in_turn(self) -> None:
        """Meanwhile the client may have disconnected, or the body may have been sent for want of memory."""
        if self.state is BUFFERING:
            self._send_with_usage()
            self.request_flush()

    def _send_with_usage(self) -> None:
        capture, injection = self._capture, self._injection
        assert capture is not None
        assert injection is not None
        self._buffer.reserve()
        received = self._take_body(capture)
        body, headers = injection.inject(received)
        if injection.strips:
            capture.usage_injected = True
            self._context.metrics.add("proxy_stream_usage_injected_total")
        else:
            self._injection = None
        call = self._open_call(headers, len(body))
        call.send_chunk(body)
        call.finish()

    def _take_body(self, capture: Capture) -> bytes:
        """What was collected, as the client sent it."""
        body = b"".join(self._buffer.take())
        capture.body.add(body)
        return body

    def _send(self) -> None:
        """The request as it is, and what has come of its body before."""
        head = self._request.head
        self._injection = None
        self._open_call(head.forwarded, UNKNOWN_LENGTH if head.chunked else head.body_bytes)
        if self._buffer.complete or self._buffer.held_bytes:
            for chunk in self._buffer.take():
                self.body(chunk)
            if self._buffer.complete:
                self.request_end()
            self.request_flush()

    def _open_call(self, headers: Sequence[Pair], body_bytes: int | None) -> UpstreamCall:
        request = self._request
        self.state = SENDING
        self._call = call = self._context.open_call(request.target, self._capture, self)
        call.send_head(request.method, request.target.path_and_query, headers, body_bytes)
        if self._deadlines.client_slow:
            call.pause_response()
        return call

    def _refuse_size(self) -> None:
        responding = self.state is RESPONDING
        if self._capture is not None and not responding:
            self._capture.response_head(TooLarge.status, {})
        limit = self._context.limits.max_body_bytes
        outcome = Outcome.CLIENT_DISCONNECTED if responding else Outcome.REFUSED
        self._break_off(outcome, TooLarge(f"the request's body is larger than {limit} bytes"))

    # Called by the upstream call

    def upstream_slow(self) -> None:
        self._deadlines.upstream_slow = True
        self._client.pause_request()

    def upstream_ready(self) -> None:
        self._deadlines.upstream_slow = False
        self._deadlines.active_s = monotonic()
        self._buffer.release()
        if self._call is not None:
            self._client.resume_request()

    def response_head(self, status: int, reason: bytes, headers: Headers) -> None:
        try:
            head = parse_head(headers)
        except InvalidRequest as error:
            self._break_off(Outcome.UPSTREAM_ERROR, UpstreamUnavailable(f"the response's head is not valid: {error}"))
            return
        self._status = status
        self.state = RESPONDING
        if not self._buffer.complete:
            self._close_before_unread_body()
        kept = head.forwarded
        if self._capture is not None:
            self._capture.response_head(status, head.framing_headers, head.account_headers)
            kept += ((b"Helicone-Id", self._capture.request_id.encode("ascii")), *self._capture.added_headers)
        kept += (SUCCESS if status < 400 else FAILED, *self._times.responding(self._call))
        if self._injection is not None and not can_be_stripped(status, head):
            self._injection = None
        if self._request.method == b"HEAD" or status in (204, 304):
            if head.body_bytes is not None and status != 204:
                kept.append((b"Content-Length", b"%d" % head.body_bytes))
            self._client.send_head(status, reason, kept, None)
        elif head.body_bytes is None or self._injection is not None:
            self._client.send_head(status, reason, kept, UNKNOWN_LENGTH)
        else:
            self._client.send_head(status, reason, kept, head.body_bytes)

    def response_chunk(self, chunk: bytes) -> None:
        capture = self._capture
        if capture is not None:
            if not capture.response.body_bytes:
                capture.response_began(monotonic())
            capture.response.add(chunk)
        if self._injection is None:
            self._client.send_chunk(chunk)
        elif stripped := self._injection.strip(chunk):
            self._client.send_chunk(stripped)

    def response_flush(self) -> None:
        self._deadlines.active_s = monotonic()
        self._client.flush()

    def response_end(self) -> None:
        outcome = Outcome.COMPLETED if self._status < 400 else Outcome.PROVIDER_ERROR
        self._send_rest()
        if self._context.strict and self._capture is not None:
            self._hold_end(self._end(outcome, HOLDING))
        else:
            # First the event, then the end: a client with the whole response may rely on it being recorded.
            self._end(outcome)
            self._client.finish()

    def upstream_failed(self, error: UpstreamUnavailable) -> None:
        self._break_off(Outcome.TIMED_OUT if isinstance(error, UpstreamTimedOut) else Outcome.UPSTREAM_ERROR, error)

    def _send_rest(self) -> None:
        """What was held back of a stream whose usage is stripped."""
        if self._injection is not None and (rest := self._injection.rest()):
            self._client.send_chunk(rest)

    # Deadlines

    def _may_rest_s(self) -> float:
        limits = self._context.limits
        if self.state is RESPONDING or not self._buffer.complete:
            return limits.idle_timeout_s
        return inf if self.state is SENDING else limits.first_byte_timeout_s  # `upstream` sees to the former

    def _time_out(self, overdue: Overdue) -> None:
        """Whoever was waited for decides the outcome."""
        if self.state is BUFFERING or (overdue is Overdue.IDLE and self._awaits_client()):
            error = RequestTooSlow("the request's body did not come in time")
            self._break_off(Outcome.CLIENT_DISCONNECTED, error)
        elif self._call is None:
            refusal = StoreUnavailable("the key could not be checked in time; try again")
            self._break_off(Outcome.TIMED_OUT, refusal)
        else:
            self._break_off(Outcome.TIMED_OUT, UpstreamTimedOut(overdue.value))

    def _awaits_client(self) -> bool:
        """To take the response, or to send the rest of a request that its provider takes."""
        if self.state is SENDING:
            return self._deadlines.client_slow or not self._deadlines.upstream_slow
        return self.state is RESPONDING and self._deadlines.client_slow

    # Ends

    def _break_off(self, outcome: Outcome, error: FareboxError) -> None:
        if self.state >= HOLDING:
            return
        responding = self.state is RESPONDING
        request_id = None if self._capture is None else self._capture.request_id
        self._leave_provider(outcome)
        if responding:
            self._send_rest()
            self._client.flush()
            self._client.cut()
        else:
            self._context.metrics.add("proxy_refused_total")
            self._close_before_unread_body()
            send_error(self._client, error, request_id=request_id, bodiless=self._request.method == b"HEAD")

    def _close_before_unread_body(self) -> None:
        """Nobody reads the rest of a body once its request has its response."""
        head = self._request.head
        if not self._buffer.complete and (head.chunked or head.body_bytes):
            self._client.close_after()

    def _leave_provider(self, outcome: Outcome) -> None:
        """Aborts the call; or leaves it to a drain, when the whole request was sent and its client disconnected."""
        call, capture = self._call, self._capture
        if call is None:
            self._end(outcome)
        elif (
            outcome is Outcome.CLIENT_DISCONNECTED
            and capture is not None
            and call.begun
            and self._buffer.complete
            and self._context.drains.take(call, capture, self._request.head.helicone_headers)
        ):
            self.state = ENDED
            self._call = None
            self._buffer.release()
            self._times.ended()
        else:
            call.abort()
            self._end(outcome)

    def _complete_before_connection(self) -> None:
        """The client disconnected with the whole stream, before its provider has ended the response."""
        call = self._call
        self._end(Outcome.COMPLETED)
        if call is not None:
            if call.begun and self._buffer.complete:
                self._context.drains.finish_unrecorded(call)
            else:
                call.abort()

    def _end(self, outcome: Outcome, state: State = ENDED) -> Awaitable[None] | None:
        """Publishes the event. Returns what the event log does: done when the event is durable; None without any."""
        was_buffering = self.state is BUFFERING
        self.state = state
        self._times.ended()
        call, self._call = self._call, None  # which points here: together they would wait for the garbage collector
        self._buffer.release()
        capture = self._capture
        if capture is None:
            return None
        if call is None or not call.begun:
            capture.request_sent = False
            if was_buffering:
                self._take_body(capture)
        return self._context.recorder.close(capture, outcome)

    def _hold_end(self, durable: Awaitable[None] | None) -> None:
        self._deadlines.active_s = monotonic()
        if durable is None:
            self._end_response(cut=True)
        else:
            asyncio.ensure_future(durable).add_done_callback(self._let_go)

    def _let_go(self, durable: asyncio.Future[None]) -> None:
        """Ends a held response, now that its event is durable; cuts it off when it never will be."""
        lost = durable.cancelled() or durable.exception() is not None  # which also marks the exception as retrieved
        if self.state is HOLDING:
            self._end_response(cut=lost)

    def _end_response(self, *, cut: bool) -> None:
        self.state = ENDED
        if cut:
            self._client.cut()
        else:
            self._client.finish()
