"""Responses whose client has disconnected are read on: the provider bills them, and only their end reports the usage.

A drain is what remains of an exchange without its client. It is bounded by time and bytes, and all of them by number;
at a bound the provider is left, and the event holds what is known.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from time import monotonic
from typing import Final

import msgspec

from schemas.errors import InvalidRequest, UpstreamUnavailable
from schemas.event import Outcome
from services.domain.exchange.capture import Capture
from services.domain.exchange.headers import Pair, header_option, parse_head
from services.ports.upstream import Headers, UpstreamCall
from services.proxy.exchange.recorder import EventRecorder
from services.telemetry.metrics import Metrics

ON_DISCONNECT: Final = b"Helicone-On-Disconnect"
END_S: Final = 5.0  # for a response to end where the stream in it has ended


class DrainLimits(msgspec.Struct, frozen=True, kw_only=True):
    timeout_s: float
    max_bytes: int  # of each, from when its client disconnected
    max_drains: int  # at once


class Drains:
    """All drains of one process."""

    def __init__(self, *, recorder: EventRecorder, metrics: Metrics, limits: DrainLimits, by_default: bool) -> None:
        """`by_default`: whether responses are read on whose requests do not say."""
        self.recorder = recorder
        self.metrics = metrics
        self.limits = limits
        self._by_default = by_default
        self._open: set[Drain | UnrecordedDrain] = set()
        self._none_open = asyncio.Event()
        self._none_open.set()

    def take(self, call: UpstreamCall, capture: Capture, labels: Sequence[Pair]) -> bool:
        """Whether the response to `call`, whose request was sent whole, is read on. This then publishes its event."""
        option = header_option(labels, ON_DISCONNECT)
        if option == b"cancel" or (option != b"drain" and not self._by_default) or not capture.has_readable_end:
            return False
        if len(self._open) >= self.limits.max_drains:
            self.metrics.add("proxy_drain_refused_total")
            return False
        self.metrics.add("proxy_drained_total")
        self._add(Drain(self, call, capture), call)
        return True

    def finish_unrecorded(self, call: UpstreamCall) -> None:
        """Reads the response to `call` to its end, which is near, so that its connection can be used again."""
        if len(self._open) >= self.limits.max_drains:
            call.abort()
        else:
            self._add(UnrecordedDrain(self, call), call)

    def _add(self, drain: "Drain | UnrecordedDrain", call: UpstreamCall) -> None:
        self._open.add(drain)
        self._none_open.clear()
        call.hand_over(drain)  # which may end it at once, by what has come already
        call.resume_response()

    def discard(self, drain: "Drain | UnrecordedDrain") -> None:
        self._open.discard(drain)
        if not self._open:
            self._none_open.set()

    def sweep(self, now_s: float) -> None:
        """Ends those that took too long. To be called several times a second."""
        for drain in [one for one in self._open if now_s > one.deadline_s]:
            drain.cut()

    async def close(self, within_s: float) -> None:
        """Returns when all have ended; those that have not after `within_s` are ended."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._none_open.wait()
        for drain in list(self._open):
            drain.cut()


class Drain:
    """A ResponseReceiver without a client, which publishes the event of its exchange."""

    __slots__ = ("_bytes_left", "_call", "_capture", "_drains", "deadline_s")

    def __init__(self, drains: Drains, call: UpstreamCall, capture: Capture) -> None:
        self.deadline_s = monotonic() + drains.limits.timeout_s
        self._drains = drains
        self._call: UpstreamCall | None = call
        self._capture = capture
        self._bytes_left = drains.limits.max_bytes

    def cut(self) -> None:
        """Leaves the provider in the middle of its response."""
        if self._call is not None:
            self._drains.metrics.add("proxy_drain_cut_total")
            self._call.abort()
            self._finish()

    def response_head(self, status: int, reason: bytes, headers: Headers) -> None:  # noqa: ARG002
        try:
            head = parse_head(headers)
        except InvalidRequest:
            self.cut()
        else:
            self._capture.response_head(status, head.framing_headers)

    def response_chunk(self, chunk: bytes) -> None:
        if self._call is None:
            return
        response = self._capture.response
        if not response.body_bytes:
            self._capture.response_began(monotonic())
        response.add(chunk)
        self._capture.drained = True
        self._bytes_left -= len(chunk)
        if self._bytes_left < 0 or not self._capture.has_readable_end:
            self.cut()

    def response_end(self) -> None:
        self._capture.drained = True
        self._finish()

    def response_flush(self) -> None: ...

    def upstream_failed(self, error: UpstreamUnavailable) -> None:  # noqa: ARG002
        self._finish()  # the client disconnected first, and so decided the outcome

    def upstream_slow(self) -> None: ...

    def upstream_ready(self) -> None: ...

    def _finish(self) -> None:
        self._call = None
        self._drains.discard(self)
        self._drains.recorder.close(self._capture, Outcome.CLIENT_DISCONNECTED)


class UnrecordedDrain:
    """A ResponseReceiver behind the terminal event of a stream: its event is published already."""

    __slots__ = ("_bytes_left", "_call", "_drains", "deadline_s")

    def __init__(self, drains: Drains, call: UpstreamCall) -> None:
        self.deadline_s = monotonic() + min(drains.limits.timeout_s, END_S)
        self._drains = drains
        self._call: UpstreamCall | None = call
        self._bytes_left = drains.limits.max_bytes

    def cut(self) -> None:
        if self._call is not None:
            self._call.abort()
            self.response_end()

    def response_head(self, status: int, reason: bytes, headers: Headers) -> None: ...

    def response_chunk(self, chunk: bytes) -> None:
        self._bytes_left -= len(chunk)
        if self._bytes_left < 0:
            self.cut()

    def response_end(self) -> None:
        self._call = None
        self._drains.discard(self)

    def response_flush(self) -> None: ...

    def upstream_failed(self, error: UpstreamUnavailable) -> None:  # noqa: ARG002
        self.response_end()

    def upstream_slow(self) -> None: ...

    def upstream_ready(self) -> None: ...
