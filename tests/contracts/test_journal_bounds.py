"""The journal's bounds: how long an event waits, how much memory waits too, and what a broken-off take has taken."""

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from schemas.event import encode_event
from services.stores.factory import open_event_sink
from services.stores.journal import reader as journal_reader
from services.stores.journal.file import unpack_segment
from services.stores.journal.sink import JournalSink
from services.stores.journal.source import JournalSource
from services.telemetry.metrics import Metrics
from tests.support.logs import events, ids_of, publish_all, take_rest

pytestmark = pytest.mark.anyio

SOON_S = 0.5  # many times what is promised, for disks and neighbours that are slow


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.mark.parametrize("durability", ["relaxed", "standard", "strict", "by default"])
async def test_an_event_that_is_alone_is_durable_soon(path: Path, durability: str) -> None:
    if durability == "by default":
        sink = JournalSink(path, metrics=Metrics())
    else:
        opened = await open_event_sink(f"journal:{path}", durability=durability, spill="", state="", metrics=Metrics())
        assert isinstance(opened, JournalSink)
        sink = opened
    took_s = []
    for event in events(3):
        began_s = time.monotonic()
        await sink.publish(event)
        took_s.append(time.monotonic() - began_s)
    await sink.close()
    assert min(took_s) < SOON_S


async def test_what_is_durable_holds_no_memory_any_more(path: Path) -> None:
    several = events(40)
    metrics = Metrics()
    sink = JournalSink(path, metrics=metrics, group_s=0.001, queue_bytes=3 * len(encode_event(several[0])))
    for event in several:
        await sink.publish(event)
    await sink.close()
    assert (metrics.get("log_durable_total"), metrics.get("log_lost_total")) == (40, 0)


class Gate:
    """Holds the reader's thread while it reads a segment."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.open = threading.Event()

    def pass_through(self, packed: bytes) -> Sequence[bytes] | None:
        self.reached.set()
        assert self.open.wait(20)
        return UNPACK(packed)


UNPACK = unpack_segment


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate()
    monkeypatch.setattr(journal_reader, "unpack_segment", gate.pass_through)
    yield gate
    gate.open.set()


async def test_a_take_that_is_broken_off_while_it_reads_has_taken_nothing(path: Path, gate: Gate) -> None:
    sink = JournalSink(path, metrics=Metrics())
    await publish_all(sink, events(5))
    await sink.close()
    source = JournalSource(path)
    taking = asyncio.create_task(source.take(max_events=100, max_bytes=2**20, wait_s=5))
    assert await asyncio.to_thread(gate.reached.wait, 20)
    taking.cancel()
    gate.open.set()
    with suppress(asyncio.CancelledError):
        await taking
    assert ids_of(await take_rest(source)) == [event.request.request_id for event in events(5)]
    await source.close()
