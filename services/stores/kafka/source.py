"""The reading end of the Kafka log: one member of a consumer group, which commits only what it handed over."""

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from typing import Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from schemas.errors import BrokerUnavailable, LogTruncated
from schemas.event import DeadLetter, Delivery
from services.stores.kafka.client import (
    CALL_TIMEOUT_S,
    MAX_MESSAGE_BYTES,
    PREFIX,
    REQUEST_TIMEOUT_MS,
    Entry,
    broker_list,
    dead_letters_topic,
    events_topic,
    kafka_call,
)
from services.stores.kafka.producer import KafkaWriter

logger = logging.getLogger(__name__)

FETCH_RECORDS = 250  # the client counts records, not bytes, so few are fetched at a time
FETCH_BYTES = 32 * 2**20
SESSION_TIMEOUT_MS = 10_000


class KafkaSource:
    """An EventSource on Kafka. Members of one `group` share the partitions; when one leaves, the others take over."""

    @classmethod
    async def open(cls, brokers: str, *, group: str, prefix: str = PREFIX) -> Self:
        """Returns when the member has its partitions. Raises: InvalidSetting, BrokerUnavailable."""
        listed = broker_list(brokers)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=listed,
            client_id="farebox",
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="none",  # where a new group starts is decided below; a deleted position is an error
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=MAX_MESSAGE_BYTES + 2**16,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            session_timeout_ms=SESSION_TIMEOUT_MS,
        )
        source = cls(consumer, listed, prefix)
        consumer.subscribe([events_topic(prefix)], listener=_Forget(source))
        try:
            await kafka_call(consumer.start(), "join the consumer group")
        except BaseException:
            await source.close()
            raise
        return source

    def __init__(self, consumer: AIOKafkaConsumer, brokers: Sequence[str], prefix: str) -> None:
        self._consumer = consumer
        self._brokers = brokers
        self._dead_letters_topic = dead_letters_topic(prefix)
        self._dead_letter_writer: KafkaWriter | None = None
        self._arrived: list[ConsumerRecord] = []  # from the client, not handed over yet
        self._taken: dict[TopicPartition, int] = {}  # the next offset of what was handed over and not committed

    async def take(self, *, max_events: int, max_bytes: int, wait_s: float) -> Sequence[Delivery]:
        """As the port says. Raises: LogTruncated when the log no longer holds what comes next."""
        deadline_s = time.monotonic() + wait_s
        size_bytes = sum(len(record.value or b"") for record in self._arrived)
        while len(self._arrived) < max_events and size_bytes < max_bytes:
            left_s = 0.0 if self._arrived else max(0.0, deadline_s - time.monotonic())
            chunk = await self._fetch(min(FETCH_RECORDS, max_events - len(self._arrived)), left_s)
            if not chunk and (self._arrived or time.monotonic() >= deadline_s):
                break
            self._arrived += chunk
            size_bytes += sum(len(record.value or b"") for record in chunk)
        return self._hand_over()

    async def commit(self) -> None:
        taken = dict(self._taken)
        if not taken:
            return
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await self._consumer.commit(taken)
        except (CommitFailedError, IllegalStateError):
            # Partitions that moved on: whoever has them now gets those entries again.
            logger.info("partitions were reassigned before a commit", extra={"count": len(taken)})
            return
        except (KafkaError, OSError, TimeoutError) as error:
            raise BrokerUnavailable(f"Kafka, commit: {error!r}") from error
        for partition, offset in taken.items():
            if self._taken.get(partition) == offset:
                del self._taken[partition]

    async def write_dead_letters(self, dead_letters: Sequence[DeadLetter]) -> None:
        if not dead_letters:
            return
        if self._dead_letter_writer is None:
            self._dead_letter_writer = KafkaWriter(self._brokers, self._dead_letters_topic)
        await self._dead_letter_writer.connected_within(CALL_TIMEOUT_S)
        await kafka_call(
            self._dead_letter_writer.ship([_dead_letter_entry(dead_letter) for dead_letter in dead_letters]),
            "write_dead_letters",
        )

    async def backlog(self) -> int:
        """Entries of this member's partitions that the group has not committed. Raises: BrokerUnavailable."""
        return await kafka_call(self._count_uncommitted(), "backlog")

    async def close(self) -> None:
        if self._dead_letter_writer is not None:
            await self._dead_letter_writer.close()
        try:
            await kafka_call(self._consumer.stop(), "leave the consumer group")
        except BrokerUnavailable as error:
            logger.warning("consumer group not left in order", extra={"reason": str(error)})

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """These are not ours any more, or will be given again from what was committed."""
        lost = set(partitions)
        self._taken = {partition: offset for partition, offset in self._taken.items() if partition not in lost}
        self._arrived = [r for r in self._arrived if TopicPartition(r.topic, r.partition) not in lost]

    async def _fetch(self, max_records: int, wait_s: float) -> list[ConsumerRecord]:
        fetching = self._consumer.getmany(timeout_ms=int(wait_s * 1000), max_records=max_records)
        try:
            # During a rebalance the client waits for its end, however long that takes.
            async with asyncio.timeout(wait_s + 1):
                fetched = await fetching
        except TimeoutError:
            return []
        except NoOffsetForPartitionError as error:
            # A group that never committed here starts with the oldest entry.
            await kafka_call(self._consumer.seek_to_beginning(*error.args), "seek")
            return []
        except OffsetOutOfRangeError as error:
            raise LogTruncated(f"entries were deleted before they were consumed, next were {error.args[0]}") from error
        except (KafkaError, OSError) as error:
            raise BrokerUnavailable(f"Kafka, fetch: {error!r}") from error
        return [record for records in fetched.values() for record in records]

    def _hand_over(self) -> list[Delivery]:
        deliveries = []
        for record in self._arrived:
            self._taken[TopicPartition(record.topic, record.partition)] = record.offset + 1
            position = f"{record.topic}:{record.partition}:{record.offset}"
            deliveries.append(Delivery(payload=record.value or b"", position=position))
        self._arrived = []
        return deliveries

    async def _count_uncommitted(self) -> int:
        partitions = self._consumer.assignment()
        # At once: each alone waits for the broker's response to the fetch before it, half a second when nothing comes.
        first, last = await asyncio.gather(
            self._consumer.beginning_offsets(partitions), self._consumer.end_offsets(partitions)
        )
        committed = [(partition, await self._consumer.committed(partition)) for partition in partitions]
        return sum(last[partition] - max(offset or 0, first[partition]) for partition, offset in committed)


class _Forget(ConsumerRebalanceListener):  # type: ignore[misc]  # the client has no types
    def __init__(self, source: KafkaSource) -> None:
        self._source = source

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._source.forget(revoked)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._source.forget(assigned)


def _dead_letter_entry(dead_letter: DeadLetter) -> Entry:
    headers = (
        ("position", dead_letter.position.encode()),
        ("code", dead_letter.code.encode()),
        ("reason", dead_letter.reason.encode()),
    )
    return Entry(dead_letter.position.encode(), dead_letter.payload, headers)
