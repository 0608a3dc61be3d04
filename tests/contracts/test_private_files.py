"""What Farebox keeps in files is its user's alone, also when each process runs by itself."""

import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import InvalidSetting
from services.stores.journal.sink import JournalSink
from services.stores.journal.source import JournalSource
from services.stores.state.api_keys import SqlKeyStore
from services.stores.state.migrations.run import migrate_state
from services.telemetry.metrics import Metrics
from tests.builders.records import an_event

REPO = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    return {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in [folder, *folder.iterdir()]}


def test_the_journal_and_what_sqlite_puts_beside_it(tmp_path: Path) -> None:
    async def while_open() -> dict[str, str]:
        sink = JournalSink(tmp_path / "log/journal.sqlite", metrics=Metrics(), group_s=0.001)
        await sink.publish(an_event())
        found = modes(tmp_path / "log")
        await sink.close()
        return found

    beside = {f"journal.sqlite{suffix}": "0o600" for suffix in ("", "-wal", "-shm", ".intake-0")}
    assert asyncio.run(while_open()) == {"log": "0o700"} | beside


def test_what_locks_the_journal_and_the_folders_above_it(tmp_path: Path) -> None:
    source = JournalSource(tmp_path / "data/demo/journal.sqlite", consumer="one")
    found = modes(tmp_path / "data/demo")
    asyncio.run(source.close())
    assert found.pop("demo") == modes(tmp_path / "data")["data"] == "0o700"
    assert found["journal.sqlite.one.lock"] == "0o600"


def test_the_state_and_the_warehouse_of_processes_that_run_apart(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    environ = {
        "PYTHONPATH": str(REPO),
        "FAREBOX_STATE": f"sqlite:///{kept}/state.sqlite",
        "FAREBOX_WAREHOUSE": f"chdb:{kept}/warehouse",
        "FAREBOX_EVENT_LOG": f"journal:{kept}/journal.sqlite",
    }
    subprocess.run([sys.executable, "-m", "services.migrate"], env=environ, check=True, capture_output=True, timeout=60)
    found = modes(kept)
    assert (found["state.sqlite"], found["warehouse"]) == ("0o600", "0o700")


def test_what_an_operator_opened_to_others_stays_open(tmp_path: Path) -> None:
    file = tmp_path / "state.sqlite"
    file.touch(mode=0o640)
    file.chmod(0o640)
    asyncio.run(migrate_state(f"sqlite:///{file}"))
    assert modes(tmp_path)["state.sqlite"] == "0o640"


def test_a_place_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidSetting, match="cannot be used: File exists"):
        SqlKeyStore(f"sqlite:///{tmp_path}/file/state.sqlite")
