"""What every event log owes its users, whichever adapter it is."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable

import pytest
from msgspec import structs

from schemas.errors import BrokerUnavailable
from schemas.event import DeadLetter, ExchangeEvent, decode_event
from tests.support.logs import (
    EventLog,
    close_all,
    events,
    ids_of,
    publish_all,
    take_count,
    take_rest,
    within,
)

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]


async def _wait_for(promise: Awaitable[None]) -> None:
    await promise


def _with_latency(event: ExchangeEvent, latency_ms: int) -> ExchangeEvent:
    return structs.replace(event, response=structs.replace(event.response, latency_ms=latency_ms))


async def test_what_is_published_is_taken_once_and_unchanged(log: EventLog) -> None:
    published = events(200, body=bytes(range(256)))
    sink, source = await log.sink(), await log.source()
    await publish_all(sink, published)
    taken = await take_count(source, 200)
    assert sorted(map(str, map(decode_event, (entry.payload for entry in taken)))) == sorted(map(str, published))
    assert await take_rest(source) == []
    await close_all(sink, source)


async def test_events_of_one_request_keep_their_order(log: EventLog) -> None:
    sink, source = await log.sink(), await log.source()
    timestamps = list(range(60))
    for latency_ms in timestamps:
        event = events(1)[0]
        promise = sink.publish(_with_latency(event, latency_ms))
        if latency_ms % 20 == 0:
            await promise
    await close_all(sink)
    taken = await take_count(source, 60)
    assert [decode_event(entry.payload).response.latency_ms for entry in taken] == timestamps
    await close_all(source)


async def test_ten_thousand_events_from_many_tasks_all_arrive(log: EventLog) -> None:
    sink, source = await log.sink(), await log.source()

    async def publish_some(first: int) -> None:
        for event in events(100, first=first):
            promise = sink.publish(event)
            await asyncio.sleep(0)
        await promise

    publishing = asyncio.gather(*(publish_some(100 * n) for n in range(100)))
    taken = await take_count(source, 10_000, within_s=60)
    await within(60, "all are published", publishing)
    assert sorted(ids_of(taken)) == ids_of(events(10_000))
    assert log.metrics.get("log_durable_total") == log.metrics.get("log_published_total") == 10_000
    await close_all(sink, source)


async def test_uncommitted_entries_come_again_to_a_successor(log: EventLog) -> None:
    sink, source = await log.sink(), await log.source()
    await publish_all(sink, events(10))
    first = await take_count(source, 10)
    await close_all(source)
    successor = await log.source()
    assert sorted(ids_of(await take_count(successor, 10))) == sorted(ids_of(first))
    await close_all(successor, sink)


async def test_committed_entries_do_not_come_again_to_a_successor(log: EventLog) -> None:
    sink, source = await log.sink(), await log.source()
    await publish_all(sink, events(10))
    await take_count(source, 10)
    await source.commit()
    await publish_all(sink, events(5, first=10))
    await close_all(source)
    successor = await log.source()
    assert sorted(ids_of(await take_count(successor, 5))) == ids_of(events(5, first=10))
    assert await take_rest(successor) == []
    await close_all(successor, sink)


async def test_commit_covers_what_was_taken_and_not_what_waits(log: EventLog) -> None:
    sink, source = await log.sink(), await log.source()
    await publish_all(sink, events(3))
    await take_count(source, 3)
    await publish_all(sink, events(3, first=3))
    await source.commit()
    await close_all(source)
    successor = await log.source()
    assert sorted(ids_of(await take_count(successor, 3))) == ids_of(events(3, first=3))
    await close_all(successor, sink)


async def test_commit_with_nothing_taken_changes_nothing(log: EventLog) -> None:
    sink, source = await log.sink(), await log.source()
    await publish_all(sink, events(2))
    await source.commit()
    assert sorted(ids_of(await take_count(source, 2))) == ids_of(events(2))
    await source.commit()
    await source.commit()
    assert await take_rest(source) == []
    await close_all(sink, source)


async def test_a_take_that_is_cancelled_has_taken_nothing(log: EventLog) -> None:
    sink, source = await log.sink(), await log.source()
    taking = asyncio.ensure_future(source.take(max_events=10, max_bytes=2**20, wait_s=30))
    await asyncio.sleep(0.1)
    taking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await taking
    await publish_all(sink, events(4))
    await source.commit()
    assert sorted(ids_of(await take_count(source, 4))) == ids_of(events(4))
    await close_all(sink, source)


async def test_an_empty_take_waits_as_long_as_it_was_given(log: EventLog) -> None:
    source = await log.source()
    await source.take(max_events=10, max_bytes=2**20, wait_s=0)
    started_s = time.monotonic()
    assert list(await source.take(max_events=10, max_bytes=2**20, wait_s=0.3)) == []
    assert 0.25 < time.monotonic() - started_s < 1.5
    await close_all(source)


async def test_a_waiting_take_returns_when_an_event_arrives(log: EventLog) -> None:
    sink, source = await log.sink(), await log.source()
    taking = asyncio.ensure_future(take_count(source, 1))
    await asyncio.sleep(0.1)
    await sink.publish(events(1)[0])
    durable_s = time.monotonic()
    assert len(await taking) == 1
    assert time.monotonic() - durable_s < 5
    await close_all(sink, source)


async def test_a_take_returns_in_pieces_near_its_limits(log: EventLog) -> None:
    sink, source = await log.sink(), await log.source()
    for first in range(0, 40, 10):
        await publish_all(sink, events(10, first=first))
    taken = await source.take(max_events=10, max_bytes=2**24, wait_s=20)
    assert 0 < len(taken) < 40
    assert len(taken) + len(await take_count(source, 40 - len(taken))) == 40
    await close_all(sink, source)


async def test_large_events_pass_whole(log: EventLog) -> None:
    sink, source = await log.sink(), await log.source()
    bodies = [bytes([number]) * (4 * 2**20) for number in range(3)]
    published = [events(1, first=number, body=body)[0] for number, body in enumerate(bodies)]
    await publish_all(sink, published)
    taken = [decode_event(entry.payload) for entry in await take_count(source, 3)]
    assert sorted(event.request.body for event in taken) == bodies
    await close_all(sink, source)


async def test_dead_letters_are_kept_whole_and_once(log: EventLog) -> None:
    source = await log.source()
    dead_letters = [
        DeadLetter(payload=b"\x00\xff", position="here:1", code="undecodable", reason="not an event"),
        DeadLetter(payload=b"", position="here:2", code="unsupported_version", reason="version 9"),
    ]
    await source.write_dead_letters(dead_letters)
    await source.write_dead_letters([])
    assert sorted(await log.dead_letters(), key=lambda dead_letter: dead_letter.position) == dead_letters
    await close_all(source)


async def test_close_makes_everything_durable_that_was_published(log: EventLog) -> None:
    sink = await log.sink()
    for event in events(500):
        sink.publish(event)
    await close_all(sink)
    assert log.metrics.get("log_durable_total") == 500
    source = await log.source()
    assert sorted(ids_of(await take_count(source, 500))) == ids_of(events(500))
    await close_all(source)


async def test_an_event_published_after_close_is_refused_and_counted(log: EventLog) -> None:
    sink = await log.sink()
    await close_all(sink)
    with pytest.raises(BrokerUnavailable):
        await sink.publish(events(1)[0])
    assert log.metrics.get("log_lost_total") == 1


async def test_a_cancelled_waiter_leaves_its_group_alone(log: EventLog) -> None:
    sink = await log.sink()
    promises = [sink.publish(event) for event in events(3)]
    impatient = asyncio.ensure_future(_wait_for(promises[0]))
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.gather(*promises[1:])
    await promises[0]
    assert log.metrics.get("log_durable_total") == 3
    await close_all(sink)


async def test_backlog_counts_what_is_not_committed(log: EventLog) -> None:
    sink, source = await log.sink(), await log.source()
    await publish_all(sink, events(30))
    taken = await take_count(source, 30)
    await source.commit()
    await publish_all(sink, events(12, first=30))
    assert (len(taken), await source.backlog()) == (30, 12)
    await take_count(source, 12)
    assert await source.backlog() == 12
    await source.commit()
    assert await source.backlog() == 0
    await close_all(sink, source)
