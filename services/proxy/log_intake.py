"""Takes calls that their clients log afterwards. Helicone's clients need no change but the address.

The client has the model's response already, so nothing is gained by haste: the log's own response is `ok` when its
event is durable, and an error when that was given up, whatever the durability of proxied traffic.
"""

import asyncio
from collections.abc import Awaitable, Callable
from copy import copy
from datetime import datetime
from typing import Any, Final

from schemas.errors import BrokerUnavailable, FareboxError, TooLarge, Unauthenticated
from schemas.event import ExchangeEvent
from schemas.key import KeyOwner
from services.domain.exchange.headers import Head
from services.domain.exchange.helicone_headers import unknown_names
from services.domain.logging_api.event import LoggedBy, parse_log_steps, result_of
from services.ports import Clock, EventSink
from services.proxy.errors import MalformedRequest, RequestTooSlow
from services.proxy.exchange.key_cache import AuthResult, KeyCheck
from services.proxy.exchange.memory_budget import BudgetLimits, MemoryBudget
from services.proxy.exchange.paced_work import SMALL_BYTES, PacedWork
from services.proxy.log_conflicts import LogConflicts
from services.telemetry import Metrics

MAX_BYTES: Final = 10 * 2**20  # of one log
MAX_ARRIVING_BYTES: Final = 64 * 2**20  # of all logs on their way into the event log, but for small ones
UNCOUNTED_BYTES: Final = 64 * 2**10  # of a small one, which a connection may hold anyway
MAX_ARRIVING_SHARE: Final = 0.75  # of that, of one organization's
MAX_WAITING: Final = 1000  # logs, for memory
ORGANIZATION_WAITING: Final = 250  # of these, one organization's
WAIT_S: Final = 10.0  # for memory
BODY_S: Final = 60.0  # for a log to arrive

Receive = Callable[[], Awaitable[dict[str, Any]]]


class LoggedCallIntake:
    """One for the process."""

    def __init__(
        self,
        *,
        keys: KeyCheck,
        conflicts: LogConflicts,
        sink: EventSink,
        clock: Clock,
        draw_id: Callable[[datetime], str],
        metrics: Metrics,
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
        for name in unknown_names(head.unsupported):
            self._metrics.add_unknown_header(name)
        if (head.body_bytes or 0) > MAX_BYTES:
            raise _too_large()
        size_bytes = MAX_BYTES if head.chunked else head.body_bytes or 0
        if size_bytes <= UNCOUNTED_BYTES:
            return await self._record(head, owner, provider, receive)
        async with self._memory.reserved(owner.organization_id, size_bytes):
            return await self._record(head, owner, provider, receive)

    async def _record(self, head: Head, owner: KeyOwner, provider: str, receive: Receive) -> str:
        event, is_named = await self._event(head, owner, provider, receive)
        if is_named:
            await self._conflicts.check(event)
        self._count(event)
        await self._publish(event)
        return event.request.request_id

    async def _event(self, head: Head, owner: KeyOwner, provider: str, receive: Receive) -> tuple[ExchangeEvent, bool]:
        """The event of the call, and whether the client chose its id."""
        payload = await self._payload(receive)
        now = self._clock.now()
        drawn_id = self._draw_id(now)
        steps = parse_log_steps(
            payload,
            LoggedBy(
                organization_id=owner.organization_id,
                key_id=owner.key_id,
                provider=provider,
                helicone_headers=head.helicone_headers,
            ),
            drawn_id=drawn_id,
            now=now,
            capture_bytes=self._capture_bytes,
        )
        if len(payload) > SMALL_BYTES:
            event = await self._paced.result_of(owner.organization_id, steps)
        else:
            event = result_of(steps)
        return event, event.request.request_id != drawn_id

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
        try:
            await self._sink.publish(event)
        except BrokerUnavailable as error:
            raise BrokerUnavailable("the call could not be recorded; log it again") from error


def _too_large() -> TooLarge:
    return TooLarge(f"Payload too large: a log may have {MAX_BYTES} bytes")
