"""Bodies that are to be omitted go no further than the proxy, whatever log is behind it and whatever happens."""

import asyncio
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from schemas.event import DeadLetter, ExchangeEvent, RequestTags, decode_event, encode_event
from schemas.log_entry import LogEntry
from schemas.omission import Omission
from services.cli.dead_letters import put_back
from services.domain.enrich import to_record
from services.proxy.exchange import omitting_sink as omitting
from services.proxy.exchange.omitting_sink import OmittingSink
from services.settings.processes import ProxySettings
from services.stores.journal.sink import JournalSink
from services.stores.kafka.client import events_topic
from services.stores.kafka.sink import SinkLimits
from services.stores.memory import MemoryLog, MemorySink
from services.stores.shipped_prices.book import ShippedPrices
from services.stores.state.migrations.run import migrate_state
from services.telemetry.metrics import Metrics
from tests.builders.records import an_event, chat_response
from tests.servers.proxy_rig import SECRET, rig
from tests.support.canary import OMIT, SAID, assert_nothing_kept, files_in, tell
from tests.support.logs import InJournal, InKafka, close_all, take_count

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

BOTH = RequestTags(omit_request=True, omit_response=True)
PRICES = ShippedPrices()


def _large(bytes_each: int = 200_000, tags: RequestTags = BOTH) -> ExchangeEvent:
    request = json.dumps({"model": "gpt-4o-mini", "messages": [{"content": SAID * (bytes_each // len(SAID))}]})
    return an_event(request_body=request.encode(), response_body=chat_response(), tags=tags)


def _sink(log: MemoryLog, metrics: Metrics, omission: Omission = Omission.NONE) -> OmittingSink:
    return OmittingSink(MemorySink(log, metrics=metrics), omission=omission, metrics=metrics)


@pytest.mark.parametrize("durability", ["standard", "strict"])
async def test_nothing_omitted_is_in_the_journal(tmp_path: Path, durability: str) -> None:
    sink = JournalSink(tmp_path / "journal.sqlite", metrics=Metrics())
    async with rig(sink=sink, omit_bodies="both", capture_bytes=100_000, durability=durability) as one:
        count = await tell(one.provider, one.url, SECRET, {})
        await asyncio.sleep(0.2)
        assert one.metrics.get("log_lost_total") == 0
    await sink.close()
    source = await InJournal(tmp_path / "journal.sqlite").source()
    assert len(await take_count(source, count)) == count
    await close_all(source)
    assert_nothing_kept(files_in(tmp_path), SECRET)


async def test_nothing_omitted_is_in_kafka(kafka: str, tmp_path: Path) -> None:
    log = await InKafka.fresh(kafka, tmp_path)
    sink = await log.sink()
    async with rig(sink=sink, capture_bytes=100_000) as one:
        count = await tell(one.provider, one.url, SECRET, OMIT)
    await sink.close()
    consumer = AIOKafkaConsumer(events_topic(log.prefix), bootstrap_servers=log.brokers, auto_offset_reset="earliest")
    await consumer.start()
    messages = [await asyncio.wait_for(consumer.getone(), 20) for _ in range(count)]
    await consumer.stop()

    def places() -> Iterator[tuple[str, bytes]]:
        for message in messages:
            yield "Kafka", (message.key or b"") + (message.value or b"") + repr(message.headers).encode()

    assert_nothing_kept(places(), SECRET)
    assert_nothing_kept(files_in(tmp_path), SECRET)


async def test_nothing_omitted_is_in_the_spill_file_while_kafka_is_unreachable(tmp_path: Path) -> None:
    log = InKafka("127.0.0.1:1", tmp_path / "spill.sqlite", prefix="nobody")
    sink = await log.sink(SinkLimits(delivery_timeout_s=0.5, close_timeout_s=0.5, first_connect_s=0.2))
    async with rig(sink=sink, omit_bodies="both", capture_bytes=100_000) as one:
        count = await tell(one.provider, one.url, SECRET, {})
    await sink.close()
    source = await InJournal(tmp_path / "spill.sqlite").source()
    assert len(await take_count(source, count)) == count
    await close_all(source)
    assert_nothing_kept(files_in(tmp_path), SECRET)


async def test_a_large_body_is_read_elsewhere_and_its_event_comes_all_the_same() -> None:
    log, metrics = MemoryLog(), Metrics()
    sink = _sink(log, metrics)
    promise = sink.publish(_large())
    assert log.entries == [], "nobody waits for a large body"
    await promise
    (entry,) = log.entries
    assert SAID.encode() not in entry
    assert to_record(decode_event(entry), PRICES)[0] == to_record(_large(tags=BOTH), PRICES)[0]
    await sink.close()


async def test_closing_waits_for_what_is_being_read() -> None:
    log, metrics = MemoryLog(), Metrics()
    sink = _sink(log, metrics)
    for _ in range(5):
        sink.publish(_large())
    await sink.close()
    assert len(log.entries) == 5


async def test_closing_does_not_wait_for_a_log_that_is_not_durable() -> None:
    class StuckLog(MemorySink):
        def publish(self, event: LogEntry) -> asyncio.Future[None]:
            super().publish(event)
            return asyncio.get_running_loop().create_future()

    log, metrics = MemoryLog(), Metrics()
    sink = OmittingSink(StuckLog(log, metrics=metrics), omission=Omission.NONE, metrics=metrics)
    durable = asyncio.ensure_future(sink.publish(_large()))
    async with asyncio.timeout(20):
        await sink.close()
    assert (len(log.entries), durable.done()) == (1, False)
    durable.cancel()


async def test_an_event_counts_as_uncovered_while_its_body_is_read() -> None:
    metrics = Metrics()
    sink = _sink(MemoryLog(), metrics)
    await sink.publish(an_event(tags=BOTH))
    assert metrics.get("log_uncovered_total") == 0, "a small body is read before the event is published"
    await sink.publish(_large())
    assert metrics.get("log_uncovered_total") == 1
    await sink.close()


async def test_a_client_that_goes_away_does_not_take_its_event_along() -> None:
    log, metrics = MemoryLog(), Metrics()
    sink = _sink(log, metrics)
    waiting = asyncio.ensure_future(sink.publish(_large()))
    await asyncio.sleep(0)
    waiting.cancel()
    await sink.close()
    assert len(log.entries) == 1


async def test_more_than_may_wait_is_given_up_unread_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(omitting, "MAX_WAITING_BYTES", 300_000)
    log, metrics = MemoryLog(), Metrics()
    sink = _sink(log, metrics)
    for _ in range(3):
        sink.publish(_large())
    await sink.close()
    rows = [to_record(decode_event(entry), PRICES)[0] for entry in log.entries]
    assert sorted(row.cost_state for row in rows) == ["priced", "truncated", "truncated"]
    assert metrics.get("proxy_bodies_dropped_total") == 4
    assert SAID.encode() not in b"".join(log.entries)


async def test_a_body_that_brings_a_fault_of_ours_to_light_is_omitted_and_its_cost_unknown(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def faulty(event: ExchangeEvent, _: bytes) -> ExchangeEvent:
        raise ValueError(event.request.body)

    monkeypatch.setattr(omitting, "without_bodies", faulty)
    log, metrics = MemoryLog(), Metrics()
    event = an_event(tags=BOTH, request_body=SAID.encode(), response_body=SAID.encode())
    await _sink(log, metrics).publish(event)
    (entry,) = log.entries
    row, bodies = to_record(decode_event(entry), PRICES)
    assert (row.cost_usd, row.cost_state) == (None, "truncated")
    assert bodies is not None
    assert (bodies.request_body, bodies.response_body) == ("", "")
    assert SAID.encode() not in entry
    assert [getattr(record, "reason", "")[:10] for record in caplog.records] == ["ValueError"]
    assert SAID not in caplog.text


async def test_what_is_not_omitted_passes_as_it_is() -> None:
    log, metrics = MemoryLog(), Metrics()
    event = _large(tags=RequestTags(user_id="u"))
    await _sink(log, metrics).publish(event)
    assert log.entries == [encode_event(event)]


async def test_a_small_compressed_body_that_is_large_inside_is_read_elsewhere() -> None:
    log, metrics = MemoryLog(), Metrics()
    event = an_event(tags=BOTH, response_body=gzip.compress(b" " * 10_000_000), content_encoding="gzip")
    sink = _sink(log, metrics)
    promise = sink.publish(event)
    assert log.entries == []
    await promise
    await sink.close()


async def test_what_an_older_version_dead_lettered_with_its_bodies_comes_back_without(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    log = InJournal(path)
    source = await log.source()
    event = an_event(tags=BOTH, request_body=SAID.encode())
    await source.write_dead_letters(
        [DeadLetter(payload=encode_event(event), position="here:1", code="unreadable", reason="a bug")]
    )
    state = f"sqlite:///{tmp_path}/state.sqlite"
    await migrate_state(state)
    result = await put_back(
        ProxySettings.from_environ({"FAREBOX_EVENT_LOG": f"journal:{path}", "FAREBOX_STATE": state})
    )
    assert (result.back, result.forgotten) == (1, True)
    (delivery,) = await take_count(source, 1)
    assert SAID.encode() not in delivery.payload
    hints = decode_event(delivery.payload).request.hints
    assert hints is not None
    assert hints.fingerprint, "as the proxies of the deployment would have computed it"
    await close_all(source)
