"""What all users of Kafka share: the names of the topics, what an entry is and how large it may be, and errors."""

import asyncio
from collections.abc import Awaitable
from typing import NamedTuple, TypeVar

from aiokafka.errors import KafkaError

from schemas.errors import BrokerUnavailable, InvalidSetting
from schemas.log_entry import LogEntry, identity_of

PREFIX = "farebox"
MAX_MESSAGE_BYTES = 10 * 2**20  # what our topics take: two bodies at the capture limit, and all around them
MAX_ENTRY_BYTES = 9 * 2**20
BATCH_BYTES = 900_000  # below what a topic takes that somebody made by hand
CALL_TIMEOUT_S = 30.0
REQUEST_TIMEOUT_MS = 10_000

T = TypeVar("T")


class Entry(NamedTuple):
    """One message. Entries with the same key keep their order."""

    key: bytes
    payload: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


def entry_of(event: LogEntry, payload: bytes) -> Entry:
    """`payload` is the wire form of `event`."""
    return Entry(":".join(identity_of(event)).encode(), payload)


def events_topic(prefix: str = PREFIX) -> str:
    return f"{prefix}-events"


def dead_letters_topic(prefix: str = PREFIX) -> str:
    return f"{prefix}-dead-letters"


def broker_list(brokers: str) -> list[str]:
    """`HOST:PORT[,HOST:PORT...]` as a list. Raises: InvalidSetting."""
    listed = brokers.split(",")
    for broker in listed:
        host, _, port = broker.rpartition(":")
        if not host or not port.isdecimal():
            raise InvalidSetting(f"event_log: {broker!r} is not HOST:PORT")
    return listed


async def kafka_call(call: Awaitable[T], what: str) -> T:
    """The broker's response. Raises: BrokerUnavailable, also when there is none for half a minute."""
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            return await call
    except (KafkaError, OSError, TimeoutError) as error:
        raise BrokerUnavailable(f"Kafka, {what}: {error!r}") from error
