"""What the Kafka log owes beyond the contract: brokers come and go, groups change, messages are too large."""

import asyncio
import contextlib
import os
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.structs import TopicPartition

from schemas.errors import BrokerUnavailable, InvalidSetting, LogTruncated
from schemas.event import Delivery, decode_event
from services.ports import EventSource
from services.stores.journal_sink import JournalSink
from services.stores.kafka import events_topic
from services.stores.kafka_sink import KafkaSink, SinkLimits
from services.stores.kafka_source import KafkaSource
from services.stores.topics import create_topics
from services.telemetry import Metrics
from tests.clickhouse_server import NoServer
from tests.conftest import unavailable
from tests.logs import InKafka, events, ids_of, publish_all, take_count, take_rest
from tests.servers import KafkaProcess, kafka_process

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def broker() -> Iterator[KafkaProcess]:
    """A broker that a test may stop, if it starts it again."""
    with contextlib.ExitStack() as stack:
        try:
            process = stack.enter_context(kafka_process())
        except NoServer as reason:
            unavailable("Kafka as a process", reason)
        yield process


@pytest.fixture
async def log(kafka: str, tmp_path: Path) -> InKafka:
    return await InKafka.fresh(kafka, tmp_path)


@pytest.fixture
async def mortal(broker: KafkaProcess, tmp_path: Path) -> InKafka:
    """A log on the broker that may be stopped."""
    return await InKafka.fresh(broker.address, tmp_path)


async def impatient_sink(log: InKafka, *, seconds: float = 1.0, queue_bytes: int = 2**28) -> KafkaSink:
    limits = SinkLimits(delivery_timeout_s=seconds, queue_bytes=queue_bytes, close_timeout_s=0.5)
    return await KafkaSink.open(log.brokers, spill=log.spill, metrics=log.metrics, prefix=log.prefix, limits=limits)


def assert_nothing_lost(log: InKafka, count: int) -> None:
    assert (log.metrics.get("log_durable_total"), log.metrics.get("log_lost_total")) == (count, 0)


async def share(first: EventSource, second: EventSource, count: int) -> tuple[list[Delivery], list[Delivery]]:
    """What each of two members gets of `count` entries."""
    shares: tuple[list[Delivery], list[Delivery]] = ([], [])
    deadline_s = time.monotonic() + 20
    while len(shares[0]) + len(shares[1]) < count and time.monotonic() < deadline_s:
        for member, share_of_it in zip((first, second), shares, strict=True):
            share_of_it.extend(await member.take(max_events=100, max_bytes=2**20, wait_s=0.1))
    return shares


async def test_events_published_while_the_broker_is_killed_and_restarted_all_arrive(
    broker: KafkaProcess, mortal: InKafka
) -> None:
    sink = await impatient_sink(mortal)
    receipts = []
    for number, event in enumerate(events(600)):
        receipts.append(sink.publish(event))
        await asyncio.sleep(0.004)
        if number == 200:
            broker.kill()
    for receipt in receipts:
        await receipt
    await asyncio.to_thread(broker.start)
    source = await mortal.source()
    taken: set[str] = set()
    deadline_s = time.monotonic() + 30
    while len(taken) < 600 and time.monotonic() < deadline_s:
        taken |= set(ids_of(await take_count(source, 1)))
    assert sorted(taken) == ids_of(events(600))
    assert_nothing_lost(mortal, 600)
    await source.close()
    await sink.close()


async def test_a_broker_that_falls_silent_delays_durability_by_the_timeout_only(
    broker: KafkaProcess, mortal: InKafka
) -> None:
    sink = await impatient_sink(mortal)
    await publish_all(sink, events(5))
    broker.freeze()
    try:
        started_s = time.monotonic()
        await publish_all(sink, events(5, first=5))
        assert 0.5 < time.monotonic() - started_s < 4
        await publish_all(sink, events(5, first=10))
        started_s = time.monotonic()
        await sink.publish(events(1, first=15)[0])
        assert time.monotonic() - started_s < 0.5  # it is known to be away by now
    finally:
        broker.thaw()
    source = await mortal.source()
    assert set(ids_of(await take_count(source, 16))) == set(ids_of(events(16)))
    assert_nothing_lost(mortal, 16)
    await source.close()
    await sink.close()


async def test_a_silent_broker_does_not_fill_the_memory(broker: KafkaProcess, mortal: InKafka) -> None:
    sink = await impatient_sink(mortal, seconds=60, queue_bytes=200_000)
    await publish_all(sink, events(1))
    broker.freeze()
    try:
        started_s = time.monotonic()
        for number in range(1, 300):
            sink.publish(events(1, first=number, body=b"x" * 1000)[0])
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.5)
        await sink.close()
        assert time.monotonic() - started_s < 10
        assert_nothing_lost(mortal, 300)
    finally:
        broker.thaw()


async def test_it_starts_and_serves_while_kafka_is_away_and_a_later_process_carries_on(
    broker: KafkaProcess, mortal: InKafka
) -> None:
    broker.kill()
    try:
        first = await impatient_sink(mortal)
        await publish_all(first, events(20))
        await first.close()
    finally:
        await asyncio.to_thread(broker.start)
    later = await impatient_sink(mortal)
    source = await mortal.source()
    assert sorted(ids_of(await take_count(source, 20))) == ids_of(events(20))
    assert await take_rest(source) == []
    await source.close()
    await later.close()


async def test_close_in_an_outage_is_quick_and_keeps_everything(broker: KafkaProcess, mortal: InKafka) -> None:
    sink = await impatient_sink(mortal, seconds=60)
    broker.freeze()
    try:
        for event in events(10):
            sink.publish(event)
        started_s = time.monotonic()
        await sink.close()
        assert time.monotonic() - started_s < 5
        assert_nothing_lost(mortal, 10)
    finally:
        broker.thaw()


async def test_a_damaged_part_of_the_spill_is_buried_and_counted_and_the_rest_goes_on(log: InKafka) -> None:
    spill = JournalSink(log.spill, metrics=Metrics())
    await spill.append(b"not an event")
    await spill.close()
    sink = await log.sink()
    await publish_all(sink, events(1))
    source = await log.source()
    assert ids_of(await take_count(source, 1)) == ids_of(events(1))
    for _ in range(30):
        if log.metrics.get("log_lost_total"):
            break
        await asyncio.sleep(0.1)
    assert log.metrics.get("log_lost_total") == 1
    await source.close()
    await sink.close()


async def test_messages_are_keyed_by_organization_and_request(log: InKafka) -> None:
    sink = await log.sink()
    for _ in range(2):
        await publish_all(sink, events(20, organization_id="acme"))
    await sink.close()
    consumer = AIOKafkaConsumer(events_topic(log.prefix), bootstrap_servers=log.brokers, auto_offset_reset="earliest")
    await consumer.start()
    places: dict[bytes, set[int]] = {}
    for _ in range(40):
        record = await asyncio.wait_for(consumer.getone(), 10)
        places.setdefault(record.key, set()).add(record.partition)
    await consumer.stop()
    assert sorted(places) == [f"acme:{request_id}".encode() for request_id in ids_of(events(20))]
    assert all(len(partitions) == 1 for partitions in places.values())


async def test_an_event_too_large_for_a_message_arrives_without_its_bodies(log: InKafka) -> None:
    sink, source = await log.sink(), await log.source()
    event = events(1, body=bytes(10 * 2**20))[0]
    await sink.publish(event)
    arrived = decode_event((await take_count(source, 1))[0].payload)
    assert (arrived.request.body, arrived.request.body_bytes, arrived.response.body) == (b"", 10 * 2**20, b"")
    assert arrived.request.request_id == event.request.request_id
    assert log.metrics.get("proxy_bodies_dropped_total") == 2
    await source.close()
    await sink.close()


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
    await source.close()
    await sink.close()


async def test_topics_are_made_once_however_often_and_by_how_many_they_are_asked_for(kafka: str) -> None:
    prefix = f"test-topics-{time.time_ns()}"

    async def create() -> list[str]:
        return await create_topics(kafka, partitions=2, replication=1, retention_hours=1, prefix=prefix)

    made = await asyncio.gather(create(), create(), create())
    assert sorted(name for names in made for name in names) == [f"{prefix}-dead-letters", f"{prefix}-events"]
    assert await create() == []


async def test_a_topic_that_cannot_be_made_says_why(kafka: str) -> None:
    with pytest.raises(BrokerUnavailable, match="InvalidReplicationFactor"):
        await create_topics(kafka, partitions=1, replication=99, retention_hours=1, prefix="test-wide")


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
    await source.close()
    await publish_all(sink, events(5, first=5))
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.delete_records({TopicPartition(events_topic(log.prefix), 0): RecordsToDelete(before_offset=8)})
    await admin.close()
    successor = await log.source()
    with pytest.raises(LogTruncated):
        await take_count(successor, 1)
    await successor.close()
    await sink.close()


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
    for end in (first, second, sink):
        await end.close()


TAKE_AND_HANG = """
    import asyncio, sys
    from services.stores.kafka_source import KafkaSource

    async def main():
        source = await KafkaSource.open(sys.argv[1], group=sys.argv[2] + "-workers", prefix=sys.argv[2])
        while not await source.take(max_events=100, max_bytes=2**20, wait_s=1):
            pass
        print("taken", flush=True)
        await asyncio.sleep(60)

    asyncio.run(main())
"""


async def test_a_member_takes_over_from_one_that_was_killed(log: InKafka) -> None:
    sink = await log.sink()
    await publish_all(sink, events(50))
    program = textwrap.dedent(TAKE_AND_HANG)
    victim = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, log.brokers, log.prefix, stdout=asyncio.subprocess.PIPE
    )
    assert victim.stdout is not None
    assert await victim.stdout.readline() == b"taken\n"
    victim.kill()
    await victim.wait()
    heir = await log.source()
    assert sorted(ids_of(await take_count(heir, 50, within_s=30))) == ids_of(events(50))
    await heir.close()
    await sink.close()
