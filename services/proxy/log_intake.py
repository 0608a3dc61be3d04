"""Takes calls that their clients log afterwards. Helicone's clients need no change but the address.

The client has the model's response already, so nothing is gained by haste: the log's own response is `ok` when its
event is durable, and an error when that was given up, whatever the durability of proxied traffic.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from copy import copy
from datetime import datetime
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from schemas.amendment import FEEDBACK, Amendment
from schemas.errors import BrokerUnavailable, FareboxError, TooLarge, Unauthenticated
from schemas.event import ExchangeEvent
from schemas.key import KeyOwner
from services.domain.exchange.decompress import decompressed
from services.domain.exchange.headers import Head
from services.domain.exchange.helicone_headers import unknown_names
from services.domain.logging_api.event import LoggedBy, parse_log_steps, result_of
from services.domain.logging_api.feedback import parse_rating
from services.domain.logging_api.otlp.export import Export, export_steps
from services.domain.providers.others import CUSTOM
from services.ports.clock import Clock
from services.ports.log import LogSink
from services.proxy.errors import MalformedRequest, RequestTooSlow
from services.proxy.exchange.attribution import Attribution
from services.proxy.exchange.key_cache import AuthResult, KeyCheck
from services.proxy.exchange.memory_budget import BudgetLimits, MemoryBudget
from services.proxy.exchange.paced_work import SMALL_BYTES, PacedWork
from services.proxy.log_conflicts import LogConflicts
from services.telemetry.metrics import Metrics

MAX_BYTES: Final = 10 * 2**20  # of one log
MAX_ARRIVING_BYTES: Final = 64 * 2**20  # of all logs on their way into the event log, but for small ones
UNCOUNTED_BYTES: Final = 64 * 2**10  # of a small one, which a connection may hold anyway
MAX_ARRIVING_SHARE: Final = 0.75  # of that, of one organization's
MAX_WAITING: Final = 1000  # logs, for memory
ORGANIZATION_WAITING: Final = 250  # of these, one organization's
WAIT_S: Final = 10.0  # for memory
BODY_S: Final = 60.0  # for a log to arrive

Receive = Callable[[], Awaitable[dict[str, Any]]]
T = TypeVar("T")


class LoggedCallIntake:
    """One for the process."""

    def __init__(
        self,
        *,
        keys: KeyCheck,
        conflicts: LogConflicts,
        sink: LogSink,
        clock: Clock,
        draw_id: Callable[[datetime], str],
        metrics: Metrics,
        attribution: Attribution,
        capture_bytes: int,
        paced: PacedWork,
    ) -> None:
        """`draw_id` makes the id of a call that names none; `capture_bytes` is the limit of each body of a call."""
        self._keys = keys
        self._conflicts = conflicts
        self._sink = sink
        self._clock = clock
        self._draw_id = draw_id
        self._metrics = metrics
        self._attribution = attribution
        self._capture_bytes = capture_bytes
        self._paced = paced
        self._memory = MemoryBudget(
            BudgetLimits(
                total_bytes=MAX_ARRIVING_BYTES,
                organization_bytes=int(MAX_ARRIVING_BYTES * MAX_ARRIVING_SHARE),
                max_waiting=MAX_WAITING,
                organization_waiting=ORGANIZATION_WAITING,
                wait_s=WAIT_S,
            )
        )

    async def owner_of(self, head: Head) -> KeyOwner:
        """Whose key `head` shows. Raises: Unauthenticated, Forbidden, StoreUnavailable when it cannot be checked."""
        bearer = head.auth_header or next(
            (value for name, value in head.forwarded if name.lower() == b"authorization"), None
        )
        if bearer is None:
            raise Unauthenticated("the key is missing: send 'Authorization: Bearer <key>'")
        checked: asyncio.Future[AuthResult] = asyncio.get_running_loop().create_future()
        self._keys.check(bearer, lambda result: None if checked.done() else checked.set_result(result))
        result = await checked
        if isinstance(result, FareboxError):
            raise copy(result)  # what is raised collects its traceback, and the cache keeps its own
        return result

    async def take(self, head: Head, owner: KeyOwner, provider: str, receive: Receive) -> str:
        """The id of the call that the ASGI request behind `receive` logs; its event is durable.

        Raises: Rejected, BrokerUnavailable when the event was lost.
        """
        async with self._received(head, owner, receive) as payload:
            now = self._clock.now()
            drawn_id, by = self._draw_id(now), self._logged_by(head, owner, provider)
            event = await self._result_of(
                owner,
                parse_log_steps(payload, by, drawn_id=drawn_id, now=now, capture_bytes=self._capture_bytes),
                len(payload),
            )
            if event.request.request_id != drawn_id:  # the client chose it
                await self._conflicts.check(event)
            self._count(event)
            await self._publish(event)
            return event.request.request_id

    async def take_export(self, head: Head, owner: KeyOwner, receive: Receive, *, is_json: bool) -> Export:
        """What became of the spans that the ASGI request behind `receive` exports; all events are durable.

        Raises: Rejected, BrokerUnavailable when an event was lost.
        """
        async with self._received(head, owner, receive) as sent:
            payload = decompressed(bytes(sent), head.framing_headers.get(b"content-encoding", b"").decode("latin-1"))
            if payload is None:
                raise MalformedRequest("the body cannot be decompressed as its Content-Encoding says")
            now = self._clock.now()
            steps = export_steps(
                payload,
                self._logged_by(head, owner, CUSTOM.name),
                is_json=is_json,
                draw_id=lambda: self._draw_id(now),
                now=now,
                capture_bytes=self._capture_bytes,
            )
            export = await self._result_of(owner, steps, len(payload))
            for event in export.events:
                self._count(event)
            self._metrics.add("proxy_spans_ignored_total", export.ignored)
            await asyncio.gather(*map(self._publish, export.events))
            return export

    async def take_feedback(self, head: Head, owner: KeyOwner, receive: Receive) -> str:
        """The id of the request that the ASGI request behind `receive` rates; the rating is durable.

        Raises: Rejected, BrokerUnavailable when it was lost.
        """
        async with self._received(head, owner, receive) as payload:
            rating, now = parse_rating(payload), self._clock.now()
            amendment = Amendment(
                organization_id=owner.organization_id,
                request_id=rating.request_id,
                amendment_id=self._draw_id(now),
                recorded_at=now,
                scores={FEEDBACK: int(rating.is_good)},
                key_id=owner.key_id,
            )
            try:
                await self._sink.publish(amendment)
            except BrokerUnavailable as error:
                raise BrokerUnavailable("the feedback could not be recorded; send it again") from error
            return rating.request_id

    @asynccontextmanager
    async def _received(self, head: Head, owner: KeyOwner, receive: Receive) -> AsyncIterator[bytearray]:
        """The body of a request, and memory for it."""
        for name in unknown_names(head.unsupported):
            self._metrics.add_unknown_header(name)
        if (head.body_bytes or 0) > MAX_BYTES:
            raise _too_large()
        is_any_size = head.chunked or b"content-encoding" in head.framing_headers
        size_bytes = MAX_BYTES if is_any_size else head.body_bytes or 0
        if size_bytes <= UNCOUNTED_BYTES:
            yield await self._payload(receive)
        else:
            async with self._memory.reserved(owner.organization_id, size_bytes):
                yield await self._payload(receive)

    def _logged_by(self, head: Head, owner: KeyOwner, provider: str) -> LoggedBy:
        return LoggedBy(
            organization_id=owner.organization_id,
            key_id=owner.key_id,
            provider=provider,
            helicone_headers=head.helicone_headers,
            key_tags=owner.tags,
            missing_tags=self._attribution.missing_tags,
            proxy_id=self._attribution.proxy_id,
            hash_key=self._attribution.hashes.key,
        )

    async def _result_of(self, owner: KeyOwner, steps: Generator[None, None, T], size_bytes: int) -> T:
        if size_bytes > SMALL_BYTES:
            return await self._paced.result_of(owner.organization_id, steps)
        return result_of(steps)

    async def _payload(self, receive: Receive) -> bytearray:
        payload = bytearray()
        try:
            async with asyncio.timeout(BODY_S):
                while await self._read(receive, payload):
                    pass
        except TimeoutError:
            raise RequestTooSlow("the request's body did not come in time") from None
        return payload

    async def _read(self, receive: Receive, payload: bytearray) -> bool:
        """Whether there is more of the body."""
        message = await receive()
        if message["type"] == "http.disconnect":
            raise MalformedRequest("the client disconnected before the end of its request")
        chunk: bytes = message.get("body", b"")
        if len(payload) + len(chunk) > MAX_BYTES:
            raise _too_large()
        payload += chunk
        return bool(message.get("more_body", False))

    def _count(self, event: ExchangeEvent) -> None:
        self._metrics.add("proxy_logged_total")
        request, response = event.request, event.response
        kept_bytes = (len(request.body), len(response.body) + len(response.body_tail))
        for sent, kept in zip((request.body_bytes, response.body_bytes), kept_bytes, strict=True):
            if sent > kept:
                self._metrics.add("proxy_bodies_truncated_total")

    async def _publish(self, event: ExchangeEvent) -> None:
        # Only now is it handed to the log: what a seal says is by this timestamp, and checks may have taken seconds.
        event = replace(event, recorded_at=self._clock.now())
        try:
            await self._sink.publish(event)
        except BrokerUnavailable as error:
            raise BrokerUnavailable("the call could not be recorded; log it again") from error


def _too_large() -> TooLarge:
    return TooLarge(f"Payload too large: a log may have {MAX_BYTES} bytes")
