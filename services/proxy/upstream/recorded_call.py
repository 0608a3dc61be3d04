"""A call to the provider whose response is recorded on its way, and saved in the cache once it is whole."""

from time import monotonic

import msgspec

from schemas.cache import CachedResponse, CacheKey, CachePolicy
from schemas.errors import UpstreamUnavailable
from schemas.origin import Origin
from services.domain.cache.storable import kept_headers
from services.domain.exchange.capture import Capture
from services.ports.upstream import Headers, ResponseReceiver, Upstream
from services.proxy.upstream.cache_access import CacheAccess
from services.proxy.upstream.flights import Lead
from services.proxy.upstream.held_chunks import HeldChunks


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """Where a response goes."""

    access: CacheAccess
    key: CacheKey
    policy: CachePolicy
    lead: Lead | None  # others wait for the response
    capture: Capture
    provider: str

    async def save(self, response: CachedResponse, chunks: HeldChunks) -> None:
        try:
            payload = await self.access.payload_of(response, self.provider)
            if payload is None:
                self.discard()
            else:
                slot = await self.access.save(self.key, payload, self.policy)
                if self.lead is not None:
                    self.lead.land(response, slot)
        finally:
            chunks.take()
            self.fail()

    def discard(self) -> None:
        self.access.metrics.add("proxy_cache_not_saved_total")
        self.fail()

    def fail(self) -> None:
        """Whoever waits for the response waits no longer, unless it has landed."""
        if self.lead is not None:
            self.lead.fail()


class RecordedCall:
    """An UpstreamCall and a ResponseReceiver. It steps aside as soon as there is nothing to record.

    Whoever reads the response to its end, it is recorded: also when its client has disconnected.
    """

    __slots__ = ("_call", "_chunks", "_headers", "_reason", "_receiver", "_recording", "_sent_s")

    def __init__(
        self,
        upstream: Upstream,
        origin: Origin,
        recording: Recording,
        chunks: HeldChunks,
        receiver: ResponseReceiver,
    ) -> None:
        """`chunks` will hold the response."""
        self._recording: Recording | None = recording  # None once there is nothing to record
        self._chunks = chunks
        self._receiver = receiver
        self._reason = b""
        self._headers: Headers = ()
        self._sent_s = monotonic()
        self._call = upstream.call(origin, self)

    # The UpstreamCall

    @property
    def begun(self) -> bool:
        return self._call.begun

    @property
    def waited_s(self) -> float:
        return self._call.waited_s

    def send_head(self, method: bytes, target: bytes, headers: Headers, body_bytes: int | None) -> None:
        self._call.send_head(method, target, headers, body_bytes)

    def send_chunk(self, chunk: bytes) -> None:
        self._call.send_chunk(chunk)

    def finish(self) -> None:
        self._call.finish()

    def flush(self) -> None:
        self._call.flush()

    def pause_response(self) -> None:
        self._call.pause_response()

    def resume_response(self) -> None:
        self._call.resume_response()

    def hand_over(self, receiver: ResponseReceiver) -> None:
        """A call with a recording hands over to itself: so whoever is behind knows that the client has disconnected."""
        self._receiver = receiver
        self._call.hand_over(receiver if self._recording is None else self)

    def abort(self) -> None:
        self._stop()
        self._call.abort()

    # The ResponseReceiver

    def response_head(self, status: int, reason: bytes, headers: Headers) -> None:
        self._reason, self._headers = reason, headers
        recording = self._recording
        if status != 200 or (recording is not None and recording.capture.fell_back):
            self._step_aside()
        self._receiver.response_head(status, reason, headers)

    def response_chunk(self, chunk: bytes) -> None:
        if self._recording is not None and not self._chunks.add(chunk):
            self._recording.discard()
            self._step_aside()
        self._receiver.response_chunk(chunk)

    def response_flush(self) -> None:
        self._receiver.response_flush()

    def response_end(self) -> None:
        recording, self._recording = self._recording, None
        if recording is not None:
            response = self._recorded(recording)
            recording.access.start(recording.save(response, self._chunks))
        self._receiver.response_end()

    def upstream_failed(self, error: UpstreamUnavailable) -> None:
        self._stop()
        self._receiver.upstream_failed(error)

    def upstream_slow(self) -> None:
        self._receiver.upstream_slow()

    def upstream_ready(self) -> None:
        self._receiver.upstream_ready()

    def _recorded(self, recording: Recording) -> CachedResponse:
        return CachedResponse(
            digest=recording.key.digest,
            request_id=recording.capture.request_id,
            stored_at_s=recording.access.clock.now().timestamp(),
            latency_ms=round((monotonic() - self._sent_s) * 1000),
            status=200,
            reason=self._reason,
            headers=kept_headers(self._headers),
            chunks=self._chunks.held(),
        )

    def _step_aside(self) -> None:
        self._stop()
        self._call.hand_over(self._receiver)

    def _stop(self) -> None:
        """Nothing of the response is kept."""
        if self._recording is not None:
            self._recording.fail()
            self._recording = None
            self._chunks.take()
