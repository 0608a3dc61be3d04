"""`farebox dead-letters`: events that no worker could make a row of, and how they come into the log again."""

import os
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from rich.text import Text

from schemas.errors import InvalidSetting, LogConflict, PoisonMessage
from schemas.event import DeadLetter, ExchangeEvent
from schemas.log_entry import LogEntry, decode_entry, identity_of
from schemas.omission import Omission
from services.cli.terminal import escape, minute, pluralize
from services.domain.omission import omits, with_omission, without_bodies
from services.hashing import KeyedHashes
from services.ports.log import DeadLetters
from services.process import closed_by
from services.settings.processes import ProxySettings
from services.stores.factory import open_dead_letters, open_event_sink, open_secrets
from services.telemetry.metrics import Metrics

_SHOWN: Final = 5  # of each code


class DeadLetterView(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter without its payload, which holds prompts and responses."""

    position: str
    code: str
    reason: str
    payload_bytes: int
    request: str  # which one it is; empty when it cannot be read


class PutBack(msgspec.Struct, frozen=True, kw_only=True):
    """How many letters are events in the log again, how many can be no rows, and whether the first were deleted."""

    back: int
    unreadable: int
    forgotten: bool


async def fetch_views(event_log: str) -> list[DeadLetterView]:
    """Raises: BrokerUnavailable, InvalidSetting."""
    async with _letters(event_log) as letters:
        return [_view(letter) async for letter in letters.read()]


async def export(event_log: str, file: Path) -> int:
    """Writes the letters, payloads and all, as JSON lines that only this user can read; how many.

    Raises: BrokerUnavailable, InvalidSetting when `file` is there already, or cannot be made.
    """
    count = 0
    with _private(file) as out:
        async with _letters(event_log) as letters:
            async for letter in letters.read():
                out.write(msgspec.json.encode(letter) + b"\n")  # payloads as base64
                count += 1
    return count


async def put_back(settings: ProxySettings) -> PutBack:
    """Publishes again what can become a row now. Counted once all the same: an event replaces its own row.

    Raises: BrokerUnavailable, InvalidSetting.
    """
    back: list[DeadLetter] = []
    unreadable = 0
    async with _letters(settings.event_log) as letters, AsyncExitStack() as stack:
        hashes = KeyedHashes(closed_by(stack, open_secrets(settings.state)))
        sink = await open_event_sink(
            settings.event_log, durability="strict", spill=settings.kafka_spill, state=settings.state, metrics=Metrics()
        )
        try:
            async for letter in letters.read():
                entry = _entry(letter)
                if entry is None or letter.code == LogConflict.code:
                    unreadable += 1
                    continue
                await sink.publish(await _without_omitted(entry, settings.omit_bodies, hashes))
                back.append(msgspec.structs.replace(letter, payload=b""))
        finally:
            await sink.close()
        return PutBack(back=len(back), unreadable=unreadable, forgotten=await letters.forget(back))


async def discard_conflicts(event_log: str) -> tuple[int, bool]:
    """Deletes the logs that were refused, as they would replace what they may not; how many, and whether that worked.

    Raises: BrokerUnavailable, InvalidSetting.
    """
    async with _letters(event_log) as letters:
        refused = [
            msgspec.structs.replace(letter, payload=b"")
            async for letter in letters.read()
            if letter.code == LogConflict.code
        ]
        return len(refused), await letters.forget(refused)


def listed(letters: Iterable[DeadLetterView]) -> Iterator[Text]:
    """The letters by what is wrong with them, and what to do."""
    by_code = groupby(sorted(letters, key=lambda one: one.code), key=lambda one: one.code)
    found = {code: list(its) for code, its in by_code}
    if not found:
        yield Text("There are no dead letters: every event has become a row, or still waits in the log.")
        return
    for code, its in found.items():
        yield Text(f"{escape(code)}: {pluralize(len(its), 'event')}", style="bold")
        for one in its[:_SHOWN]:
            yield Text(f"  {escape(one.position)}, {pluralize(one.payload_bytes, 'byte')}: {escape(one.reason)}")
            if one.request:
                yield Text(f"    {escape(one.request)}")
        if len(its) > _SHOWN:
            yield Text(f"  and {len(its) - _SHOWN:,} more: --export FILE writes them all")
    readable = sum(1 for code, its in found.items() for one in its if one.request and code != LogConflict.code)
    if readable:
        yield Text(f"This version can read {pluralize(readable, 'event')}: --retry puts that back into the log.")
    if LogConflict.code in found:
        yield Text("Refused logs: what they would have replaced stands. --discard-conflicts deletes them.")


def put_back_lines(result: PutBack) -> Iterator[Text]:
    """What putting back did."""
    yield Text(f"{pluralize(result.back, 'event')} put back into the log.")
    if result.back and not result.forgotten:
        yield Text("Their copies stay, in Kafka or a damaged file. Putting them back once more changes nothing.")
    if result.unreadable:
        yield Text(f"{pluralize(result.unreadable, 'dead letter')} left that no row can be made of.")


def _view(letter: DeadLetter) -> DeadLetterView:
    entry = _entry(letter)
    return DeadLetterView(
        position=letter.position,
        code=letter.code,
        reason=letter.reason,
        payload_bytes=len(letter.payload),
        request="" if entry is None else _request(entry),
    )


def _request(entry: LogEntry) -> str:
    organization_id, request_id = identity_of(entry)
    if isinstance(entry, ExchangeEvent):
        return f"request {request_id} of {organization_id}, {minute(entry.request.created_at)} (UTC)"
    return f"amendment of request {request_id} of {organization_id}, {minute(entry.recorded_at)} (UTC)"


async def _without_omitted(entry: LogEntry, omission: Omission, hashes: KeyedHashes) -> LogEntry:
    """An event that an older version wrote may hold bodies that are to be omitted."""
    if not isinstance(entry, ExchangeEvent):
        return entry
    event = with_omission(entry, omission)
    return without_bodies(event, await hashes.load()) if omits(event) else event


def _entry(letter: DeadLetter) -> LogEntry | None:
    try:
        return decode_entry(letter.payload)
    except PoisonMessage:
        return None


@asynccontextmanager
async def _letters(event_log: str) -> AsyncIterator[DeadLetters]:
    letters = await open_dead_letters(event_log)
    try:
        yield letters
    finally:
        await letters.close()


def _private(file: Path) -> BinaryIO:
    try:
        return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except OSError as error:
        raise InvalidSetting(f"{file} cannot be written: {error.strerror}") from error
