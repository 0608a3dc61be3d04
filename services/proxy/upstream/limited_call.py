"""One request with a rate limit: passed on once its bucket allows it, or answered with 429.

Behind the response cache, so that hits use nothing of a limit. Towards the exchange a refusal is a response like any
other, from a call that never began.
"""

import logging
from enum import IntEnum
from functools import partial
from math import ceil
from typing import Final

from schemas.errors import Busy, FareboxError, Rejected
from schemas.limit import LimitUnit, RateLimit, Taken
from schemas.origin import Origin
from services.domain.exchange.capture import Capture
from services.domain.limits.policy import limit_headers, policy_text
from services.ports.upstream import Headers, ResponseReceiver, Upstream
from services.proxy.upstream.held_request import HeldRequest
from services.proxy.upstream.limit_access import LimitAccess
from services.proxy.upstream.refusal import refuse
from services.token_bucket import needed, seconds_until

_HELD_BYTES: Final = 64 * 2**10  # of a request that waits for its bucket; above it the client is paused

logger = logging.getLogger("farebox.proxy")


class RateLimited(Rejected):
    code = "rate_limited"
    status = 429


class Stage(IntEnum):
    WAITING = 0  # for the bucket
    PASSING = 1  # the request goes to the provider, and its response comes
    ENDED = 2  # it was refused or aborted


class LimitedUpstream:
    """An Upstream for one request."""

    def __init__(self, upstream: Upstream, access: LimitAccess, limit: RateLimit, capture: Capture) -> None:
        self._upstream = upstream
        self._access = access
        self._limit = limit
        self._capture = capture

    def call(self, origin: Origin, receiver: ResponseReceiver) -> "LimitedCall":
        return LimitedCall(self._upstream, origin, self._access, self._limit, self._capture, receiver)

    def sweep(self) -> None: ...

    async def close(self) -> None: ...


class LimitedCall:
    """An UpstreamCall."""

    __slots__ = (
        "_access",
        "_capture",
        "_chunks",
        "_held_bytes",
        "_limit",
        "_origin",
        "_request",
        "_upstream",
        "stage",
    )

    def __init__(
        self,
        upstream: Upstream,
        origin: Origin,
        access: LimitAccess,
        limit: RateLimit,
        capture: Capture,
        receiver: ResponseReceiver,
    ) -> None:
        self.stage = Stage.WAITING
        self._upstream = upstream
        self._origin = origin
        self._access = access
        self._limit = limit
        self._capture = capture
        self._request = HeldRequest(receiver)  # with a call once in PASSING
        self._chunks: list[bytes] = []
        self._held_bytes = 0

    @property
    def begun(self) -> bool:
        return self._request.begun

    @property
    def waited_s(self) -> float:
        return self._request.waited_s

    def send_head(self, method: bytes, target: bytes, headers: Headers, body_bytes: int | None) -> None:
        self._request.head = (method, target, headers, body_bytes)
        self._access.start(self._decide())

    def send_chunk(self, chunk: bytes) -> None:
        if self._request.call is not None:
            self._request.call.send_chunk(chunk)
        elif self.stage is Stage.WAITING:
            was_held = self._held_bytes > _HELD_BYTES
            self._chunks.append(chunk)
            self._held_bytes += len(chunk)
            if not was_held and self._held_bytes > _HELD_BYTES:
                self._request.receiver.upstream_slow()

    def finish(self) -> None:
        self._request.finish()

    def flush(self) -> None:
        self._request.flush()

    def pause_response(self) -> None:
        self._request.pause_response()

    def resume_response(self) -> None:
        self._request.resume_response()

    def hand_over(self, receiver: ResponseReceiver) -> None:
        self._request.hand_over(receiver)

    def abort(self) -> None:
        self.stage = Stage.ENDED
        self._chunks = []
        self._request.abort()

    # The bucket

    async def _decide(self) -> None:
        try:
            taken = await self._access.take(self._limit)
        except Exception:
            # A fault of ours must not leave the request waiting.
            logger.exception("a rate limit failed: a bug of Farebox")
            taken = None
        if self.stage is not Stage.WAITING:
            return
        if taken is None:
            self._go_on_without()
            return
        self._capture.added_headers = (*self._capture.added_headers, *limit_headers(self._limit.policy, taken))
        if taken.allowed:
            self._pass_on()
        else:
            self._refuse_for(taken)

    def _go_on_without(self) -> None:
        self._access.metrics.add("proxy_limit_skipped_total")
        if self._access.closed:
            self._refuse(Busy("the rate limit of this request could not be checked; try again"), 1)
        else:
            self._capture.added_headers = (
                *self._capture.added_headers,
                (b"Helicone-RateLimit-Skipped", b"unavailable"),
            )
            self._pass_on()

    def _pass_on(self) -> None:
        self.stage = Stage.PASSING
        if self._limit.policy.unit is not LimitUnit.REQUEST:
            self._capture.settle = (*self._capture.settle, partial(self._access.settle, self._limit))
        chunks, self._chunks = self._chunks, []
        if self._held_bytes > _HELD_BYTES:  # before the provider may say that it is slow
            self._request.receiver.upstream_ready()
        self._request.send_by(self._upstream.call(self._origin, self._request.receiver), chunks)

    def _refuse_for(self, taken: Taken) -> None:
        policy = self._limit.policy
        self._access.metrics.add("proxy_limit_refused_total")
        self._capture.note_rate_limited()
        wait_s = max(1, ceil(seconds_until(needed(policy), taken.level, policy)))
        segment = f" of this {policy.segment}" if policy.segment else ""
        self._refuse(
            RateLimited(f"the rate limit {policy_text(policy)}{segment} is used up: try again in {wait_s} seconds"),
            wait_s,
        )

    def _refuse(self, error: FareboxError, wait_s: int) -> None:
        self.stage = Stage.ENDED
        self._chunks = []
        self._capture.refused = True
        refuse(
            self._request,
            error,
            [(b"Retry-After", b"%d" % wait_s), (b"X-Helicone-Error", error.code.encode())],
        )
