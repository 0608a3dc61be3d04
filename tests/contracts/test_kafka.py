"""What the Kafka log owes beyond the contract: groups change, messages are too large, topics are there or not."""

import asyncio
import os
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.structs import TopicPartition

from schemas.errors import BrokerUnavailable, InvalidSetting, LogTruncated
from schemas.event import Delivery, decode_event
from services.domain.enrich import to_record
from services.ports.log import EventSource
from services.stores.kafka.client import events_topic
from services.stores.kafka.shrink import BEGINNING_BYTES
from services.stores.kafka.sink import KafkaSink
from services.stores.kafka.source import KafkaSource
from services.stores.kafka.topics import create_topics
from services.stores.shipped_prices.book import ShippedPrices
from services.telemetry.metrics import Metrics
from tests.support.logs import InKafka, assert_nothing_lost, close_all, events, ids_of, publish_all, take_count

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

PRICES = ShippedPrices()


@pytest.fixture
async def log(kafka: str, tmp_path: Path) -> InKafka:
    return await InKafka.fresh(kafka, tmp_path)


async def share(first: EventSource, second: EventSource, count: int) -> tuple[list[Delivery], list[Delivery]]:
    """What each of two members gets of `count` entries."""
    shares: tuple[list[Delivery], list[Delivery]] = ([], [])
    deadline_s = time.monotonic() + 20
    while len(shares[0]) + len(shares[1]) < count and time.monotonic() < deadline_s:
        for member, share_of_it in zip((first, second), shares, strict=True):
            share_of_it.extend(await member.take(max_events=100, max_bytes=2**20, wait_s=0.1))
    return shares


async def test_messages_are_keyed_by_organization_and_request(log: InKafka) -> None:
    sink = await log.sink()
    for _ in range(2):
        await publish_all(sink, events(20, organization_id="acme"))
    await close_all(sink)
    consumer = AIOKafkaConsumer(events_topic(log.prefix), bootstrap_servers=log.brokers, auto_offset_reset="earliest")
    await consumer.start()
    places: dict[bytes, set[int]] = {}
    for _ in range(40):
        record = await asyncio.wait_for(consumer.getone(), 10)
        places.setdefault(record.key, set()).add(record.partition)
    await consumer.stop()
    assert sorted(places) == [f"acme:{request_id}".encode() for request_id in ids_of(events(20))]
    assert all(len(partitions) == 1 for partitions in places.values())


async def test_an_event_too_large_for_a_message_arrives_with_its_response_and_its_cost(log: InKafka) -> None:
    sink, source = await log.sink(), await log.source()
    requested = b'{"messages":["%b"],"model":"gpt-4o-mini"}' % (b"a" * 10 * 2**20)
    event = events(1, body=requested)[0]
    await sink.publish(event)
    arrived = decode_event((await take_count(source, 1))[0].payload)
    assert (len(arrived.request.body), arrived.request.body_bytes) == (BEGINNING_BYTES, len(requested))
    assert to_record(arrived, PRICES)[0] == to_record(event, PRICES)[0]
    assert to_record(event, PRICES)[0].cost_usd is not None
    assert log.metrics.get("proxy_bodies_dropped_total") == 1
    await close_all(source, sink)


async def test_a_topic_made_by_hand_for_smaller_messages_still_gets_every_event(kafka: str, tmp_path: Path) -> None:
    log = InKafka(kafka, tmp_path / "spill.sqlite", prefix=f"test-by-hand-{time.time_ns()}")
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(events_topic(log.prefix), 1, 1)])
    await admin.close()
    sink, source = await log.sink(), await log.source()
    await publish_all(sink, events(1, body=os.urandom(4 * 2**20)) + events(3, first=1))
    assert set(ids_of(await take_count(source, 4))) == set(ids_of(events(4)))
    assert_nothing_lost(log, 4)
    await close_all(source, sink)


async def test_topics_are_made_once_however_often_and_by_how_many_they_are_requested(kafka: str) -> None:
    prefix = f"test-topics-{time.time_ns()}"

    async def create() -> list[str]:
        return await create_topics(kafka, partitions=2, replication=1, retention_hours=1, prefix=prefix)

    made = await asyncio.gather(create(), create(), create())
    assert sorted(name for names in made for name in names) == [f"{prefix}-dead-letters", f"{prefix}-events"]
    assert await create() == []


async def test_a_topic_that_cannot_be_made_says_why(kafka: str) -> None:
    with pytest.raises(BrokerUnavailable, match="InvalidReplicationFactor"):
        await create_topics(kafka, partitions=1, replication=99, retention_hours=1, prefix="test-wide", patience_s=0)


async def test_addresses_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="'localhost' is not HOST:PORT"):
        await KafkaSink.open("127.0.0.1:9092,localhost", spill=tmp_path / "spill", metrics=Metrics())
    with pytest.raises(InvalidSetting, match="'' is not HOST:PORT"):
        await KafkaSource.open("", group="workers")


async def test_a_source_without_a_broker_says_so() -> None:
    with pytest.raises(BrokerUnavailable, match="join the consumer group"):
        await KafkaSource.open("127.0.0.1:1", group="workers")


async def test_entries_deleted_before_they_were_consumed_stop_the_source(kafka: str, tmp_path: Path) -> None:
    log = await InKafka.fresh(kafka, tmp_path, partitions=1)
    sink, source = await log.sink(), await log.source()
    await publish_all(sink, events(5))
    await take_count(source, 5)
    await source.commit()
    await close_all(source)
    await publish_all(sink, events(5, first=5))
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.delete_records({TopicPartition(events_topic(log.prefix), 0): RecordsToDelete(before_offset=8)})
    await admin.close()
    successor = await log.source()
    with pytest.raises(LogTruncated):
        await take_count(successor, 1)
    await close_all(successor, sink)


async def test_two_members_share_a_group_and_a_commit_after_a_rebalance_takes_nothing_back(log: InKafka) -> None:
    sink, first = await log.sink(), await log.source()
    await publish_all(sink, events(60))
    taken = await take_count(first, 60)
    second = await log.source()  # its coming takes partitions away from the first
    await first.commit()
    again = await share(first, second, 60)
    assert sorted(ids_of(again[0] + again[1])) == sorted(ids_of(taken)), "uncommitted, so they come again"
    await first.commit()
    await second.commit()
    await publish_all(sink, events(60, first=60))
    shares = await share(first, second, 60)
    assert all(shares)
    assert sorted(ids_of(shares[0] + shares[1])) == ids_of(events(60, first=60))
    await close_all(first, second, sink)
