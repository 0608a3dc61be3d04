"""Saves what can be saved of damaged journal files: each segment carries a checksum, wherever it lies in its file."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from schemas.errors import JournalDamaged
from schemas.event import DeadLetter
from services.stores.journal.file import (
    BUSY_TIMEOUT_S,
    insert_dead_letters,
    is_damage,
    unavailable,
    unpack_segment,
)
from services.stores.journal.files import JournalFiles
from services.stores.journal.pages import Pages, Value
from services.stores.journal.reader import Mark
from services.stores.journal.sink import JournalSink
from services.telemetry.metrics import Metrics

_HAND_OVER_S: Final = BUSY_TIMEOUT_S + 1  # for writers that wait for the damaged file, and then see the fresh one


class Salvaged(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a damaged file. Counted from the position up to which every consumer had read it."""

    file: str
    set_aside_as: str
    events: int  # in the log again
    segments: int
    lost_events: int  # that were durable and could not be read
    lost_segments: int
    is_lower_bound: bool  # when the file does not say how far it went
    dead_letters: int  # that are listed again


class _Contents:
    """What a file is known to hold or to have held."""

    def __init__(self) -> None:
        self.segments: dict[int, tuple[int, int]] = {}  # by id: how many events, and how many through it
        self.consumers: dict[str, Mark] = {}
        self.tail: Mark | None = None

    def add(self, row_id: int, columns: tuple[Value, ...]) -> None:
        match columns:
            case (None, int(), int(count), int(through), bytes()):
                self.segments[row_id] = (count, through)
            case (None, int(segment_id), int(through)):
                self.tail = Mark(segment_id, through)
            case (str(name), int(segment_id), int(through), int()):
                self.consumers[name] = Mark(segment_id, through)

    @property
    def done(self) -> Mark:
        """What every consumer has read; where that is not known, what came before the first segment that is."""
        if self.consumers:
            return min(self.consumers.values())
        first = min(self.segments, default=1)
        count, through = self.segments.get(first, (0, 0))
        return Mark(first - 1, through - count)

    @property
    def is_exact(self) -> bool:
        """Whether the file says where what was not read begins, and where it ends."""
        return self.tail is not None and bool(self.consumers or 1 in self.segments)

    @property
    def last(self) -> Mark:
        known = [Mark(segment_id, through) for segment_id, (_, through) in self.segments.items()]
        return max([*known, *self.consumers.values(), self.tail or Mark(0, 0)])


async def salvage(path: str | Path) -> list[Salvaged]:
    """Puts what can be read of the damaged files of the journal at `path` back into it; counted once all the same, as
    an event replaces its own row. The files are then set aside, and nothing of them is deleted.

    Not for a process that has the journal open. Raises: BrokerUnavailable.
    """
    files = JournalFiles(path)
    await asyncio.to_thread(_find_damage, files)
    sink = JournalSink(path, metrics=Metrics())
    try:
        return [await _salvage(file, sink, files) for file in files.damaged()]
    except OSError as error:
        raise unavailable(files.path, error) from error
    finally:
        await sink.close()


def _find_damage(files: JournalFiles) -> None:
    """Looks through the newest file too, which nobody may have read yet."""
    newest = files.newest()
    try:
        with closing(files.open(newest)) as connection:
            findings = [str(row[0]) for row in connection.execute("PRAGMA quick_check(1)")]
    except (JournalDamaged, sqlite3.DatabaseError) as error:
        if isinstance(error, sqlite3.Error) and not is_damage(error):
            raise unavailable(newest, error) from error
        findings = [str(error)]
    if findings != ["ok"]:
        files.begin_after(newest, findings[0])
        time.sleep(_HAND_OVER_S)


async def _salvage(file: Path, sink: JournalSink, files: JournalFiles) -> Salvaged:
    with closing(Pages(file)) as pages:
        contents = await asyncio.to_thread(_contents, pages)
        done, last = contents.done, contents.last
        segments, events = await _keep_segments(pages, sink, after=done.segment_id)
        dead_letters = list(_dead_letters(pages))
    if dead_letters:
        await asyncio.to_thread(_insert, dead_letters, files)
    set_aside = await asyncio.to_thread(_set_aside, file)
    with closing(Pages(set_aside)) as pages:  # what a writer committed meanwhile that had not seen the fresh file
        late_segments, late_events = await _keep_segments(pages, sink, after=last.segment_id)
    return Salvaged(
        file=str(file),
        set_aside_as=str(set_aside),
        events=events + late_events,
        segments=segments + late_segments,
        lost_events=max(0, last.events_through - done.events_through - events),
        lost_segments=max(0, last.segment_id - done.segment_id - segments),
        is_lower_bound=not contents.is_exact,
        dead_letters=len(dead_letters),
    )


def _contents(pages: Pages) -> _Contents:
    contents = _Contents()
    for row in pages.rows():
        if row is not None:
            contents.add(*row)
    return contents


def _segments(pages: Pages, *, after: int) -> Iterator[list[bytes]]:
    """The events of each segment that can be read, one by one: a file may hold gigabytes."""
    found: set[int] = set()
    for row in pages.rows():
        if row is None or row[0] in found or row[0] <= after:
            continue
        match row[1]:
            case (None, int(), int(count), int(), bytes(packed)):
                payloads = unpack_segment(packed)
                if payloads is not None and len(payloads) == count:
                    found.add(row[0])
                    yield payloads


def _dead_letters(pages: Pages) -> Iterator[DeadLetter]:
    for row in pages.rows():
        match row and row[1]:
            case (str(position), str(code), str(reason), int(), bytes(payload)):
                yield DeadLetter(payload=payload, position=position, code=code, reason=reason)


async def _keep_segments(pages: Pages, sink: JournalSink, *, after: int) -> tuple[int, int]:
    """How many segments, and how many events of them, are in the log again. Raises: BrokerUnavailable."""
    segments = events = 0
    for payloads in _segments(pages, after=after):
        await _keep(payloads, sink)
        segments, events = segments + 1, events + len(payloads)
    return segments, events


async def _keep(payloads: list[bytes], sink: JournalSink) -> None:
    """Raises: BrokerUnavailable."""
    acks = dict.fromkeys(sink.append(payload) for payload in payloads)
    for ack in acks:  # one for each group of events
        await ack


def _insert(dead_letters: list[DeadLetter], files: JournalFiles) -> None:
    path, connection = files.open_newest()
    with closing(connection):
        try:
            insert_dead_letters(connection, dead_letters)
        except sqlite3.Error as error:
            raise unavailable(path, error) from error


def _set_aside(file: Path) -> Path:
    """Gives `file` and what SQLite has beside it a name under which nobody looks for a journal."""
    aside = next(
        place for number in range(1, 1000) if not (place := file.with_name(f"{file.name}.salvaged-{number}")).exists()
    )
    file.rename(aside)
    for suffix in ("-wal", "-shm"):
        beside = file.with_name(f"{file.name}{suffix}")
        if beside.exists():
            beside.rename(f"{aside}{suffix}")
    return aside
