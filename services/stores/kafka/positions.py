"""Where the Kafka log stands: what the worker group has committed, and the ends of the partitions."""

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schemas.errors import BrokerUnavailable
from schemas.seal import LogPosition, LogSnapshot
from services.stores.kafka.client import (
    PREFIX,
    REQUEST_TIMEOUT_MS,
    broker_list,
    dead_letters_topic,
    events_topic,
    kafka_call,
)

Offsets = Mapping[TopicPartition, int]


class KafkaPositions:
    """LogPositions of the Kafka at `brokers`, as the workers of `group` have counted it; it joins no group.

    Connects when first used. What writers hold is not seen from here: they announce it.
    """

    def __init__(self, brokers: str, *, group: str, prefix: str = PREFIX) -> None:
        """Raises: InvalidSetting."""
        self._brokers = broker_list(brokers)
        self._group = group
        self._events = events_topic(prefix)
        self._topics = [self._events, dead_letters_topic(prefix)]
        self._admin: AIOKafkaAdminClient | None = None
        self._consumer: AIOKafkaConsumer | None = None
        self._turn = asyncio.Lock()

    async def snapshot(self) -> LogSnapshot:
        async with self._turn:
            return await kafka_call(self._snapshot(), "where the log stands")

    async def close(self) -> None:
        admin, self._admin = self._admin, None
        consumer, self._consumer = self._consumer, None
        if admin is not None:
            await kafka_call(admin.close(), "disconnect")
        if consumer is not None:
            await kafka_call(consumer.stop(), "disconnect")

    async def _snapshot(self) -> LogSnapshot:
        admin, consumer = await self._connected()
        partitions = await self._partitions(admin)
        first, last = await asyncio.gather(consumer.beginning_offsets(partitions), consumer.end_offsets(partitions))
        committed = await admin.list_consumer_group_offsets(self._group)
        counted = {partition: at.offset for partition, at in committed.items() if at.offset >= 0}
        return self._standing(first, last, counted)

    def _standing(self, first: Offsets, last: Offsets, counted: Offsets) -> LogSnapshot:
        return LogSnapshot(
            positions={
                f"{partition.topic}:{partition.partition}": LogPosition(
                    # A group that never committed begins with the oldest entry.
                    counted=counted.get(partition, first[partition]),
                    end=end,
                )
                for partition, end in last.items()
                if partition.topic == self._events
            },
            dead_letters=sum(end - first[one] for one, end in last.items() if one.topic != self._events),
        )

    async def _partitions(self, admin: AIOKafkaAdminClient) -> Sequence[TopicPartition]:
        """Raises: BrokerUnavailable."""
        topics = await admin.describe_topics(self._topics)
        found = [TopicPartition(one["topic"], part["partition"]) for one in topics for part in one["partitions"]]
        if not any(partition.topic == self._events for partition in found):
            raise BrokerUnavailable(f"Kafka: topic {self._events} is missing")
        return found

    async def _connected(self) -> tuple[AIOKafkaAdminClient, AIOKafkaConsumer]:
        if self._admin is None:
            admin = AIOKafkaAdminClient(
                bootstrap_servers=self._brokers, client_id="farebox", request_timeout_ms=REQUEST_TIMEOUT_MS
            )
            try:
                await admin.start()
            except BaseException:
                await admin.close()
                raise
            self._admin = admin
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._brokers,
                client_id="farebox",
                enable_auto_commit=False,
                request_timeout_ms=REQUEST_TIMEOUT_MS,
            )
            try:
                await consumer.start()
            except BaseException:
                await consumer.stop()
                raise
            self._consumer = consumer
        return self._admin, self._consumer
