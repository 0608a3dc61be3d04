"""What the exchanges of one process share."""

from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from services.domain.exchange.capture import Capture
from services.domain.exchange.captured_body import CaptureSpace
from services.domain.exchange.target import Target
from services.ports.clock import Clock
from services.ports.upstream import ResponseReceiver, Upstream, UpstreamCall
from services.proxy.admission.admission import Admission
from services.proxy.budgets.budgeted_call import BudgetedWay, BudgetUse
from services.proxy.exchange.deadlines import Limits
from services.proxy.exchange.drain import Drains
from services.proxy.exchange.mock_upstream import MockUpstream
from services.proxy.exchange.paced_work import PacedWork
from services.proxy.exchange.recorder import EventRecorder
from services.proxy.exchange.target_choice import TargetChoice
from services.proxy.upstream.attempts.upstream import AttemptingUpstream
from services.proxy.upstream.attempts.use import AttemptUse
from services.proxy.upstream.cache import CachingUpstream
from services.proxy.upstream.keyed_call import KeyedUpstream
from services.proxy.upstream.limit_access import LimitAccess
from services.proxy.upstream.limited_call import LimitedUpstream
from services.proxy.upstream.shared_memory import SharedMemory
from services.telemetry.metrics import Metrics

SIGNING_BYTES: Final = 64 * 2**20


class ProxyContext(msgspec.Struct, frozen=True, kw_only=True):
    """What the exchanges of one process share."""

    upstream: Upstream
    admission: Admission
    recorder: EventRecorder
    metrics: Metrics
    limits: Limits
    clock: Clock
    drains: Drains
    buffer_memory: CaptureSpace  # of all bodies that are collected until they are whole
    realtime_memory: CaptureSpace  # of all messages of realtime APIs, likewise: they say what is billed
    paced: PacedWork
    targets: TargetChoice = TargetChoice(frozenset())
    # Of all bodies that are to be signed.
    signing_memory: SharedMemory = msgspec.field(default_factory=partial(SharedMemory, SIGNING_BYTES))
    inject_usage: bool = True  # unless a request says otherwise
    strict: bool = False
    shows_added: bool = False  # in a header of the response
    cache: CachingUpstream | None = None  # before `upstream`, for requests that want it
    rate_limits: LimitAccess | None = None  # between the two, likewise
    budgets: BudgetUse | None = None  # next to `upstream`, for requests of organizations that have some
    attempts: AttemptUse | None = None  # behind both, likewise: what limits count once may be several attempts

    def open_call(self, target: Target, capture: Capture | None, receiver: ResponseReceiver) -> UpstreamCall:
        """The way to the provider. A request without `capture` is nobody's: no cache, no limit, one attempt."""
        if target.mock_response is not None:
            upstream: Upstream = MockUpstream(target.mock_response)
        elif capture is None:
            upstream = self._way_to("", target)
        else:
            upstream = self._attempts_at(target, capture)
        if capture is None:
            return upstream.call(target.origin, receiver)
        if capture.limit is not None and self.rate_limits is not None:
            upstream = LimitedUpstream(upstream, self.rate_limits, capture.limit, capture)
        if capture.cache is None or self.cache is None or _responder_is_open(target):
            return upstream.call(target.origin, receiver)
        return self.cache.call(upstream, target, capture, capture.cache, receiver)

    def _attempts_at(self, target: Target, capture: Capture) -> Upstream:
        """One attempt, or as many as the request wants. Most requests want one, and have no budget."""
        budgets, attempts = self.budgets, self.attempts
        is_budgeted = budgets is not None and budgets.definitions.concern(capture.organization_id)
        wants_several = capture.retry is not None or target.fallbacks or target.with_models is not None
        if not (is_budgeted or wants_several):
            return self._way_to(capture.organization_id, target)
        way_to: Callable[[Target], Upstream] = partial(self._way_to, capture.organization_id)
        if budgets is not None and is_budgeted:
            way_to = BudgetedWay(way_to, budgets, capture)
        if attempts is None or not wants_several:
            return way_to(target)
        return AttemptingUpstream(way_to, attempts, target, capture)

    def _way_to(self, organization_id: str, target: Target) -> Upstream:
        """For one attempt, with the key that is for `target` alone."""
        if target.key is None:
            return self.upstream
        return KeyedUpstream(self.upstream, target.origin, target.key, self.clock, self.signing_memory, organization_id)


def _responder_is_open(target: Target) -> bool:
    """Whether it shows too late for the cache whose response it is, if any provider's."""
    return target.mock_response is not None or target.with_models is not None
