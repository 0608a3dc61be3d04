"""What the Kafka log owes when brokers and members come and go."""

import asyncio
import contextlib
import os
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.stores.kafka.sink import SinkLimits
from services.stores.kafka.topics import create_topics
from tests.conftest import unavailable
from tests.servers.clickhouse import NoServer
from tests.servers.kafka import KafkaProcess, kafka_process
from tests.support.logs import (
    InKafka,
    assert_nothing_lost,
    close_all,
    events,
    ids_of,
    publish_all,
    take_count,
    take_rest,
    within,
)

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

IMPATIENT = SinkLimits(delivery_timeout_s=1.0, close_timeout_s=0.5, first_connect_s=0.3)


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
async def mortal(broker: KafkaProcess, tmp_path: Path) -> InKafka:
    """A log on the broker that may be stopped."""
    return await InKafka.fresh(broker.address, tmp_path)


TAKE_AND_HANG = """
    import asyncio, sys
    from services.stores.kafka.source import KafkaSource

    async def main():
        source = await KafkaSource.open(sys.argv[1], group=sys.argv[2] + "-workers", prefix=sys.argv[2])
        while not await source.take(max_events=100, max_bytes=2**20, wait_s=1):
            pass
        print("taken", flush=True)
        await asyncio.sleep(60)

    asyncio.run(main())
"""


@pytest.fixture(scope="module", autouse=True)
def orphaned(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> InKafka:
    """A log whose only member was killed as these tests began: its session runs out while they run."""
    return asyncio.run(_orphaned(kafka, tmp_path_factory.mktemp("orphaned")))


async def _orphaned(kafka: str, folder: Path) -> InKafka:
    log = await InKafka.fresh(kafka, folder)
    sink = await log.sink()
    await publish_all(sink, events(50))
    await close_all(sink)
    program = textwrap.dedent(TAKE_AND_HANG)
    victim = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, log.brokers, log.prefix, stdout=asyncio.subprocess.PIPE
    )
    assert victim.stdout is not None
    try:
        assert await within(45, "the member takes", victim.stdout.readline()) == b"taken\n"
    finally:
        victim.kill()
        await victim.wait()
    return log


async def test_events_published_while_the_broker_is_killed_and_restarted_all_arrive(
    broker: KafkaProcess, mortal: InKafka
) -> None:
    sink = await mortal.sink(IMPATIENT)
    acks = []
    starting = None
    for number, event in enumerate(events(600)):
        acks.append(sink.publish(event))
        await asyncio.sleep(0.004)
        if number == 200:
            broker.kill()
            starting = asyncio.create_task(asyncio.to_thread(broker.start))
    assert starting is not None
    await starting
    for ack in acks:
        await within(30, "what was published is durable", ack)
    source = await mortal.source()
    taken: set[str] = set()
    deadline_s = time.monotonic() + 30
    while len(taken) < 600 and time.monotonic() < deadline_s:
        taken |= set(ids_of(await take_count(source, 1)))
    assert sorted(taken) == ids_of(events(600))
    assert_nothing_lost(mortal, 600)
    await close_all(source, sink)


async def test_a_broker_that_falls_silent_delays_durability_by_the_timeout_only(
    broker: KafkaProcess, mortal: InKafka
) -> None:
    sink = await mortal.sink(IMPATIENT)
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
    await close_all(source, sink)


async def test_topics_are_made_as_soon_as_a_broker_that_the_controller_gave_up_is_back(broker: KafkaProcess) -> None:
    for number in range(6):  # in about one of six, the broker is not let in again before the first attempt
        broker.freeze()
        await asyncio.sleep(2.2)
        broker.thaw()
        prefix = f"test-back-{number}"
        made = await create_topics(broker.address, partitions=1, replication=1, retention_hours=1, prefix=prefix)
        assert made == [f"{prefix}-events", f"{prefix}-dead-letters"]


async def test_a_silent_broker_does_not_fill_the_memory(broker: KafkaProcess, mortal: InKafka) -> None:
    sink = await mortal.sink(IMPATIENT._replace(delivery_timeout_s=60, queue_bytes=200_000))
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


async def test_it_starts_and_serves_while_kafka_is_unreachable_and_a_later_process_carries_on(
    broker: KafkaProcess, mortal: InKafka
) -> None:
    broker.kill()
    try:
        first = await mortal.sink(IMPATIENT)
        await publish_all(first, events(20))
        await first.close()
    finally:
        await asyncio.to_thread(broker.start)
    later = await mortal.sink(IMPATIENT)
    source = await mortal.source()
    # At least once: what the first process could not know to be written is written again by the later one.
    taken = [*await take_count(source, 20), *await take_rest(source)]
    assert set(ids_of(taken)) == set(ids_of(events(20)))
    await close_all(source, later)


async def test_close_in_an_outage_is_quick_and_keeps_everything(broker: KafkaProcess, mortal: InKafka) -> None:
    sink = await mortal.sink(IMPATIENT._replace(delivery_timeout_s=60))
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


async def test_close_in_an_outage_is_quick_even_when_much_was_sent_to_a_silent_broker(
    broker: KafkaProcess, mortal: InKafka
) -> None:
    sink = await mortal.sink(IMPATIENT)
    await publish_all(sink, events(1))
    broker.freeze()
    try:
        # More than all buffers between here and there take.
        await publish_all(sink, events(2, first=1, body=os.urandom(4 * 2**20 - 1000)))
        started_s = time.monotonic()
        await close_all(sink)
        assert time.monotonic() - started_s < 5
        assert_nothing_lost(mortal, 3)
    finally:
        broker.thaw()


async def test_a_member_takes_over_from_one_that_was_killed(orphaned: InKafka) -> None:
    heir = await orphaned.source()
    assert sorted(ids_of(await take_count(heir, 50, within_s=30))) == ids_of(events(50))
    await close_all(heir)
