"""One exchange: a request goes to its provider, the answer comes back, one event is left behind.

Knows neither the server nor the upstream client: it is told what happens on either side and tells the other, so
both may be replaced. Nothing in here waits, and bodies pass piece by piece without being read.

One event, exactly, for every request with a valid key that a provider was asked for, whatever its ending, and for
those refused as too large. Other refusals leave no event: they cost nothing, and are counted.

Durability `strict`: what remains of the answer when it is complete is held until the event is durable. When the
event is given up instead, the caller is cut off, so that an answer that ended is always recorded.
"""

import asyncio
from collections.abc import Awaitable
from time import monotonic
from typing import Final

from schemas.errors import FareboxError, InvalidRequest, Rejected, TooLarge, UpstreamTimedOut, UpstreamUnavailable
from schemas.event import Ending
from services.domain.capture import Capture
from services.domain.headers import read_head
from services.ports import UNKNOWN_LENGTH, Headers, UpstreamCall
from services.proxy.accounts import Request
from services.proxy.answers import FAILED, SUCCESS, Downstream, RequestTooSlow, answer_error
from services.proxy.keys import Verdict
from services.proxy.terms import Relay

WAITING_BYTES: Final = 64 * 2**10  # of a body whose key is still being looked up; above it the caller is paused


class Exchange:
    """A state machine between a Downstream and an UpstreamCall. It is an AnswerReceiver."""

    __slots__ = (
        "_answering",
        "_call",
        "_capture",
        "_client",
        "_client_slow",
        "_finished",
        "_held",
        "_relay",
        "_request",
        "_request_bytes",
        "_request_ended",
        "_status",
        "_touched_s",
        "_upstream_slow",
        "_waiting",
    )

    def __init__(self, relay: Relay, client: Downstream, request: Request) -> None:
        self._relay = relay
        self._client = client
        self._request = request
        self._call: UpstreamCall | None = None
        self._capture: Capture | None = None
        self._waiting: list[bytes] = []  # pieces of a body that may not travel yet
        self._request_bytes = 0
        self._request_ended = False
        self._answering = False
        self._status = 0
        self._finished = False
        self._held = False  # whole, but not yet ended towards the caller
        self._client_slow = False
        self._upstream_slow = False
        self._touched_s = request.began_s

    # The caller's side tells

    def begin(self) -> None:
        """It is this request's turn. Its body may have begun to come before."""
        request = self._request
        bearer = request.head.bearer
        if bearer is None and request.target.secret is not None:
            bearer = b"Bearer " + request.target.secret
        self._relay.keys.check(bearer, self._admit)

    def body(self, piece: bytes) -> None:
        if self._finished:
            return
        self._request_bytes += len(piece)
        if self._call is None:
            self._waiting.append(piece)
            if self._request_bytes > WAITING_BYTES:
                self._client.pause_request()
        elif self._request_bytes > self._relay.limits.max_body_bytes:
            self._refuse_size()
        else:
            if self._capture is not None:
                self._capture.body.add(piece)
            self._call.piece(piece)

    def request_end(self) -> None:
        self._request_ended = True
        if self._call is not None and not self._finished:
            self._call.end()

    def request_flush(self) -> None:
        if self._call is not None and not self._finished:
            self._touched_s = monotonic()
            self._call.flush()

    def request_broken(self, error: Rejected) -> None:
        """The body cannot be understood; nothing more of it will come."""
        self._break_off(Ending.CLIENT_GONE, error)

    def client_gone(self) -> None:
        self._held = False
        if self._finished:
            return
        if self._call is not None:
            self._call.abort()
        self._finish(Ending.CLIENT_GONE)

    def client_slow(self) -> None:
        self._client_slow = True
        if self._call is not None:
            self._call.pause_answer()

    def client_ready(self) -> None:
        self._client_slow = False
        self._touched_s = monotonic()
        if self._call is not None and not self._finished:
            self._call.resume_answer()

    def check(self, now_s: float) -> None:
        """Ends the exchange when it has taken too long. To be called several times a second."""
        if self._finished:
            return
        limits = self._relay.limits
        rested_s = now_s - self._touched_s
        if now_s - self._request.began_s > limits.total_timeout_s:
            self.give_up("the exchange took too long")
        elif not self._answering and self._request_ended:
            if rested_s > limits.first_byte_timeout_s:
                self.give_up("the provider did not answer in time")
        elif rested_s > limits.idle_timeout_s:
            self._give_up_idle()

    def give_up(self, reason: str) -> None:
        if not self._finished:
            self._break_off(Ending.TIMED_OUT, UpstreamTimedOut(reason))

    # The provider's side tells

    def answer_head(self, status: int, reason: bytes, headers: Headers) -> None:
        try:
            head = read_head(headers)
        except InvalidRequest as error:
            self._break_off(Ending.UPSTREAM_BROKEN, UpstreamUnavailable(f"the answer's head is not valid: {error}"))
            return
        self._status = status
        self._answering = True
        kept = head.kept
        if self._capture is not None:
            self._capture.answer_head(status, head.notes)
            kept.append((b"Helicone-Id", self._capture.request_id.encode("ascii")))
        kept.append(SUCCESS if status < 400 else FAILED)
        if self._request.method == b"HEAD" or status in (204, 304):
            if head.body_bytes is not None and status != 204:
                kept.append((b"Content-Length", b"%d" % head.body_bytes))
            self._client.head(status, reason, kept, None)
        else:
            self._client.head(status, reason, kept, UNKNOWN_LENGTH if head.body_bytes is None else head.body_bytes)

    def answer_piece(self, piece: bytes) -> None:
        capture = self._capture
        if capture is not None:
            if not capture.answer.body_bytes:
                capture.answer_began(monotonic())
            capture.answer.add(piece)
        self._client.piece(piece)

    def answer_flush(self) -> None:
        self._touched_s = monotonic()
        self._client.flush()

    def answer_end(self) -> None:
        ending = Ending.COMPLETED if self._status < 400 else Ending.PROVIDER_ERROR
        if self._relay.strict and self._capture is not None:
            self._held = True
            durable = self._finish(ending)
            if durable is None:
                self._let_go(None)
            else:
                asyncio.ensure_future(durable).add_done_callback(self._let_go)
        else:
            self._client.end()
            self._finish(ending)

    def upstream_failed(self, error: UpstreamUnavailable) -> None:
        timed_out = isinstance(error, UpstreamTimedOut)
        self._break_off(Ending.TIMED_OUT if timed_out else Ending.UPSTREAM_BROKEN, error)

    def upstream_slow(self) -> None:
        self._upstream_slow = True
        self._client.pause_request()

    def upstream_ready(self) -> None:
        self._upstream_slow = False
        self._touched_s = monotonic()
        if not self._finished:
            self._client.resume_request()

    # Turns

    def _admit(self, verdict: Verdict) -> None:
        if self._finished:
            return
        if isinstance(verdict, str):
            self._capture = self._relay.accounts.open(self._request, verdict)
        elif self._relay.pass_unauthenticated:
            self._relay.metrics.add("proxy_unlogged_total")
        else:
            self._break_off(Ending.REFUSED, verdict)
            return
        announced = self._request.head.body_bytes
        if announced is not None and announced > self._relay.limits.max_body_bytes:
            self._refuse_size()
        else:
            self._ask()

    def _ask(self) -> None:
        request, head = self._request, self._request.head
        self._relay.metrics.add("proxy_requests_total")
        self._call = call = self._relay.upstream.call(request.target.origin, self)
        length = UNKNOWN_LENGTH if head.chunked else head.body_bytes
        call.head(request.method, request.target.path_and_query, head.kept, length)
        if self._client_slow:
            call.pause_answer()
        if head.expects_continue:
            self._client.proceed()
        if self._waiting or self._request_ended:
            self._catch_up()

    def _catch_up(self) -> None:
        """Passes on what came before the turn, and while the key was being looked up."""
        waiting, self._waiting, self._request_bytes = self._waiting, [], 0
        for piece in waiting:
            self.body(piece)
        if self._request_ended:
            self.request_end()
        self.request_flush()
        self._client.resume_request()

    def _refuse_size(self) -> None:
        if self._capture is not None and not self._answering:
            self._capture.answer_head(TooLarge.status, {})
        limit = self._relay.limits.max_body_bytes
        self._break_off(Ending.REFUSED, TooLarge(f"the request's body is larger than {limit} bytes"))

    def _give_up_idle(self) -> None:
        """Whoever was waited for decides the ending."""
        if self._client_slow or not (self._answering or self._upstream_slow or self._call is None):
            self._break_off(Ending.CLIENT_GONE, RequestTooSlow("the request's body did not come in time"))
        else:
            self.give_up("the provider was silent for too long")

    def _break_off(self, ending: Ending, error: FareboxError) -> None:
        if self._finished:
            return
        if self._call is not None:
            self._call.abort()
        request_id = None if self._capture is None else self._capture.request_id
        self._finish(ending)
        if self._answering:
            self._client.flush()
            self._client.cut()
        else:
            self._relay.metrics.add("proxy_refused_total")
            answer_error(self._client, error, request_id=request_id, bodiless=self._request.method == b"HEAD")

    def _finish(self, ending: Ending) -> Awaitable[None] | None:
        self._finished = True
        self._call = None  # which points here: together they would wait for the garbage collector
        return None if self._capture is None else self._relay.accounts.close(self._capture, ending)

    def _let_go(self, durable: asyncio.Future[None] | None) -> None:
        """Ends a held answer, now that its event is durable; cuts it when it never will be."""
        lost = durable is None or durable.cancelled() or durable.exception() is not None
        if not self._held:
            return
        self._held = False
        if lost:
            self._client.cut()
        else:
            self._client.end()
