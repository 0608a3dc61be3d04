"""The writing end of the Kafka log. While Kafka is unreachable, a journal file keeps events, which are sent later."""

import asyncio
import time
from collections.abc import Awaitable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple, Self

from schemas.errors import BrokerUnavailable
from schemas.log_entry import LogEntry, encode_entry, recorded_since
from schemas.seal import Held
from services.ports.log import ProgressStore
from services.stores.durability import DurabilityAck, LossReporter
from services.stores.journal.intake import Intake, Mark
from services.stores.kafka.announcer import Announcer
from services.stores.kafka.client import PREFIX, Entry, broker_list, entry_of, events_topic
from services.stores.kafka.producer import KafkaWriter
from services.stores.kafka.shrink import shortened
from services.stores.kafka.spill import Spill
from services.telemetry.metrics import Metrics

LINGER_S = 0.005
SHIPMENT_BYTES = 8 * 2**20


class SinkLimits(NamedTuple):
    """`delivery_timeout_s`: how long Kafka may take to acknowledge. `queue_bytes`: how much may wait for that.

    `first_connect_s`: how long a start waits, so that a Kafka that is there is used from the first event on.
    """

    delivery_timeout_s: float = 30.0
    queue_bytes: int = 256 * 2**20
    close_timeout_s: float = 10.0
    first_connect_s: float = 3.0


class _Group:
    """Events that travel together."""

    __slots__ = ("ack", "born_s", "entries", "mark", "published_s", "since", "size_bytes", "uncovered")

    def __init__(self, ack: DurabilityAck) -> None:
        self.entries: list[Entry] = []
        self.published_s: list[float] = []
        self.size_bytes = 0
        self.uncovered = 0  # events that a killed process would have lost
        self.mark = Mark(0, 0)  # behind its last event in the intake
        self.ack = ack
        self.born_s = time.monotonic()
        self.since: datetime | None = None  # when the oldest was recorded

    @property
    def held(self) -> Held:
        return Held(events=len(self.entries), since=self.since)


class KafkaSink:
    """An EventSink on Kafka. It starts and serves while Kafka is unreachable. All methods belong to one event loop.

    An event is with the operating system when `publish` returns; what a killed process leaves there is taken over by
    the next one with the same spill file, or by another that lives.

    What Kafka has not acknowledged in time, or what makes half of the queue, goes to the spill journal and from
    there to Kafka when it is back; so an event may arrive twice. Above the whole queue events are given up.
    """

    @classmethod
    async def open(
        cls,
        brokers: str,
        *,
        spill: str | Path,
        metrics: Metrics,
        prefix: str = PREFIX,
        limits: SinkLimits = SinkLimits(),  # noqa: B008  # a frozen value
        progress: ProgressStore | None = None,
    ) -> Self:
        """`brokers` is HOST:PORT[,HOST:PORT...], `spill` the file that takes over while they are unreachable.

        What waits to be sent is announced in `progress`, which closes with the sink.
        Raises: InvalidSetting; BrokerUnavailable when `spill` cannot be opened, but not when Kafka is unreachable.
        """
        shorten = partial(shortened, metrics)
        writer = KafkaWriter(broker_list(brokers), events_topic(prefix), shorten=shorten)
        sink = cls(writer, spill=spill, metrics=metrics, limits=limits)
        await writer.connected_within(limits.first_connect_s)
        if progress is not None:
            sink._announcer = Announcer(progress, Path(spill), sink)
            await sink._announcer.start()
        return sink

    def __init__(self, writer: KafkaWriter, *, spill: str | Path, metrics: Metrics, limits: SinkLimits) -> None:
        self._writer = writer
        self._metrics = metrics
        self._losses = LossReporter(metrics)
        self._limits = limits
        self._spill = Spill(
            spill,
            writer,
            metrics=metrics,
            queue_bytes=limits.queue_bytes,
            delivery_timeout_s=limits.delivery_timeout_s,
        )
        self._intake = Intake(Path(spill), metrics=metrics)
        self._announcer: Announcer | None = None
        self._unsettled: dict[_Group, None] = {}  # neither in Kafka nor in the spill, in order
        self._left = Held()  # given up: in the intake at most
        self._group: _Group | None = None
        self._held_bytes = 0
        self._closed = False
        self._sealed: asyncio.Queue[_Group | None] = asyncio.Queue()
        self._shipping: asyncio.Future[None] | None = None
        self._shipper = asyncio.create_task(self._ship_until_closed())

    @property
    def held(self) -> Held:
        """Events that were published here and are not known to be in Kafka."""
        held = self._spill.held.plus(self._left)
        for group in self._unsettled:
            held = held.plus(group.held)
        return held

    @property
    def is_drained(self) -> bool:
        """Whether all that anybody left at the spill was sent when somebody last looked, a short time ago."""
        return self._spill.is_drained

    @property
    def intake_name(self) -> str:
        return self._intake.name

    def publish(self, event: LogEntry) -> Awaitable[None]:
        payload = encode_entry(event)
        size_bytes = len(payload)
        self._metrics.add("log_published_total")
        if self._closed or self._held_bytes + size_bytes > self._limits.queue_bytes:
            return self._refuse()
        self._held_bytes += size_bytes
        if 2 * self._held_bytes > self._limits.queue_bytes:
            self._stop_waiting()
        group = self._group or self._open_group()
        if not self._intake.add(payload):
            group.uncovered += 1
        group.entries.append(entry_of(event, payload))
        since = recorded_since(event)
        if group.since is None or since < group.since:
            group.since = since
        group.published_s.append(time.monotonic())
        group.size_bytes += size_bytes
        if group.size_bytes >= SHIPMENT_BYTES:
            self._seal()
        return group.ack

    async def close(self) -> None:
        self._closed = True
        self._seal()
        self._sealed.put_nowait(None)
        await asyncio.wait((self._shipper,), timeout=self._limits.close_timeout_s)
        self._limits = self._limits._replace(delivery_timeout_s=0)
        self._stop_waiting()
        await asyncio.wait((self._shipper,), timeout=self._limits.close_timeout_s)
        await self._spill.close()
        await self._shipper
        self._intake.close()
        await self._writer.close()
        if self._announcer is not None:
            await self._announcer.close()
        self._losses.log("the log was closed")

    def _open_group(self) -> _Group:
        loop = asyncio.get_running_loop()
        self._group = group = _Group(DurabilityAck(loop))
        self._unsettled[group] = None
        loop.call_later(LINGER_S, self._seal, group)
        return group

    def _seal(self, group: _Group | None = None) -> None:
        """Lets the group that is open go; a timer that comes late must not touch the one after its own."""
        if self._group is not None and group in (None, self._group):
            self._group.mark = self._intake.mark
            self._sealed.put_nowait(self._group)
            self._group = None

    def _refuse(self) -> DurabilityAck:
        error = BrokerUnavailable("the log is closed" if self._closed else "neither Kafka nor the disk keeps up")
        self._losses.add(1, error)
        ack = DurabilityAck(asyncio.get_running_loop())
        ack.fail(error)
        return ack

    def _stop_waiting(self) -> None:
        if self._shipping is not None:
            self._shipping.cancel()

    async def _ship_until_closed(self) -> None:
        # One shipment at a time. What comes meanwhile makes the next one larger, so a slow broker gets fewer of them.
        is_open = is_complete = True
        while is_open:
            queued = [await self._sealed.get()]
            while not self._sealed.empty() and sum(group.size_bytes for group in queued if group) < SHIPMENT_BYTES:
                queued.append(self._sealed.get_nowait())
            is_open = None not in queued
            groups = [group for group in queued if group is not None]
            if not groups:
                continue
            if await self._delivered(groups):
                self._settle(groups)
            else:
                is_complete &= all(await asyncio.gather(*map(self._put_aside, groups)))
            # What was given up stays in the intake, and so does what follows it: the next one to open takes over.
            if is_complete:
                self._intake.release(groups[-1].mark)

    async def _delivered(self, groups: list[_Group]) -> bool:
        entries = [entry for group in groups for entry in group.entries]
        left_s = groups[0].born_s + self._limits.delivery_timeout_s - time.monotonic()
        if left_s <= 0 or not self._writer.is_connected:
            return False
        self._shipping = shipping = asyncio.ensure_future(self._writer.ship(entries))
        await asyncio.wait((shipping,), timeout=left_s)
        if shipping.cancel():
            await asyncio.wait((shipping,))
        self._shipping = None
        return not shipping.cancelled() and shipping.exception() is None

    def _settle(self, groups: list[_Group]) -> None:
        for group in groups:
            del self._unsettled[group]
            self._held_bytes -= group.size_bytes
            self._metrics.add("log_durable_total", len(group.entries))
            self._observe(group)
            group.ack.settle()

    async def _put_aside(self, group: _Group) -> bool:
        """Makes `group` durable in the journal, which counts that; whether it could be."""
        try:
            await self._spill.keep([entry.payload for entry in group.entries], group.held)
        except BrokerUnavailable as error:
            self._left = self._left.plus(group.held)
            self._losses.add(group.uncovered, error)
            self._losses.left_over(len(group.entries) - group.uncovered, error)
            group.ack.fail(error)
            return False
        finally:
            del self._unsettled[group]
            self._held_bytes -= group.size_bytes
        self._observe(group)
        group.ack.settle()
        return True

    def _observe(self, group: _Group) -> None:
        self._metrics.observe_durable(group.published_s, time.monotonic())
