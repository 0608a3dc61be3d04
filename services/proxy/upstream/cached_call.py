"""One request that wants the response cache: served from there, or passed on to the provider.

Towards the exchange a hit is a response like any other, from a call that never began.
"""

import logging
from enum import IntEnum
from typing import Final

import msgspec

from schemas.cache import CacheKey, CachePolicy
from services.domain.cache.key import cache_key, lasting_credential
from services.domain.cache.policy import is_cacheable
from services.domain.exchange.capture import Capture
from services.domain.exchange.captured_body import CaptureSpace
from services.domain.exchange.target import Target
from services.ports.upstream import Headers, ResponseReceiver, Upstream, UpstreamCall
from services.proxy.exchange.paced_work import SMALL_BYTES, PacedWork
from services.proxy.upstream.cache_access import CacheAccess
from services.proxy.upstream.flights import Landed, Lead
from services.proxy.upstream.held_chunks import HeldChunks
from services.proxy.upstream.held_request import HeldRequest
from services.proxy.upstream.recorded_call import RecordedCall, Recording

_FLUSH_BYTES: Final = 64 * 2**10  # of a replayed body, before its client may say that it is slow
logger = logging.getLogger("farebox.proxy")

_MISS: Final = (b"Helicone-Cache", b"MISS")
_HIT: Final = (b"Helicone-Cache", b"HIT")


class Stage(IntEnum):
    COLLECTING = 0  # the request's body, which decides the key
    LOOKING = 1  # in the cache, or waiting for the response to an identical request
    PASSING = 2  # the request goes to the provider, and its response comes
    REPLAYING = 3  # the response comes from the cache
    ENDED = 4


class CacheUse(msgspec.Struct, frozen=True, kw_only=True):
    """What the calls of one process share."""

    access: CacheAccess
    paced: PacedWork
    memory: CaptureSpace  # for all bodies on their way into the cache
    entry_bytes: int  # of each of them
    by_credential: bool  # requests with different keys of the provider have different responses


class CachedCall:
    """An UpstreamCall."""

    __slots__ = (
        "_body",
        "_capture",
        "_policy",
        "_replayed",
        "_request",
        "_target",
        "_upstream",
        "_use",
        "stage",
    )

    def __init__(
        self,
        use: CacheUse,
        upstream: Upstream,
        target: Target,
        capture: Capture,
        policy: CachePolicy,
        receiver: ResponseReceiver,
    ) -> None:
        self.stage = Stage.COLLECTING
        self._use = use
        self._upstream = upstream
        self._target = target
        self._capture = capture
        self._policy = policy
        self._request = HeldRequest(receiver)  # with a call once in PASSING
        self._body = HeldChunks(use.memory, use.entry_bytes)
        self._replayed: list[bytes] = []  # still to be replayed, the next one last

    # Called by the exchange

    @property
    def begun(self) -> bool:
        return self._request.begun

    @property
    def waited_s(self) -> float:
        return self._request.waited_s

    def send_head(self, method: bytes, target: bytes, headers: Headers, body_bytes: int | None) -> None:
        self._request.head = (method, target, headers, body_bytes)
        is_small = body_bytes is None or body_bytes <= self._use.entry_bytes
        if not is_small or not is_cacheable(method.decode("ascii"), self._target.provider, self._target.url):
            self._pass_on(None)

    def send_chunk(self, chunk: bytes) -> None:
        if self._request.call is not None:
            self._request.call.send_chunk(chunk)
        elif not self._body.add(chunk):
            self._pass_on(None)

    def finish(self) -> None:
        self._request.finish()
        if self._request.call is not None:
            return
        if self._body.size_bytes <= SMALL_BYTES:
            self._look_up()
        else:
            self._use.paced.run(self._capture.organization_id, self._look_up)

    def flush(self) -> None:
        self._request.flush()

    def pause_response(self) -> None:
        self._request.pause_response()

    def resume_response(self) -> None:
        self._request.resume_response()
        self._replay()

    def hand_over(self, receiver: ResponseReceiver) -> None:
        self._request.hand_over(receiver)

    def abort(self) -> None:
        self.stage = Stage.ENDED
        self._body.take()
        self._request.abort()

    # In the cache

    def _look_up(self) -> None:
        if self.stage is not Stage.COLLECTING:
            return  # aborted while large bodies before it were parsed
        self.stage = Stage.LOOKING
        key = self._key()
        if self._policy.reads:
            self._use.access.start(self._find(key))
        else:
            self._pass_on(key)

    def _key(self) -> CacheKey:
        method, path_and_query, headers, _ = self._request.head
        capture, target = self._capture, self._target
        url = target.origin.url.encode() + b" " + path_and_query
        credential = ""
        if self._use.by_credential:
            credential = lasting_credential(capture.account.key_hash, headers)
        elif target.credential:
            url = url.replace(target.credential, b"")
        return cache_key(
            self._policy,
            organization_id=capture.organization_id,
            credential=credential,
            method=method,
            url=url,
            headers=headers,
            body=b"".join(self._body.held()),
        )

    async def _find(self, key: CacheKey) -> None:
        landed: Landed | None = None
        lead: Lead | None = None
        try:
            landed = await self._use.access.find(key, self._policy)
            if landed is None and self._policy.coalesces:
                lead, landed = await self._join(key)
        except Exception:
            logger.exception("the response cache failed: a bug of Farebox")
        try:
            self._found(key, landed, lead)
        except BaseException:
            if lead is not None:
                lead.fail()
            raise

    def _found(self, key: CacheKey, landed: Landed | None, lead: Lead | None) -> None:
        if lead is not None and landed is not None:
            lead.land(landed.response, landed.slot)
        if self.stage is Stage.LOOKING and landed is not None:
            self._serve(landed)
        elif self.stage is Stage.LOOKING:
            self._pass_on(key, lead)
        elif lead is not None:
            lead.fail()

    async def _join(self, key: CacheKey) -> tuple[Lead | None, Landed | None]:
        """What an identical request has got, or the duty to get it."""
        access = self._use.access
        joined = await access.join(key)
        if isinstance(joined, Lead):
            try:
                return joined, await access.find(key, self._policy)  # another's response may have come since
            except BaseException:
                joined.fail()  # who waits for it goes to the provider at once
                raise
        if joined is not None:
            access.metrics.add("proxy_cache_coalesced_total")
        return None, joined

    def _serve(self, landed: Landed) -> None:
        self.stage = Stage.REPLAYING
        self._body.take()
        response, capture, metrics = landed.response, self._capture, self._use.access.metrics
        metrics.add("proxy_cache_hits_total")
        metrics.add("proxy_cache_hit_bytes_total", sum(map(len, response.chunks)))
        capture.cache_reference_id = response.request_id
        capture.added_headers = (
            *(*capture.added_headers, _HIT),
            (b"Helicone-Cache-Bucket-Idx", b"%d" % landed.slot),
            (b"Helicone-Cache-Latency", b"%d" % response.latency_ms),
        )
        self._replayed = response.chunks[::-1]
        self._request.receiver.response_head(response.status, response.reason, response.headers)
        self._replay()

    def _replay(self) -> None:
        """At once, as far as the client takes it."""
        unflushed = 0
        while self.stage is Stage.REPLAYING and not self._request.paused and self._replayed:
            chunk = self._replayed.pop()
            self._request.receiver.response_chunk(chunk)
            unflushed += len(chunk)
            if unflushed > _FLUSH_BYTES:
                unflushed = 0
                self._request.receiver.response_flush()
        if self.stage is Stage.REPLAYING and not self._replayed:
            self.stage = Stage.ENDED
            self._request.receiver.response_end()

    # To the provider

    def _pass_on(self, key: CacheKey | None, lead: Lead | None = None) -> None:
        """`key` is that of the whole request; None where it is not to be cached."""
        self.stage = Stage.PASSING
        if self._policy.reads:
            self._use.access.metrics.add("proxy_cache_misses_total")
            self._capture.added_headers = (*self._capture.added_headers, _MISS)
        self._request.send_by(self._open(key, lead), self._body.take())

    def _open(self, key: CacheKey | None, lead: Lead | None) -> UpstreamCall:
        use = self._use
        if key is None or not self._policy.saves:
            return self._upstream.call(self._target.origin, self._request.receiver)
        recording = Recording(
            access=use.access,
            key=key,
            policy=self._policy,
            lead=lead,
            capture=self._capture,
            provider=self._target.provider,
        )
        chunks = HeldChunks(use.memory, use.entry_bytes)
        return RecordedCall(self._upstream, self._target.origin, recording, chunks, self._request.receiver)
