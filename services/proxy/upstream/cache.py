"""The response cache before the providers, for requests that want it. The others never come here."""

from schemas.cache import CachePolicy
from services.domain.exchange.capture import Capture
from services.domain.exchange.target import Target
from services.ports.upstream import ResponseReceiver, Upstream
from services.proxy.upstream.cached_call import CachedCall, CacheUse


class CachingUpstream:
    """Before an Upstream, which it sweeps and closes."""

    def __init__(self, use: CacheUse, upstream: Upstream) -> None:
        self._use = use
        self._upstream = upstream

    def call(
        self, upstream: Upstream, target: Target, capture: Capture, policy: CachePolicy, receiver: ResponseReceiver
    ) -> CachedCall:
        """For the request of `capture`, which notes where the response comes from; misses go to `upstream`."""
        return CachedCall(self._use, upstream, target, capture, policy, receiver)

    def sweep(self) -> None:
        self._upstream.sweep()

    async def close(self) -> None:
        await self._use.access.close()
        await self._upstream.close()
