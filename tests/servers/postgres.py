"""A real PostgreSQL server for tests: one that was given, the installed programs as a process, or Docker."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import create_engine, make_url
from sqlalchemy.schema import CreateSchema

from tests.servers.clickhouse import NoServer, docker_responses
from tests.servers.processes import free_port

IMAGE = "postgres:17"


@contextlib.contextmanager
def postgres_server() -> Iterator[str]:
    """A SQLAlchemy URL of an empty database. Raises: NoServer."""
    given = os.environ.get("FAREBOX_TEST_POSTGRES")
    if given:
        yield given
    elif binaries := _binaries():
        with _as_process(binaries) as url:
            yield url
    elif docker_responses():
        with _in_docker() as url:
            yield url
    else:
        raise NoServer("no FAREBOX_TEST_POSTGRES, no PostgreSQL installed, and no Docker")


def _binaries() -> Path | None:
    """The newest installation: Debian keeps each version's programs in a folder of their own, off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).parent if initdb else None


@contextlib.contextmanager
def _as_process(binaries: Path) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="farebox-postgres-") as folder:
        user = _owner(Path(folder))
        port = free_port()
        data = f"{folder}/data"
        _run([binaries / "initdb", "-D", data, "-U", "farebox", "-A", "trust", "--no-sync"], user)
        settings = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        _run([binaries / "pg_ctl", "-D", data, "-w", "-l", f"{folder}/log", "-o", settings, "start"], user)
        try:
            yield f"postgresql+psycopg://farebox@127.0.0.1:{port}/postgres"
        finally:
            _run([binaries / "pg_ctl", "-D", data, "-m", "immediate", "stop"], user)


def _owner(folder: Path) -> str | None:
    """The user to run as: PostgreSQL refuses root, so then the one its package made, or else nobody."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    name = "postgres" if "postgres" in names else "nobody"
    shutil.chown(folder, name)
    return name


def _run(command: Sequence[str | Path], user: str | None) -> None:
    done = subprocess.run(command, user=user, cwd="/", check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise NoServer(f"{command[0]}: {done.stderr.decode(errors='replace').strip()[-200:]}")


@contextlib.contextmanager
def _in_docker() -> Iterator[str]:
    from testcontainers.postgres import PostgresContainer

    with PostgresContainer(IMAGE, driver="psycopg") as container:
        yield container.get_connection_url()


def fresh_schema(url: str) -> str:
    """`url` of the database with a schema of its own in front, which is empty."""
    name = f"test_{uuid.uuid4().hex}"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(CreateSchema(name))
    engine.dispose()
    fresh = make_url(url).update_query_dict({"options": f"-csearch_path={name}"})
    return fresh.render_as_string(hide_password=False)
