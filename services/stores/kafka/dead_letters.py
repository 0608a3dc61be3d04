"""The dead letters of a Kafka log, which have a topic of their own."""

from collections.abc import AsyncIterator, Sequence
from typing import Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from schemas.event import DeadLetter
from services.stores.kafka.client import (
    MAX_MESSAGE_BYTES,
    PREFIX,
    REQUEST_TIMEOUT_MS,
    broker_list,
    dead_letters_topic,
    kafka_call,
)

FETCH_RECORDS = 10  # each may hold megabytes


class KafkaDeadLetters:
    """DeadLetters in their topic. ParsedResponse moves nothing: there is no group."""

    @classmethod
    async def open(cls, brokers: str, *, prefix: str = PREFIX) -> Self:
        """Raises: InvalidSetting, BrokerUnavailable."""
        consumer = AIOKafkaConsumer(
            dead_letters_topic(prefix),
            bootstrap_servers=broker_list(brokers),
            client_id="farebox",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=MAX_MESSAGE_BYTES + 2**16,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )
        dead_letters = cls(consumer)
        try:
            await kafka_call(consumer.start(), "connect")
        except BaseException:
            await dead_letters.close()
            raise
        return dead_letters

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def read(self) -> AsyncIterator[DeadLetter]:
        partitions = self._consumer.assignment()  # of a topic that nobody made there is none
        ends = await kafka_call(self._consumer.end_offsets(partitions), "read the dead letters")
        for partition in sorted(partitions):
            await kafka_call(self._consumer.seek_to_beginning(partition), "read the dead letters")
            while await kafka_call(self._consumer.position(partition), "read the dead letters") < ends[partition]:
                fetching = self._consumer.getmany(partition, timeout_ms=1000, max_records=FETCH_RECORDS)
                for record in (await kafka_call(fetching, "read the dead letters")).get(partition, ()):
                    yield _letter(record)

    async def forget(self, dead_letters: Sequence[DeadLetter]) -> bool:  # noqa: ARG002  Kafka keeps what it has
        return False

    async def close(self) -> None:
        await kafka_call(self._consumer.stop(), "close")


def _letter(record: ConsumerRecord) -> DeadLetter:
    headers = {name: value.decode() for name, value in record.headers}
    return DeadLetter(
        payload=record.value or b"",
        position=headers.get("position", f"{record.topic}:{record.partition}:{record.offset}"),
        code=headers.get("code", "unknown"),
        reason=headers.get("reason", ""),
    )
