"""Writing to one topic of Kafka, acknowledged by all replicas in sync. A connection that fails is replaced."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any
from zlib import crc32

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder

from schemas.errors import BrokerUnavailable
from services.retry import RetryPolicy, retry
from services.stores.kafka.client import (
    BATCH_BYTES,
    MAX_ENTRY_BYTES,
    MAX_MESSAGE_BYTES,
    REQUEST_TIMEOUT_MS,
    Entry,
    kafka_call,
)

logger = logging.getLogger(__name__)

RETRY = RetryPolicy(first_delay_s=0.1, last_delay_s=3.0)
HANG_UP_S = 1.0

Shorten = Callable[[Entry, int], Entry]  # to so many bytes, if that can be


class KafkaWriter:
    """An idempotent producer for `topic`, connecting in the background from the start.

    A producer that failed once is given up whole: its numbering of batches has a gap that the broker would refuse.
    `shorten` is kafka_call for a smaller form of entries that are larger than a message may be.
    """

    def __init__(
        self, brokers: Sequence[str], topic: str, *, shorten: Shorten = lambda entry, _max_bytes: entry
    ) -> None:
        self._brokers = list(brokers)
        self._topic = topic
        self._shorten = shorten
        self._max_entry_bytes = MAX_ENTRY_BYTES
        self._producer: AIOKafkaProducer | None = None
        self._connected = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._spawn(self._connect())

    @property
    def is_connected(self) -> bool:
        return self._producer is not None

    async def connected_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._connected.wait()
        return self.is_connected

    async def ship(self, entries: Sequence[Entry]) -> None:
        """Returns when all are acknowledged; waits for that as long as it takes, so clients set the limit.

        After a failure, and when cancelled, each entry may be in the log or not. Raises: BrokerUnavailable.
        """
        producer = self._producer
        if producer is None:
            raise BrokerUnavailable(f"Kafka at {','.join(self._brokers)} is unreachable")
        try:
            await self._send(producer, entries)
        except asyncio.CancelledError:
            self._replace(producer, "no acknowledgement in time")
            raise
        except Exception as error:
            # Whatever it is, its assertions included: the events are still to be put somewhere safe.
            if isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError):
                self._max_entry_bytes = BATCH_BYTES  # the topic was made by somebody else, for smaller messages
            self._replace(producer, repr(error))
            raise BrokerUnavailable(f"Kafka, write {self._topic}: {error!r}") from error

    async def close(self) -> None:
        """Does not wait for what was not acknowledged."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(BrokerUnavailable):
                await kafka_call(producer.stop(), "disconnect")

    async def _send(self, producer: AIOKafkaProducer, entries: Sequence[Entry]) -> None:
        partitions = len(await producer.partitions_for(self._topic))
        acknowledged = []
        for partition, batch in self._batches(producer, entries, partitions):
            future = await producer.send_batch(batch, self._topic, partition=partition)
            future.add_done_callback(_seen)
            acknowledged.append(future)
        for future in acknowledged:
            await future

    def _batches(
        self, producer: AIOKafkaProducer, entries: Sequence[Entry], partitions: int
    ) -> list[tuple[int, BatchBuilder]]:
        # Batches made here: the client's own `send` hashes keys in Python and wakes every waiting task for each batch.
        timestamp_ms = time.time_ns() // 1_000_000
        latest: dict[int, BatchBuilder] = {}
        batches: list[tuple[int, BatchBuilder]] = []
        for entry in entries:
            key, payload, headers = self._fitting(entry)
            partition = crc32(key) % partitions
            batch = latest.get(partition)
            message = {"timestamp": timestamp_ms, "key": key, "value": payload, "headers": list(headers)}
            if batch is None or batch.append(**message) is None:
                batch = latest[partition] = producer.create_batch()
                batch.append(**message)
                batches.append((partition, batch))
        return batches

    def _fitting(self, entry: Entry) -> Entry:
        max_bytes = self._max_entry_bytes
        return self._shorten(entry, max_bytes) if len(entry.payload) > max_bytes else entry

    def _replace(self, producer: AIOKafkaProducer, reason: str) -> None:
        is_current = self._producer is producer
        if not is_current:
            return
        logger.warning("kafka failed, reconnecting", extra={"topic": self._topic, "reason": reason})
        self._producer = None
        self._connected.clear()
        self._spawn(_retire(producer))
        self._spawn(self._connect())

    async def _connect(self) -> None:
        message = f"kafka is unreachable, retrying: topic {self._topic}"
        self._producer = await retry(self._start_producer, RETRY, logger=logger, message=message)
        self._connected.set()
        logger.info("kafka connected", extra={"topic": self._topic})

    async def _start_producer(self) -> AIOKafkaProducer:
        """Raises: BrokerUnavailable."""
        try:
            return await self._started_producer()
        except BrokerUnavailable:
            raise
        except Exception as error:
            # A bug of the client's must not keep events in the spill until the next start.
            logger.exception("kafka client failed", extra={"topic": self._topic})
            raise BrokerUnavailable(f"Kafka, connect: {error!r}") from error

    async def _started_producer(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._brokers,
            client_id="farebox",
            acks="all",
            enable_idempotence=True,
            compression_type="zstd",
            max_batch_size=BATCH_BYTES,
            max_request_size=MAX_MESSAGE_BYTES,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )
        try:
            await kafka_call(producer.start(), "connect")
            await kafka_call(producer.partitions_for(self._topic), f"topic {self._topic}")
        except BaseException:
            await producer.stop()
            raise
        return producer

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _retire(producer: AIOKafkaProducer) -> None:
    """Ends when the broker is back and has what `producer` still holds, a second time perhaps; or when cancelled."""
    try:
        await producer.stop()
    finally:
        # The client waits until what it wrote has left, which a silent broker may never take.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HANG_UP_S):
                await producer.client.close()


def _seen(future: "asyncio.Future[Any]") -> None:
    """A failure that nobody waits for any more is not worth asyncio's complaint."""
    if not future.cancelled():
        future.exception()
