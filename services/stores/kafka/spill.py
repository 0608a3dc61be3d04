"""Where events wait while Kafka is unreachable: a journal file, drained into Kafka when it is back."""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Sequence
from pathlib import Path

from schemas.errors import BrokerUnavailable, PoisonMessage
from schemas.event import DeadLetter, Delivery
from schemas.log_entry import decode_entry
from schemas.seal import Held
from services.stores.durability import LossReporter
from services.stores.journal.files import JournalFiles
from services.stores.journal.recovery import Recovery
from services.stores.journal.sink import JournalSink
from services.stores.journal.source import JournalSource
from services.stores.kafka.client import Entry, entry_of
from services.stores.kafka.producer import KafkaWriter
from services.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

POLL_S = 1.0
LOOK_S = 30.0  # how long what another proxy left may lie there
MISHAP_S = 30.0  # before the next attempt after an error that nobody expects
GROUP_S = 0.005
BATCH_EVENTS = 2000
BATCH_BYTES = 4 * 2**20


class Spill:
    """The journal at `path`. Proxies may share one: whichever comes first carries on what all of them left there."""

    def __init__(
        self, path: str | Path, writer: KafkaWriter, *, metrics: Metrics, queue_bytes: int, delivery_timeout_s: float
    ) -> None:
        """Raises: BrokerUnavailable when the file cannot be opened."""
        self._path = path
        self._writer = writer
        self._losses = LossReporter(metrics)
        self._delivery_timeout_s = delivery_timeout_s
        # What comes here is covered until it is durable by who brings it.
        self._sink = JournalSink(path, metrics=metrics, group_s=GROUP_S, queue_bytes=queue_bytes, intake_bytes=0)
        self._recovery = Recovery(Path(path), metrics)
        self._look_at_s = 0.0  # at once: there may be events from an earlier life of the process
        self.held = Held()  # brought here, and not known to be in Kafka
        self._kept_events = 0
        self._emptied_s = -math.inf
        self._carrier = asyncio.create_task(self._carry_on())

    @property
    def is_drained(self) -> bool:
        """Whether all that anybody left here was sent when somebody last looked, a short time ago."""
        return not self.held.events and time.monotonic() - self._emptied_s < 2 * LOOK_S

    async def keep(self, payloads: Sequence[bytes], held: Held) -> None:
        """Returns when these encoded events are durable. Raises: BrokerUnavailable when some were given up."""
        self.held = self.held.plus(held)
        self._kept_events += len(payloads)
        acks = {self._sink.append(payload) for payload in payloads}
        try:
            for ack in acks:
                await ack
        finally:
            # Only now: a carrier that looked before they were written would find nothing, and not look again for long.
            self._look_at_s = 0.0

    async def close(self) -> None:
        """Returns when everything appended is durable or given up."""
        self._carrier.cancel()
        await asyncio.wait((self._carrier,))
        await self._sink.close()

    async def _carry_on(self) -> None:
        while True:
            if self._writer.is_connected and time.monotonic() >= self._look_at_s:
                self._look_at_s = time.monotonic() + LOOK_S
                try:
                    await self._carry_all()
                except BrokerUnavailable as error:
                    self._look_at_s = 0.0
                    logger.debug("spilled events wait", extra={"reason": str(error)})
                except Exception:
                    # A bug of ours, which must not hold back until the next start what may well travel later.
                    self._look_at_s = 0.0
                    logger.exception("spilled events could not be carried")
                    await asyncio.sleep(MISHAP_S)
            await asyncio.sleep(POLL_S)

    async def _carry_all(self) -> None:
        kept_events = self._kept_events
        await asyncio.to_thread(self._recover)
        await self._empty()
        if self._kept_events == kept_events:
            self.held = Held()
            self._emptied_s = time.monotonic()

    def _recover(self) -> None:
        _, connection = JournalFiles(self._path).open_newest()
        with contextlib.closing(connection):
            self._recovery.attempt(lambda: connection)

    async def _empty(self) -> None:
        # A source of its own each time: what was taken and not acknowledged comes again to the next.
        source = await asyncio.to_thread(JournalSource, self._path, consumer="kafka", keep_s=0)
        carried = 0
        try:
            while deliveries := await source.take(max_events=BATCH_EVENTS, max_bytes=BATCH_BYTES, wait_s=0):
                await self._carry(source, deliveries)
                carried += len(deliveries)
        finally:
            await source.close()
            if carried:
                logger.info("spilled events carried to kafka", extra={"count": carried})

    async def _carry(self, source: JournalSource, deliveries: Sequence[Delivery]) -> None:
        entries: list[Entry] = []
        for delivery in deliveries:
            try:
                entries.append(entry_of(decode_entry(delivery.payload), delivery.payload))
            except PoisonMessage as error:
                await self._write_dead_letter(source, delivery, error)
        try:
            # Not `wait_for`: a cancellation that meets its end is lost there, and the carrier would go on for ever.
            async with asyncio.timeout(self._delivery_timeout_s):
                await self._writer.ship(entries)
        except TimeoutError as error:
            raise BrokerUnavailable("Kafka does not acknowledge") from error
        await source.commit()

    async def _write_dead_letter(self, source: JournalSource, delivery: Delivery, error: PoisonMessage) -> None:
        dead_letter = DeadLetter(
            payload=delivery.payload, position=delivery.position, code=error.code, reason=str(error)
        )
        await source.write_dead_letters([dead_letter])
        self._losses.add(1, BrokerUnavailable(f"spilled events damaged at {delivery.position}"))
