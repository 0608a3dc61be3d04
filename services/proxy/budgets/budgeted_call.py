"""One request that counts in budgets: its body is collected and priced, and it passes once that is reserved.

Behind the response cache, rate limits and retries: a hit costs nothing, and each attempt is reserved by itself. Towards
them a refusal is a response like any other, from a call that never began.
"""

import logging
from collections.abc import Callable, Generator
from enum import IntEnum
from functools import partial
from typing import Final

import msgspec

from schemas.errors import StoreUnavailable
from schemas.origin import Origin
from schemas.usage import RequestInfo
from services.domain.exchange.capture import Capture
from services.domain.exchange.target import Target
from services.domain.pricing.billable import path_generates
from services.ports.upstream import Headers, ResponseReceiver, Upstream
from services.proxy.budgets.access import BudgetAccess
from services.proxy.budgets.attempt_reservations import AttemptReservations
from services.proxy.budgets.check import BudgetCheck, Passed, Refused
from services.proxy.budgets.definitions import BudgetDefinitions
from services.proxy.budgets.reading import BudgetReading, read_request
from services.proxy.exchange.paced_work import SMALL_BYTES, PacedWork
from services.proxy.upstream.held_chunks import HeldChunks
from services.proxy.upstream.held_request import HeldRequest
from services.proxy.upstream.refusal import refuse
from services.proxy.upstream.shared_memory import SharedMemory

HELD_BYTES: Final = 8 * 2**20  # of one body; what a larger one can cost is unknown

logger = logging.getLogger("farebox.proxy")


class Stage(IntEnum):
    COLLECTING = 0  # the request's body, which decides what it can cost
    DECIDING = 1
    PASSING = 2  # the request goes to the provider, and its response comes
    ENDED = 3  # it was refused or aborted


class BudgetUse(msgspec.Struct, frozen=True, kw_only=True):
    """What the calls of one process share."""

    definitions: BudgetDefinitions
    check: BudgetCheck
    access: BudgetAccess
    paced: PacedWork
    memory: SharedMemory  # for all bodies that are held

    async def admit(self, capture: Capture, model: str) -> Passed | Refused:
        """For what is no request and response, such as a connection that spends as it goes: may it go on by `model`?

        Nothing is reserved for it, as nobody knows how much it will spend: the reservation of what passes is empty, and
        is to be released.
        """
        try:
            budgets = await self.definitions.budgets_of(capture.organization_id)
            if not budgets:
                return Passed()
            reading = BudgetReading(info=RequestInfo(model=model), model=model, size=None)
            return await self.check.check(capture, budgets, reading)
        except StoreUnavailable:
            return self.check.without_counters()

    async def open(self) -> None:
        """Which budgets there are is known before the first request, as none may pass for want of that."""
        await self.definitions.read_first()

    async def close(self) -> None:
        await self.definitions.close()
        await self.access.close()


class BudgetedWay:
    """The way to the servers of one request. What its attempts reserve is settled together."""

    def __init__(self, way_to: Callable[[Target], Upstream], use: BudgetUse, capture: Capture) -> None:
        self._way_to = way_to
        self._use = use
        self._capture = capture
        self._reservations = AttemptReservations(use.access, capture)

    def __call__(self, target: Target) -> "BudgetedUpstream":
        return BudgetedUpstream(self._way_to(target), self._use, self._capture, self._reservations)


class BudgetedUpstream:
    """An Upstream for one attempt at a request."""

    def __init__(self, upstream: Upstream, use: BudgetUse, capture: Capture, reservations: AttemptReservations) -> None:
        self._upstream = upstream
        self._use = use
        self._capture = capture
        self._reservations = reservations

    def call(self, origin: Origin, receiver: ResponseReceiver) -> "BudgetedCall":
        return BudgetedCall(self._upstream, origin, self._use, self._capture, self._reservations, receiver)

    def sweep(self) -> None: ...

    async def close(self) -> None: ...


class BudgetedCall:
    """An UpstreamCall."""

    __slots__ = ("_body", "_capture", "_is_large", "_origin", "_request", "_reservations", "_upstream", "_use", "stage")

    def __init__(
        self,
        upstream: Upstream,
        origin: Origin,
        use: BudgetUse,
        capture: Capture,
        reservations: AttemptReservations,
        receiver: ResponseReceiver,
    ) -> None:
        """`reservations` are those of all attempts at the request."""
        self._reservations = reservations
        self.stage = Stage.COLLECTING
        self._upstream = upstream
        self._origin = origin
        self._use = use
        self._capture = capture
        self._request = HeldRequest(receiver)  # with a call once in PASSING
        self._body = HeldChunks(use.memory.of(capture.organization_id), HELD_BYTES)
        self._is_large = False  # the body is not held until it is whole

    @property
    def begun(self) -> bool:
        return self._request.begun

    @property
    def waited_s(self) -> float:
        return self._request.waited_s

    def send_head(self, method: bytes, target: bytes, headers: Headers, body_bytes: int | None) -> None:
        self._request.head = (method, target, headers, body_bytes)
        its = self._capture.target
        if not path_generates(method.decode("latin-1"), its.provider, its.url):
            self._pass_on(Passed())
        elif body_bytes is not None and body_bytes > HELD_BYTES:
            self._decide_by_head()

    def send_chunk(self, chunk: bytes) -> None:
        if self._request.call is not None:
            self._request.call.send_chunk(chunk)
        elif self.stage is not Stage.ENDED and not self._body.add(chunk) and not self._is_large:
            self._decide_by_head()

    def finish(self) -> None:
        self._request.finish()
        if self.stage is Stage.COLLECTING:
            self.stage = Stage.DECIDING
            self._use.access.start(self._decide())

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
        self._body.take()
        self._request.abort()

    # The decision

    def _decide_by_head(self) -> None:
        """The rest of the body waits with its client, and what it can cost stays unknown."""
        self._is_large = True
        if self.stage is Stage.COLLECTING:
            self.stage = Stage.DECIDING
            self._request.receiver.upstream_slow()
            self._use.access.start(self._decide())

    async def _decide(self) -> None:
        try:
            budgets = await self._use.definitions.budgets_of(self._capture.organization_id)
            decision: Passed | Refused = Passed()
            if budgets:
                decision = await self._use.check.check(self._capture, budgets, await self._reading())
        except StoreUnavailable:
            decision = self._use.check.without_counters()
        except Exception:
            # A fault of ours must not leave the request waiting.
            logger.exception("a budget failed: a bug of Farebox")
            decision = self._use.check.without_counters()
        if self.stage is not Stage.DECIDING:
            if isinstance(decision, Passed) and decision.reservation is not None:
                self._use.access.release(decision.reservation)
        elif isinstance(decision, Passed):
            self._pass_on(decision)
        else:
            self._refuse(decision)

    async def _reading(self) -> BudgetReading:
        method, _, _, body_bytes = self._request.head
        body = None if self._is_large else b"".join(self._body.held())
        size = len(body) if body is not None else body_bytes or self._body.size_bytes
        read = partial(read_request, self._capture, method, body, size)
        if size <= SMALL_BYTES or body is None:
            return read()
        return await self._use.paced.result_of(self._capture.organization_id, _once(read))

    def _pass_on(self, passed: Passed) -> None:
        self.stage = Stage.PASSING
        capture, chunks = self._capture, self._body.take()
        self._reservations.begin(passed.reservation)
        if passed.headers:
            capture.added_headers = (*capture.added_headers, *passed.headers)
        if passed.properties:
            capture.note(passed.properties)
        capture.sent_model = passed.model
        if passed.content is not None:
            method, target, headers, _ = self._request.head
            self._request.head = (method, target, headers, len(passed.content))
            chunks = [passed.content]
            capture.fell_back = True
        if self._is_large:  # before the provider may say that it is slow
            self._request.receiver.upstream_ready()
        self._request.send_by(self._upstream.call(self._origin, self._request.receiver), chunks)

    def _refuse(self, refused: Refused) -> None:
        self.stage = Stage.ENDED
        self._body.take()
        capture = self._capture
        capture.refused = True
        capture.added_headers = (*capture.added_headers, *refused.headers)
        capture.note(refused.properties)
        retry = (b"Retry-After", b"%d" % refused.retry_after_s)
        code = (b"X-Helicone-Error", refused.error.code.encode())
        refuse(self._request, refused.error, [retry, code], refused.details)


def _once(read: Callable[[], BudgetReading]) -> Generator[None, None, BudgetReading]:
    """As one step of paced work."""
    return read()
    yield
