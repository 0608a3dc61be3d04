"""What waits for Kafka in a file travels on, whatever happens meanwhile."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from schemas.event import encode_event
from schemas.seal import Held
from services.stores.journal.sink import JournalSink
from services.stores.kafka import spill as kafka_spill
from services.stores.kafka.client import Entry, broker_list, events_topic
from services.stores.kafka.producer import KafkaWriter
from services.stores.kafka.spill import Spill
from services.telemetry.metrics import Metrics
from tests.support.logs import InKafka, close_all, events, ids_of, publish_all, take_count, within

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]


@pytest.fixture
async def log(kafka: str, tmp_path: Path) -> InKafka:
    return await InKafka.fresh(kafka, tmp_path)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_spill, "POLL_S", 0.05)
    monkeypatch.setattr(kafka_spill, "MISHAP_S", 0.05)


@pytest.mark.parametrize("damaged", [b"not an event", b"\x81\xa4kind\xa1\xff", b"\x81\xa1x" + b"\x91" * 100_000])
async def test_a_damaged_part_of_the_spill_is_dead_lettered_and_counted_and_the_rest_goes_on(
    log: InKafka, damaged: bytes
) -> None:
    spill = JournalSink(log.spill, metrics=Metrics())
    await spill.append(damaged)
    await spill.close()
    sink = await log.sink()
    await publish_all(sink, events(1))
    source = await log.source()
    assert ids_of(await take_count(source, 1)) == ids_of(events(1))
    for _ in range(300):
        if log.metrics.get("log_lost_total"):
            break
        await asyncio.sleep(0.1)
    assert log.metrics.get("log_lost_total") == 1
    await close_all(source, sink)


class ClosingWriter(KafkaWriter):
    """Begins to close `spill` when a shipment was acknowledged, before the one who waits for that knows."""

    spill: Spill
    closing: "asyncio.Future[asyncio.Task[None]]"

    async def ship(self, entries: Sequence[Entry]) -> None:
        await super().ship(entries)
        self.closing.set_result(asyncio.create_task(self.spill.close()))


def spill_of(log: InKafka, writer: KafkaWriter) -> Spill:
    return Spill(log.spill, writer, metrics=log.metrics, queue_bytes=2**28, delivery_timeout_s=30)


async def test_it_closes_in_the_very_instant_of_an_acknowledgement(log: InKafka) -> None:
    writer = ClosingWriter(broker_list(log.brokers), events_topic(log.prefix))
    writer.spill, writer.closing = spill_of(log, writer), asyncio.Future()
    await within(10, "an event is kept", writer.spill.keep([encode_event(events(1)[0])], Held(events=1)))
    source = await log.source()
    assert ids_of(await take_count(source, 1)) == ids_of(events(1))
    await within(10, "the spill closes", await within(10, "it is acknowledged", writer.closing))
    await within(10, "the writer closes", writer.close())
    await close_all(source)


async def test_an_event_that_the_carrier_came_too_early_for_travels_too(
    log: InKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_spill, "GROUP_S", 0.3)  # the carrier looks several times before the event is there
    writer = KafkaWriter(broker_list(log.brokers), events_topic(log.prefix))
    assert await writer.connected_within(20)
    spill = spill_of(log, writer)
    await within(10, "an event is kept", spill.keep([encode_event(events(1)[0])], Held(events=1)))
    source = await log.source()
    assert ids_of(await take_count(source, 1)) == ids_of(events(1))
    await within(10, "the spill closes", spill.close())
    await within(10, "the writer closes", writer.close())
    await close_all(source)


async def test_what_a_proxy_that_has_gone_left_is_carried_by_one_that_was_connected_all_the_time(
    log: InKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_spill, "LOOK_S", 0.5)
    writer = KafkaWriter(broker_list(log.brokers), events_topic(log.prefix))
    assert await writer.connected_within(20)
    spill = spill_of(log, writer)
    await asyncio.sleep(0.3)  # it has looked, and found nothing
    gone = JournalSink(log.spill, metrics=Metrics())
    await gone.append(encode_event(events(1)[0]))
    await gone.close()
    source = await log.source()
    assert ids_of(await take_count(source, 1)) == ids_of(events(1))
    await within(10, "the spill closes", spill.close())
    await within(10, "the writer closes", writer.close())
    await close_all(source)


class StumblingWriter(KafkaWriter):
    """Meets an error that nobody expects at its first shipment."""

    stumbled = False

    async def ship(self, entries: Sequence[Entry]) -> None:
        if not self.stumbled:
            self.stumbled = True
            raise RuntimeError("a bug")
        await super().ship(entries)


async def test_an_error_that_nobody_expects_does_not_end_the_carrying(log: InKafka) -> None:
    writer = StumblingWriter(broker_list(log.brokers), events_topic(log.prefix))
    spill = spill_of(log, writer)
    await within(10, "an event is kept", spill.keep([encode_event(events(1)[0])], Held(events=1)))
    source = await log.source()
    assert ids_of(await take_count(source, 1)) == ids_of(events(1))
    assert writer.stumbled
    await within(10, "the spill closes", spill.close())
    await within(10, "the writer closes", writer.close())
    await close_all(source)
