"""Fails calls whose provider does not begin its response in time.

It limits one call of the upstream behind it, so with retries in front of it each attempt has its own time.
"""

from math import inf
from time import monotonic

from schemas.errors import UpstreamTimedOut, UpstreamUnavailable
from schemas.origin import Origin
from services.ports.upstream import Headers, ResponseReceiver, Upstream


class FirstByteTimeout:
    """An Upstream before another one."""

    def __init__(self, upstream: Upstream, *, timeout_s: float) -> None:
        """`timeout_s` counts from the end of a request, or from when the provider or the client held it up last."""
        self._upstream = upstream
        self._timeout_s = timeout_s
        self._awaited: set[TimedCall] = set()

    def call(self, origin: Origin, receiver: ResponseReceiver) -> "TimedCall":
        return TimedCall(self._upstream, self._awaited, origin, receiver)

    def sweep(self) -> None:
        began_before_s = monotonic() - self._timeout_s
        for call in [one for one in self._awaited if one.awaited_since_s < began_before_s]:
            call.time_out()
        self._upstream.sweep()

    async def close(self) -> None:
        await self._upstream.close()


class TimedCall:
    """An UpstreamCall and a ResponseReceiver. With the response's head it steps aside: the rest does not pass it."""

    __slots__ = ("_awaited", "_call", "_receiver", "_sent_s", "awaited_since_s", "waited_s")

    def __init__(
        self, upstream: Upstream, awaited: "set[TimedCall]", origin: Origin, receiver: ResponseReceiver
    ) -> None:
        """`awaited` holds the calls whose response has not begun, this one among them while its own has not."""
        self.awaited_since_s = inf  # until the request is whole
        self._sent_s = self.waited_s = 0.0
        awaited.add(self)
        self._awaited = awaited
        self._receiver = receiver
        self._call = upstream.call(origin, self)

    def time_out(self) -> None:
        self._call.abort()
        self.upstream_failed(UpstreamTimedOut("the provider did not respond in time"))

    # The UpstreamCall

    @property
    def begun(self) -> bool:
        return self._call.begun

    def send_head(self, method: bytes, target: bytes, headers: Headers, body_bytes: int | None) -> None:
        self._sent_s = monotonic()
        self._call.send_head(method, target, headers, body_bytes)

    def send_chunk(self, chunk: bytes) -> None:
        self._call.send_chunk(chunk)

    def finish(self) -> None:
        self.awaited_since_s = monotonic()
        self._call.finish()

    def flush(self) -> None:
        self._call.flush()

    def pause_response(self) -> None:
        self._call.pause_response()

    def resume_response(self) -> None:
        self._restart()
        self._call.resume_response()

    def hand_over(self, receiver: ResponseReceiver) -> None:
        """To one that has a deadline of its own."""
        self._awaited.discard(self)
        self._receiver = receiver
        self._call.hand_over(receiver)

    def abort(self) -> None:
        self._awaited.discard(self)
        self._call.abort()

    # The ResponseReceiver

    def response_head(self, status: int, reason: bytes, headers: Headers) -> None:
        self.waited_s = monotonic() - self._sent_s
        self._awaited.discard(self)
        self._call.hand_over(self._receiver)
        self._receiver.response_head(status, reason, headers)

    def response_chunk(self, chunk: bytes) -> None:
        self._receiver.response_chunk(chunk)

    def response_end(self) -> None:
        self._receiver.response_end()

    def response_flush(self) -> None:
        self._receiver.response_flush()

    def upstream_failed(self, error: UpstreamUnavailable) -> None:
        self.waited_s = monotonic() - self._sent_s
        self._awaited.discard(self)
        self._receiver.upstream_failed(error)

    def upstream_slow(self) -> None:
        self._receiver.upstream_slow()

    def upstream_ready(self) -> None:
        self._restart()
        self._receiver.upstream_ready()

    def _restart(self) -> None:
        if self.awaited_since_s < inf:
            self.awaited_since_s = monotonic()
