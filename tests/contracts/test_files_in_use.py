"""A database that a process has open keeps its locks and its write-ahead log, whatever is opened beside it.

POSIX drops all of a process's locks on a file when that process closes any descriptor of it. SQLite knows that and
defers its own closing; whoever else opens and closes the file takes the locks away. The next process that leaves the
database then takes itself for the last one, and deletes the write-ahead log below the one that still writes to it.
"""

import asyncio
import os
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from schemas.event import encode_event
from schemas.key import Permission
from schemas.seal import Held
from services.stores.journal.dead_letters import JournalDeadLetters
from services.stores.journal.sink import JournalSink
from services.stores.journal.source import JournalSource
from services.stores.kafka.producer import KafkaWriter
from services.stores.kafka.spill import Spill
from services.stores.private_files import make_private_file
from services.stores.state.api_keys import SqlKeyStore
from services.stores.state.migrations.run import migrate_state
from services.stores.state.prices import SqlPriceRows
from services.stores.state.releases import SqlPricingReleases
from services.stores.state.reprices import SqlReprices
from services.telemetry.metrics import Metrics
from tests.support.logs import events, journal_rows

pytestmark = pytest.mark.anyio

Write = Callable[[], Awaitable[None]]


@asynccontextmanager
async def a_journal(path: Path) -> AsyncIterator[Write]:
    """Each piece is opened beside those before it, as `farebox up` does."""
    source = JournalSource(path)
    sink = JournalSink(path, metrics=Metrics(), group_s=0.001)
    dead_letters = JournalDeadLetters(path)

    async def write() -> None:
        await sink.publish(events(1)[0])
        await source.backlog()

    await write()
    await JournalSink(path, metrics=Metrics()).close()
    await JournalSource(path, consumer="another").close()
    await JournalDeadLetters(path).close()
    yield write
    for each in (dead_letters, sink, source):
        await each.close()


@asynccontextmanager
async def a_spill(path: Path) -> AsyncIterator[Write]:
    """A broker that is unreachable; a second proxy's spill in the same process comes and goes."""
    writer = KafkaWriter(["127.0.0.1:1"], "events")

    def opened() -> Spill:
        return Spill(path, writer, metrics=Metrics(), queue_bytes=2**20, delivery_timeout_s=1)

    spill = opened()

    async def write() -> None:
        await spill.keep([encode_event(events(1)[0])], Held(events=1))

    await write()
    await opened().close()
    await JournalSource(path, consumer="kafka", keep_s=0).close()
    yield write
    await spill.close()
    await writer.close()


@asynccontextmanager
async def a_state_database(path: Path) -> AsyncIterator[Write]:
    """All stores of `farebox up`."""
    url = f"sqlite:///{path}"
    await migrate_state(url)
    keys = SqlKeyStore(url)

    async def write() -> None:
        await keys.create_key(organization_id="org-1", name="one", permission=Permission.READ_WRITE)

    await write()
    prices, releases, reprices, others = SqlPriceRows(url), SqlPricingReleases(url), SqlReprices(url), SqlKeyStore(url)
    await prices.all_prices()
    await releases.other_release_active_until()
    await reprices.list_reprices("org-1", limit=1)
    await others.list_keys("org-1")
    for store in (prices, releases, reprices, others):
        await store.close()
    yield write
    await keys.close()


STORES = {"journal": a_journal, "spill": a_spill, "state": a_state_database}
ROWS = {"journal": "segment", "spill": "segment", "state": "api_key"}

LOOK = """
    import fcntl, sys
    # Where SQLite holds a shared lock while a database in WAL mode is open.
    with open(sys.argv[1], "r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)
        except OSError:
            print("locked")
        else:
            print("free")
"""
COME_AND_GO = """
    import sqlite3, sys
    connection = sqlite3.connect(sys.argv[1])
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    connection.execute("CREATE TABLE IF NOT EXISTS beside (x)")
    connection.execute("INSERT INTO beside VALUES (1)")
    connection.commit()
    connection.close()
"""


async def in_another_process(program: str, path: Path) -> str:
    command = [sys.executable, "-c", textwrap.dedent(program), str(path)]
    done = await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout.strip()


def deleted_while_open(path: Path) -> list[str]:
    """Files of this process whose names begin with `path`, and that nobody else can find any more."""
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            links.append(os.readlink(descriptor))
        except OSError:  # closed meanwhile
            continue
    return [link for link in links if link.startswith(str(path)) and link.endswith(" (deleted)")]


def rows_in(path: Path, table: str) -> int:
    return int(journal_rows(path, f"SELECT count(*) FROM {table}")[0][0])


@pytest.mark.parametrize("kind", STORES)
async def test_a_store_keeps_its_locks_while_others_open_and_close_the_same_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"{kind}.sqlite"
    async with STORES[kind](path):
        assert await in_another_process(LOOK, path) == "locked"


@pytest.mark.parametrize("kind", STORES)
async def test_what_is_written_beside_a_process_that_comes_and_goes_is_there_for_everybody(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / f"{kind}.sqlite"
    async with STORES[kind](path) as write:
        before = rows_in(path, ROWS[kind])
        for _ in range(3):
            await in_another_process(COME_AND_GO, path)
            assert deleted_while_open(path) == []
            await write()
        assert await in_another_process(LOOK, path) == "locked"
    assert rows_in(path, ROWS[kind]) == before + 3


async def test_a_consumer_keeps_its_lease_while_the_file_of_it_is_requested_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    source = JournalSource(path, consumer="one")
    lease = path.with_name("journal.sqlite.one.lock")
    make_private_file(lease)
    assert await in_another_process(LOOK, lease) == "locked"
    await source.close()
