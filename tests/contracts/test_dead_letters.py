"""What no worker could make a row of: how an operator sees it, takes it away, and puts it back."""

import asyncio
import json
import sqlite3
import stat
from base64 import b64decode
from pathlib import Path

import pytest

from schemas.event import DeadLetter, decode_event, encode_event
from services.ports.log import DeadLetters
from services.stores.journal.dead_letters import JournalDeadLetters
from services.stores.journal.file import open_journal
from services.stores.journal.files import JournalFiles
from services.stores.kafka.dead_letters import KafkaDeadLetters
from tests.builders.records import an_event
from tests.support.command_line import farebox
from tests.support.logs import EventLog, InJournal, InKafka, close_all, take_count, take_rest

NO_EVENT = DeadLetter(payload=b"\x00\xff", position="here:1", code="undecodable", reason="not an event\x1b[2J")
EVENT = DeadLetter(payload=encode_event(an_event()), position="here:2", code="unstorable", reason="too large")


@pytest.fixture(params=["journal", "kafka"])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> InJournal | InKafka:
    if request.param == "journal":
        return InJournal(tmp_path / "journal.sqlite")
    return await InKafka.fresh(request.getfixturevalue("kafka"), tmp_path)


async def _opened(log: InJournal | InKafka) -> DeadLetters:
    if isinstance(log, InJournal):
        return JournalDeadLetters(log.path)
    return await KafkaDeadLetters.open(log.brokers, prefix=log.prefix)


async def write_dead_letters(log: EventLog, *dead_letters: DeadLetter) -> None:
    source = await log.source()
    await source.write_dead_letters(dead_letters)
    await close_all(source)


@pytest.mark.anyio
async def test_dead_letters_are_read_as_they_were_dead_lettered_and_forgotten_where_that_can_be(
    log: InJournal | InKafka,
) -> None:
    dead_letters = await _opened(log)
    assert [dead_letter async for dead_letter in dead_letters.read()] == []
    many = [DeadLetter(payload=bytes(10_000), position=f"there:{i}", code="c", reason="r") for i in range(30)]
    await write_dead_letters(log, NO_EVENT, EVENT, *many)
    assert [dead_letter async for dead_letter in dead_letters.read()] == [NO_EVENT, EVENT, *many]
    forgotten = await dead_letters.forget([EVENT, *many])
    assert [dead_letter async for dead_letter in dead_letters.read()] == (
        [NO_EVENT] if forgotten else [NO_EVENT, EVENT, *many]
    )
    assert forgotten == isinstance(log, InJournal)
    await dead_letters.close()


@pytest.fixture
def journal(tmp_path: Path) -> InJournal:
    """One of an embedded Farebox, with two dead letters."""
    log = InJournal(tmp_path / "data/journal.sqlite")
    asyncio.run(write_dead_letters(log, NO_EVENT, EVENT))
    return log


def test_dead_letters_are_listed_by_what_is_wrong_without_what_people_said(journal: InJournal) -> None:
    result = farebox("dead-letters", "--data", str(journal.path.parent))
    assert result.returncode == 0, result
    assert "undecodable: 1 event\n  here:1, 2 bytes: not an event\\x1b[2J" in result.stdout
    assert f"here:2, {len(EVENT.payload):,} bytes: too large" in result.stdout
    assert an_event().request.request_id in result.stdout
    assert "This version can read 1 event" in result.stdout
    assert "messages" not in result.stdout


def test_dead_letters_are_exported_whole_for_their_user_alone(journal: InJournal, tmp_path: Path) -> None:
    file = tmp_path / "letters.jsonl"
    where = ("--data", str(journal.path.parent), "--export", str(file))
    assert farebox("dead-letters", *where).stdout == f"2 dead letters in {file}\n"
    kept = [json.loads(line) for line in file.read_text().splitlines()]
    assert [b64decode(dead_letter["payload"]) for dead_letter in kept] == [NO_EVENT.payload, EVENT.payload]
    assert [dead_letter["reason"] for dead_letter in kept] == [NO_EVENT.reason, EVENT.reason]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = farebox("dead-letters", *where)
    assert (again.returncode, "File exists" in again.stderr) == (1, True)


def test_dead_letters_that_can_be_read_are_put_back_once_and_the_rest_stays(journal: InJournal) -> None:
    here = ("--data", str(journal.path.parent))
    result = farebox("dead-letters", "--retry", *here)
    assert result.returncode == 0, result
    assert "1 event put back into the log.\n1 dead letter left" in result.stdout
    assert "0 events put back into the log." in farebox("dead-letters", "--retry", *here).stdout

    async def taken() -> None:
        source = await journal.source()
        (delivery,) = await take_count(source, 1)
        assert decode_event(delivery.payload) == an_event()
        assert await take_rest(source) == []
        await close_all(source)

    asyncio.run(taken())


def test_a_log_that_may_replace_nothing_is_not_put_back(tmp_path: Path) -> None:
    conflict = DeadLetter(payload=EVENT.payload, position="here:3", code="log_conflict", reason="another key")
    log = InJournal(tmp_path / "data/journal.sqlite")
    asyncio.run(write_dead_letters(log, conflict))
    here = ("--data", str(log.path.parent))
    assert "can read" not in farebox("dead-letters", *here).stdout
    result = farebox("dead-letters", "--retry", *here).stdout
    assert result == "0 events put back into the log.\n1 dead letter left that no row can be made of.\n"


def test_refused_logs_are_deleted_on_request_and_nothing_else_is(journal: InJournal) -> None:
    conflict = DeadLetter(payload=EVENT.payload, position="here:3", code="log_conflict", reason="another key")
    asyncio.run(write_dead_letters(journal, conflict))
    here = ("--data", str(journal.path.parent))
    assert "--discard-conflicts deletes them" in farebox("dead-letters", *here).stdout
    assert farebox("dead-letters", "--discard-conflicts", *here).stdout == "1 refused log deleted.\n"
    left = farebox("dead-letters", *here).stdout
    assert "log_conflict" not in left
    assert "here:1" in left
    assert "here:2" in left


@pytest.mark.anyio
async def test_dead_letters_are_forgotten_though_a_damaged_file_beside_them_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    old = sqlite3.connect(path)
    open_journal(path).close()
    files = JournalFiles(path)
    files.begin_after(path, "for the test")
    await write_dead_letters(InJournal(path), EVENT)
    dead_letters = JournalDeadLetters(path)
    old.execute("CREATE TRIGGER kept BEFORE DELETE ON dead_letter BEGIN SELECT RAISE(ABORT, 'damaged'); END")
    old.execute("INSERT INTO dead_letter VALUES ('there:1', 'c', 'r', 0, x'00')")
    old.commit()
    old.close()
    listed = [dead_letter async for dead_letter in dead_letters.read()]
    assert len(listed) == 2
    assert await dead_letters.forget(listed) is False
    assert [dead_letter.position async for dead_letter in dead_letters.read()] == ["there:1"]
    await dead_letters.close()


def test_no_dead_letters_are_said_to_be_none(tmp_path: Path) -> None:
    JournalDeadLetters(tmp_path / "journal.sqlite")
    assert "There are no dead letters" in farebox("dead-letters", "--data", str(tmp_path)).stdout


def test_a_folder_that_is_not_there_is_named_and_not_made(tmp_path: Path) -> None:
    for command in (("dead-letters",), ("dead-letters", "--retry"), ("keys", "list"), ("keys", "revoke", "x")):
        result = farebox(*command, "--data", str(tmp_path / "mistyped"))
        assert (result.returncode, result.stdout) == (1, "")
        assert f"{tmp_path}/mistyped/" in result.stderr
        assert "does not exist: --data names the folder" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_putting_back_and_exporting_are_not_done_at_once(journal: InJournal, tmp_path: Path) -> None:
    file = tmp_path / "letters.jsonl"
    result = farebox("dead-letters", "--retry", "--export", str(file), "--data", str(journal.path.parent))
    assert (result.returncode, result.stdout) == (1, "")
    assert "--retry, --export and --discard-conflicts cannot be combined; export first" in result.stderr
    assert not file.exists()
    assert "2 dead letters" in farebox("dead-letters", "--export", str(file), "--data", str(journal.path.parent)).stdout
