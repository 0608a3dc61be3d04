"""How long one request takes, and how much of it is Farebox's own work: for the histograms, and for a header."""

from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING

from services.domain.exchange.headers import Pair
from services.ports.upstream import UpstreamCall
from services.proxy.exchange.recorder import Request

if TYPE_CHECKING:
    from services.proxy.exchange.context import ProxyContext


class RequestTimes:
    """Of a request that may turn out not to be admitted: then nothing of it is counted."""

    __slots__ = ("_added_s", "_began_s", "_context", "_first_byte_s", "_provider", "_ready_s")

    def __init__(self, context: "ProxyContext") -> None:
        self._context = context
        self._provider = ""  # until it is admitted, and once it has ended
        self._began_s = self._ready_s = 0.0
        self._first_byte_s: float | None = None
        self._added_s: float | None = None

    def admitted(self, request: Request) -> None:
        self._context.metrics.add("proxy_requests_total")
        self._provider = request.target.provider
        self._began_s = self._ready_s = request.began_s

    def ready(self) -> None:
        """From now on nothing but Farebox keeps the request from its provider."""
        self._ready_s = monotonic()

    def responding(self, call: UpstreamCall | None) -> Sequence[Pair]:
        """`call` has a response now. Returns the header that says how much Farebox added, where that is wanted."""
        now_s = monotonic()
        self._first_byte_s = now_s - self._began_s
        self._added_s = added_s = max(0.0, now_s - self._ready_s - (0.0 if call is None else call.waited_s))
        return ((b"Farebox-Added-Us", b"%d" % (added_s * 1e6)),) if self._context.shows_added else ()

    def ended(self) -> None:
        provider, self._provider = self._provider, ""
        if provider:
            request_s = monotonic() - self._began_s
            self._context.metrics.observe_request(provider, request_s, self._first_byte_s, self._added_s)
