"""One request that is retried, or goes to another server, where an attempt fails: until a response is passed on.

From then on it steps aside: what the client has got a byte of is never asked for again. Each attempt is a call of the
upstream behind, with a time of its own for its first byte; all of them together have the request's deadline.
"""

import asyncio
from collections.abc import Callable, Sequence
from enum import IntEnum
from time import monotonic

from schemas.errors import InvalidRequest, Rejected, TooLarge, UpstreamTimedOut, UpstreamUnavailable
from schemas.event import Outcome
from services.domain.exchange.capture import Capture, FailedAttempt
from services.domain.exchange.headers import parse_head
from services.domain.exchange.target import Fallback, Target
from services.domain.exchange.usage_injection import uncompressed
from services.domain.resilience.override import with_override
from services.ports.upstream import Headers, ResponseReceiver, Upstream
from services.proxy.exchange.paced_work import SMALL_BYTES
from services.proxy.upstream.attempts.failed_response import END_S, FailedResponse
from services.proxy.upstream.attempts.plan import AttemptPlan
from services.proxy.upstream.attempts.use import AttemptUse
from services.proxy.upstream.held_chunks import HeldChunks
from services.proxy.upstream.held_request import HeldRequest
from services.proxy.upstream.refusal import refuse


class Stage(IntEnum):
    COLLECTING = 0  # the request's body, of which a fallback changes members
    ATTEMPTING = 1  # the request is sent, and its response awaited
    FAILING = 2  # the response is one that another attempt follows, and comes to its end
    WAITING = 3  # for the next attempt
    PASSING = 4  # the response is passed on, or the last failure was
    ENDED = 5  # refused or aborted


class AttemptedCall:
    """An UpstreamCall and a ResponseReceiver."""

    __slots__ = (
        "_began_s",
        "_body",
        "_capture",
        "_failed",
        "_given",
        "_overfull",
        "_overrides",
        "_plan",
        "_replayable",
        "_request",
        "_slow",
        "_target",
        "_timer",
        "_use",
        "_wait_s",
        "_way_to",
        "stage",
    )

    def __init__(
        self,
        way_to: Callable[[Target], Upstream],
        use: AttemptUse,
        target: Target,
        capture: Capture,
        receiver: ResponseReceiver,
    ) -> None:
        self._overrides = any(one.body_override for one in target.fallbacks)
        self.stage = Stage.COLLECTING if self._overrides else Stage.ATTEMPTING
        self._way_to = way_to
        self._use = use
        self._target = target
        self._capture = capture
        self._request = HeldRequest(receiver)  # with a call in ATTEMPTING, FAILING and PASSING
        self._given = self._request.head  # of the first target
        self._body = HeldChunks(use.memory.of(capture.organization_id), use.body_bytes)
        self._replayable = True
        self._slow = False  # the client is held up
        self._overfull = False  # as more of the body has come than is kept, while nothing could be sent
        self._plan = AttemptPlan(use, capture, target)
        self._failed: FailedResponse | None = None  # in FAILING
        self._began_s = 0.0  # the attempt
        self._wait_s = 0.0  # before the next one
        self._timer: asyncio.Handle | None = None

    # Called by the exchange

    @property
    def begun(self) -> bool:
        return self._request.begun

    @property
    def waited_s(self) -> float:
        return self._request.waited_s

    def send_head(self, method: bytes, target: bytes, headers: Headers, body_bytes: int | None) -> None:
        self._given = (method, target, headers, body_bytes)
        if self.stage is Stage.ATTEMPTING:
            self._attempt()

    def send_chunk(self, chunk: bytes) -> None:
        if self._request.call is not None:
            self._request.call.send_chunk(chunk)
        if self._replayable and self.stage < Stage.PASSING and not self._body.add(chunk):
            self._body_is_too_large()

    def finish(self) -> None:
        self._request.finish()
        if self.stage is not Stage.COLLECTING:
            return
        if self._body.size_bytes <= SMALL_BYTES:
            self._begin_whole()
        else:
            self._use.paced.run(self._capture.organization_id, self._begin_whole)

    def flush(self) -> None:
        self._request.flush()

    def pause_response(self) -> None:
        self._request.pause_response()

    def resume_response(self) -> None:
        self._request.resume_response()

    def hand_over(self, receiver: ResponseReceiver) -> None:
        """To one that wants this response, or no other: the client has disconnected."""
        failed, self._failed = self._failed, None
        self._settle(Stage.PASSING)
        self._request.hand_over(receiver)
        if failed is not None:
            failed.replay(receiver)

    def abort(self) -> None:
        self._settle(Stage.ENDED)
        self._request.abort()

    # The request

    def _body_is_too_large(self) -> None:
        """To be sent again. What has come while nothing could be sent is kept, and its client held up."""
        if self.stage is Stage.COLLECTING:
            self._refuse(TooLarge(f"bodyKeyOverride needs a body of at most {self._use.body_bytes} bytes"))
        elif self.stage is Stage.ATTEMPTING:
            self._replayable = False
            self._body.take()
        else:
            self._overfull = True
            if not self._slow:
                self.upstream_slow()

    def _begin_whole(self) -> None:
        if self.stage is Stage.COLLECTING:  # not aborted while large bodies before it were parsed
            self._attempt()

    def _refuse(self, error: Rejected) -> None:
        self._settle(Stage.ENDED)
        self._capture.refused = True
        refuse(self._request, error)

    def _settle(self, stage: Stage) -> None:
        """There will be no further attempt."""
        self.stage = stage
        self._body.take()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Attempts

    def _attempt(self) -> None:
        self._began_s = monotonic()
        self._plan.begin(self._began_s)
        try:
            chunks = self._prepare()
        except Rejected as error:
            self._refuse(error)
            return
        self._timer, self.stage = None, Stage.ATTEMPTING
        if self._overfull:
            self._overfull = self._replayable = False
            self._body.take()
        was_slow, self._slow = self._slow, False
        target = self._fallback.target if self._target.fallbacks else self._target
        self._request.send_by(self._way_to(target).call(target.origin, self), chunks)
        if was_slow and not self._slow:
            self._request.receiver.upstream_ready()

    @property
    def _fallback(self) -> Fallback:
        return self._target.fallbacks[self._plan.index]

    def _prepare(self) -> Sequence[bytes]:
        """The body as it is sent to the next target, and its head. Raises: BodyNotOverridable."""
        chunks: Sequence[bytes] = self._body.held()
        method, path, headers, body_bytes = self._given
        if not self._target.fallbacks:
            self._request.head = self._given
            return chunks
        fallback, capture = self._fallback, self._capture
        target, head = fallback.target, fallback.head
        if self._overrides:
            body = b"".join(chunks)
            chunks = [with_override(body, fallback.body_override, fallback.model)]
            body_bytes = len(chunks[0])
            capture.replace_body(chunks[0])
        if self._plan.index:
            path, headers = target.path_and_query, head.forwarded
            headers = uncompressed(headers) if capture.usage_injected else headers
            capture.retarget(target, head, self._use.recorder.account_at(target, head))
        self._request.head = (method, path, headers, body_bytes)
        return chunks

    def _over(self, attempt: FailedAttempt | None) -> None:
        """The attempt has failed, and another one follows. None: not a byte of the request left."""
        self._settle_failed()
        self.stage = Stage.WAITING
        self._use.recorder.record_failed(self._capture, attempt)
        self._use.recorder.metrics.add("proxy_retries_total")
        self._timer = asyncio.get_running_loop().call_later(self._wait_s, self._attempt)
        if self._slow and not self._overfull:
            self.upstream_ready()

    def _settle_failed(self) -> None:
        self._failed = None
        self._request.leave_call()
        if self._timer is not None:
            self._timer.cancel()

    def _cut_failed(self) -> None:
        """Its end is not awaited any longer."""
        if self._failed is not None and self._request.call is not None:
            self._request.call.abort()
            self._over(self._failed.attempt(self._began_s, Outcome.UPSTREAM_ERROR))

    # The ResponseReceiver

    def response_head(self, status: int, reason: bytes, headers: Headers) -> None:
        if self._capture.refused:  # by a budget: no provider has failed
            self._pass_on(status, reason, headers)
            return
        now_s = monotonic()
        self._plan.note(status, now_s)
        wait_s = self._plan.wait_s(status, now_s, headers, replayable=self._replayable)
        try:
            parsed = parse_head(headers) if wait_s is not None else None
        except InvalidRequest:
            parsed = None
        if wait_s is None or parsed is None:
            self._pass_on(status, reason, headers)
            return
        self.stage, self._wait_s = Stage.FAILING, wait_s
        self._failed = FailedResponse(status, reason, headers, parsed)
        self._timer = asyncio.get_running_loop().call_later(END_S, self._cut_failed)
        if self._request.paused and self._request.call is not None:
            self._request.call.resume_response()

    def _pass_on(self, status: int, reason: bytes, headers: Headers) -> None:
        self._settle(Stage.PASSING)
        self._plan.end()
        added = self._plan.headers(self._capture.sent_model)
        self._capture.added_headers = (*self._capture.added_headers, *added)
        receiver = self._request.receiver
        self._request.hand_over(receiver)
        receiver.response_head(status, reason, headers)

    def response_chunk(self, chunk: bytes) -> None:
        if self._failed is not None and not self._failed.add(chunk):
            self._cut_failed()

    def response_end(self) -> None:
        if self._failed is not None:
            outcome = Outcome.COMPLETED if self._failed.status < 400 else Outcome.PROVIDER_ERROR
            self._over(self._failed.attempt(self._began_s, outcome))

    def response_flush(self) -> None: ...

    def upstream_failed(self, error: UpstreamUnavailable) -> None:
        if self._failed is not None:
            self._over(self._failed.attempt(self._began_s, Outcome.UPSTREAM_ERROR))
            return
        now_s = monotonic()
        self._plan.note(None, now_s)
        wait_s = self._plan.wait_s(None, now_s, replayable=self._replayable, permanent=error.permanent)
        if wait_s is None:
            self._settle(Stage.PASSING)
            self._plan.end()
            self._request.receiver.upstream_failed(error)
            return
        self._wait_s = wait_s
        outcome = Outcome.TIMED_OUT if isinstance(error, UpstreamTimedOut) else Outcome.UPSTREAM_ERROR
        self._over(FailedAttempt(outcome=outcome, began_s=self._began_s) if self.begun else None)

    def upstream_slow(self) -> None:
        self._slow = True
        self._request.receiver.upstream_slow()

    def upstream_ready(self) -> None:
        self._slow = False
        self._request.receiver.upstream_ready()
