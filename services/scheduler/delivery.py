"""Deliveries: what is in the outbox goes out, each to its channel, again with backoff where that fails."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final

from schemas.channel import Attempt, AttemptOutcome, Claim, SendOutcome, SendResult
from schemas.errors import Unavailable
from services.domain.channels.retries import after_attempt
from services.domain.messages.render import message_of
from services.ports.clock import Clock
from services.ports.notices import DeliveryQueue, Notifier
from services.retry import RetryPolicy, retry
from services.telemetry.metrics import Metrics

logger = logging.getLogger("farebox.scheduler")

# Much longer than an attempt takes: what is claimed for longer was killed, and is attempted again.
CLAIM: Final = timedelta(minutes=2)
# Longer than the longest period that an alert or a budget is about, so that none of its notices is made anew.
KEPT: Final = timedelta(days=400)
_AT_ONCE: Final = 20
_INTERVAL_S: Final = 1.0
_KEEP: Final = RetryPolicy(first_delay_s=0.1, last_delay_s=2, give_up_after_s=30)


class Deliveries:
    """Sends what is due. Any number of processes may do so: each delivery is claimed by one."""

    def __init__(
        self,
        queue: DeliveryQueue,
        notifier: Notifier,
        *,
        clock: Clock,
        metrics: Metrics,
        draw: Callable[[], float],
        public_url: str = "",
    ) -> None:
        """`draw` returns a random number of 0 to 1. `public_url` is where people reach the dashboard; '' for none."""
        self._queue = queue
        self._notifier = notifier
        self._clock = clock
        self._metrics = metrics
        self._draw = draw
        self._public_url = public_url
        self._forgets_at = datetime.min.replace(tzinfo=UTC)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; what is being sent then is sent to its end. A slow receiver keeps no other waiting."""
        stopping = asyncio.create_task(stop.wait())
        attempts: set[asyncio.Task[None]] = set()
        while not stop.is_set():
            begun = await self._begin(self._clock.now(), _AT_ONCE - len(attempts))
            attempts.update(begun)
            if not begun:
                await asyncio.wait({stopping, *attempts}, timeout=_INTERVAL_S, return_when=asyncio.FIRST_COMPLETED)
            attempts = {attempt for attempt in attempts if not _is_over(attempt)}
        await asyncio.gather(*attempts)

    async def run_once(self, now: datetime) -> int:
        """Attempts what is due, some at once; how many these were."""
        attempts = await self._begin(now, _AT_ONCE)
        await asyncio.gather(*attempts)
        return len(attempts)

    async def _begin(self, now: datetime, limit: int) -> list[asyncio.Task[None]]:
        """The attempts at what is due, `limit` of them; none while the outbox is unavailable."""
        if not limit:
            return []
        try:
            await self._forget_old(now)
            claims = await self._queue.claim(at=now, until=now + CLAIM, limit=limit)
        except Unavailable as error:
            logger.warning("the outbox is unavailable", extra={"reason": str(error)})
            return []
        return [asyncio.create_task(self._attempt(claim, now)) for claim in claims]

    async def _forget_old(self, now: datetime) -> None:
        """Once a day what ended long ago."""
        if now >= self._forgets_at:
            await self._queue.forget(before=now - KEPT)
            self._forgets_at = now + timedelta(days=1)

    async def _attempt(self, claim: Claim, now: datetime) -> None:
        began_s = monotonic()
        result = await self._send(claim)
        age_s = (now - claim.created_at).total_seconds()
        outcome, delay_s = after_attempt(result, attempt=claim.number, age_s=age_s, draw=self._draw())
        attempt = Attempt(
            number=claim.number,
            at=now,
            outcome=outcome,
            status=result.status,
            duration_ms=round((monotonic() - began_s) * 1000),
            error=result.error,
        )
        kind = "removed" if claim.channel is None else claim.channel.kind.value
        self._metrics.add_delivery(kind, outcome.value)
        if outcome is AttemptOutcome.FAILED:
            logger.warning("notice given up", extra={"channel": kind, "reason": result.error})
        due_at = now + timedelta(seconds=delay_s) if outcome is AttemptOutcome.RETRYING else None
        with contextlib.suppress(Unavailable):  # then the claim expires, and the message is sent again
            await retry(
                lambda: self._queue.end_attempt(claim, attempt, due_at=due_at),
                _KEEP,
                logger=logger,
                message="what became of a message cannot be kept yet",
            )

    async def _send(self, claim: Claim) -> SendResult:
        if claim.problem or claim.notice is None:
            return SendResult(outcome=SendOutcome.FAILED, error=claim.problem)
        if claim.channel is None:
            return SendResult(outcome=SendOutcome.REFUSED, error="the channel was removed")
        try:
            message = message_of(claim.notice, claim.channel, self._public_url)
            return await self._notifier.send(claim.channel, claim.secret, message)
        except Exception as fault:
            # Of ours, that one notice reveals: it must not keep the others from being sent.
            logger.exception("a notice cannot be sent")
            return SendResult(outcome=SendOutcome.FAILED, error=f"a fault of Farebox: {type(fault).__name__}")


def _is_over(attempt: asyncio.Task[None]) -> bool:
    """Raises: what it raised, which is a fault of ours."""
    if attempt.done():
        attempt.result()
    return attempt.done()
