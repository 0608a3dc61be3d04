"""One request with a key that Farebox adds: a header of its own, or a signature over the whole request.

Last before the connection, so that a request that is tried again is signed again, and neither the cache nor anything
else on the way sees the key. A signature covers the body, so the body is collected until it is whole.
"""

from typing import Final

from schemas.errors import UpstreamUnavailable
from schemas.origin import Origin
from schemas.provider_key import HeaderKey, ProviderKey
from services.domain.routing.sigv4 import signed_headers
from services.ports.clock import Clock
from services.ports.upstream import Headers, ResponseReceiver, Upstream, UpstreamCall
from services.proxy.upstream.held_chunks import HeldChunks
from services.proxy.upstream.shared_memory import SharedMemory

_LARGEST_BYTES: Final = 2**63  # of a body: the memory is what bounds it


class KeyedUpstream:
    """An Upstream for one request. The key is for one server: calls to any other go without it."""

    def __init__(
        self,
        upstream: Upstream,
        owner: Origin,
        key: ProviderKey,
        clock: Clock,
        memory: SharedMemory,
        organization_id: str,
    ) -> None:
        """`owner` is the server of the key; `memory` is for all bodies that are to be signed."""
        self._upstream = upstream
        self._owner = owner
        self._key = key
        self._clock = clock
        self._memory = memory
        self._organization_id = organization_id

    def call(self, origin: Origin, receiver: ResponseReceiver) -> UpstreamCall:
        if origin != self._owner:
            return self._upstream.call(origin, receiver)
        body = HeldChunks(self._memory.of(self._organization_id), _LARGEST_BYTES)
        return KeyedCall(self._upstream, origin, self._key, self._clock, body, receiver)

    def sweep(self) -> None: ...

    async def close(self) -> None: ...


class KeyedCall:
    """An UpstreamCall."""

    __slots__ = (
        "_body",
        "_call",
        "_clock",
        "_has_body",
        "_head",
        "_key",
        "_origin",
        "_paused",
        "_receiver",
        "_upstream",
    )

    def __init__(
        self,
        upstream: Upstream,
        origin: Origin,
        key: ProviderKey,
        clock: Clock,
        body: HeldChunks,
        receiver: ResponseReceiver,
    ) -> None:
        """`body` will hold the request's, where it is to be signed."""
        self._upstream = upstream
        self._origin = origin
        self._key = key
        self._clock = clock
        self._receiver: ResponseReceiver | None = receiver  # None once the request is given up
        self._call: UpstreamCall | None = None  # once the request is on its way
        self._head: tuple[bytes, bytes, Headers] = (b"", b"", ())
        self._has_body = False
        self._body = body
        self._paused = False

    @property
    def begun(self) -> bool:
        return self._call is not None and self._call.begun

    @property
    def waited_s(self) -> float:
        return 0.0 if self._call is None else self._call.waited_s

    def send_head(self, method: bytes, target: bytes, headers: Headers, body_bytes: int | None) -> None:
        self._head = (method, target, headers)
        self._has_body = body_bytes is not None
        if isinstance(self._key, HeaderKey):
            self._open([*headers, (self._key.name, self._key.value)], body_bytes)

    def send_chunk(self, chunk: bytes) -> None:
        if self._call is not None:
            self._call.send_chunk(chunk)
        elif self._receiver is not None and not self._body.add(chunk):
            self._fail("too many requests wait to be signed; try again")

    def finish(self) -> None:
        if self._call is None and self._receiver is not None:
            self._sign()
        if self._call is not None:
            self._call.finish()

    def flush(self) -> None:
        if self._call is not None:
            self._call.flush()

    def pause_response(self) -> None:
        self._paused = True
        if self._call is not None:
            self._call.pause_response()

    def resume_response(self) -> None:
        self._paused = False
        if self._call is not None:
            self._call.resume_response()

    def hand_over(self, receiver: ResponseReceiver) -> None:
        if self._receiver is not None:
            self._receiver = receiver
        if self._call is not None:
            self._call.hand_over(receiver)

    def abort(self) -> None:
        self._receiver = None
        self._body.take()
        if self._call is not None:
            self._call.abort()

    # The key

    def _open(self, headers: Headers, body_bytes: int | None) -> UpstreamCall:
        assert self._receiver is not None
        method, target, _ = self._head
        self._call = call = self._upstream.call(self._origin, self._receiver)
        if self._paused:
            call.pause_response()
        call.send_head(method, target, headers, body_bytes)
        return call

    def _sign(self) -> None:
        assert not isinstance(self._key, HeaderKey)
        method, target, headers = self._head
        body = b"".join(self._body.take())
        host = self._origin.authority.encode("ascii")
        signed = signed_headers(
            self._key, method=method, target=target, host=host, headers=headers, body=body, at=self._clock.now()
        )
        call = self._open(signed, len(body) if self._has_body else None)
        if body:
            call.send_chunk(body)

    def _fail(self, why: str) -> None:
        receiver, self._receiver = self._receiver, None
        self._body.take()
        if receiver is not None:
            receiver.upstream_failed(UpstreamUnavailable(why))
