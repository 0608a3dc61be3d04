"""The way to the providers for one request that is retried, has fallbacks or names models. Others never come here."""

from collections.abc import Callable

from schemas.origin import Origin
from services.domain.exchange.capture import Capture
from services.domain.exchange.target import Target
from services.ports.upstream import ResponseReceiver, Upstream, UpstreamCall
from services.proxy.upstream.attempts.by_model import CallByModel
from services.proxy.upstream.attempts.call import AttemptedCall
from services.proxy.upstream.attempts.use import AttemptUse


class AttemptingUpstream:
    """An Upstream for one request."""

    def __init__(self, way_to: Callable[[Target], Upstream], use: AttemptUse, target: Target, capture: Capture) -> None:
        self._way_to = way_to
        self._use = use
        self._target = target
        self._capture = capture

    def call(self, origin: Origin, receiver: ResponseReceiver) -> UpstreamCall:  # noqa: ARG002
        if self._target.with_models is not None:
            return CallByModel(self._way_to, self._use, self._target.with_models, self._capture, receiver)
        return AttemptedCall(self._way_to, self._use, self._target, self._capture, receiver)

    def sweep(self) -> None: ...

    async def close(self) -> None: ...
