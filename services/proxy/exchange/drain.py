"""Answers whose client has gone are read on: the provider bills them, and only their end tells how much.

A drain is what remains of an exchange without its client. It is bounded by time and bytes, and all of them by number;
at a bound the provider is left, and the event says what is known.
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
from services.ports import Headers, UpstreamCall
from services.proxy.exchange.recorder import EventRecorder
from services.telemetry import Metrics

ON_DISCONNECT: Final = b"Helicone-On-Disconnect"
ENDED_S: Final = 5.0  # for the connection to follow where the stream in it has ended


class DrainLimits(msgspec.Struct, frozen=True, kw_only=True):
    timeout_s: float
    max_bytes: int  # of each, from when its client went
    max_drains: int  # at once


class Drains:
    """All drains of one process."""

    def __init__(self, *, accounts: EventRecorder, metrics: Metrics, limits: DrainLimits, wanted: bool) -> None:
        """`wanted` is for requests that do not say whether their answers are to be read on."""
        self.accounts = accounts
        self.metrics = metrics
        self.limits = limits
        self._wanted = wanted
        self._open: set[Drain] = set()
        self._none_open = asyncio.Event()
        self._none_open.set()

    def take(self, call: UpstreamCall, capture: Capture, labels: Sequence[Pair], outcome: Outcome) -> bool:
        """Whether the response to `call`, whose request was sent whole, is read on. Its event is then made here.

        `outcome` is COMPLETED where the client left with the whole stream: then only its connection is saved.
        """
        said = header_option(labels, ON_DISCONNECT)
        if said == b"cancel" or (said != b"drain" and not self._wanted) or not capture.has_readable_end:
            return False
        if len(self._open) >= self.limits.max_drains:
            self.metrics.add("proxy_drain_refused_total")
            return False
        if outcome is Outcome.CLIENT_DISCONNECTED:
            self.metrics.add("proxy_drained_total")
        self._open.add(Drain(self, call, capture, outcome))
        self._none_open.clear()
        return True

    def discard(self, drain: "Drain") -> None:
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
    """An ResponseReceiver that nobody listens to."""

    __slots__ = ("_bytes_left", "_call", "_capture", "_ending", "_home", "deadline_s")

    def __init__(self, home: Drains, call: UpstreamCall, capture: Capture, outcome: Outcome) -> None:
        timeout_s = home.limits.timeout_s
        self.deadline_s = monotonic() + (
            timeout_s if outcome is Outcome.CLIENT_DISCONNECTED else min(timeout_s, ENDED_S)
        )
        self._ending = outcome
        self._home = home
        self._call: UpstreamCall | None = call
        self._capture = capture
        self._bytes_left = home.limits.max_bytes
        call.hand_over(self)
        call.resume_response()

    def cut(self) -> None:
        """Leaves the provider in the middle of its response."""
        if self._call is not None:
            if self._ending is Outcome.CLIENT_DISCONNECTED:
                self._home.metrics.add("proxy_drain_cut_total")
            self._call.abort()
            self._finish()

    def response_head(self, status: int, reason: bytes, headers: Headers) -> None:  # noqa: ARG002
        try:
            head = parse_head(headers)
        except InvalidRequest:
            self.cut()
        else:
            self._capture.response_head(status, head.framing_headers)

    def response_chunk(self, piece: bytes) -> None:
        if self._call is None:
            return
        answer = self._capture.response
        if not answer.body_bytes:
            self._capture.response_began(monotonic())
        answer.add(piece)
        self._capture.drained = True
        self._bytes_left -= len(piece)
        if self._bytes_left < 0 or not self._capture.has_readable_end:
            self.cut()

    def response_end(self) -> None:
        self._capture.drained = True
        self._finish()

    def response_flush(self) -> None: ...

    def upstream_failed(self, error: UpstreamUnavailable) -> None:  # noqa: ARG002
        self._finish()  # the client went first, and so decided the outcome

    def upstream_slow(self) -> None: ...

    def upstream_ready(self) -> None: ...

    def _finish(self) -> None:
        self._call = None
        self._home.discard(self)
        self._home.accounts.close(self._capture, self._ending)
