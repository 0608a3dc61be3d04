"""Fixtures that several rooms of tests share: the real engines, each started at most once a run."""

import contextlib
import functools
import gc
import os
import re
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings
from xdist.remote import Producer  # type: ignore[import-untyped]
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from tests.servers.clickhouse import NoServer, clickhouse_server
from tests.servers.kafka import kafka_server
from tests.servers.postgres import postgres_server
from tests.servers.redis import RedisProcess, redis_process
from tests.servers.warehouses import fresh_database, migrated
from tests.support.examples import TIMES, examples

DASHBOARD = "tests/dashboard/"

# How long an example takes depends on the machine. CI draws the same ones for every change, so that each is judged by
# itself; all other runs draw new ones.
settings.register_profile(
    "farebox",
    deadline=None,
    max_examples=examples(40),
    derandomize=bool(os.environ.get("CI")) and TIMES == 1,
    print_blob=True,
)
settings.load_profile("farebox")


def unavailable(what: str, reason: object) -> NoReturn:
    """Skips, saying why; where everything must be there (CI is set), fails."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}: {reason}", pytrace=False)
    pytest.skip(f"{what}: {reason}")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """What tests marked `anyio` run on."""
    return "asyncio"


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """The address of a real Kafka broker, without topics."""
    with contextlib.ExitStack() as stack:
        try:
            address = stack.enter_context(kafka_server())
        except NoServer as reason:
            unavailable("Kafka", reason)
        yield address


@pytest.fixture(scope="session")
def clickhouse_address() -> Iterator[str]:
    """A real ClickHouse server, `http://USER:PASSWORD@HOST:PORT`."""
    with contextlib.ExitStack() as stack:
        try:
            address = stack.enter_context(clickhouse_server())
        except NoServer as reason:
            unavailable("ClickHouse server", reason)
        yield address


@pytest.fixture(scope="session")
def clickhouse(clickhouse_address: str) -> Iterator[str]:
    """A database of the server, not migrated: `http://USER:PASSWORD@HOST:PORT/DATABASE`."""
    with fresh_database(clickhouse_address) as url:
        yield url


@pytest.fixture(scope="session")
def embedded_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseWarehouse]:
    """The engine in this process, migrated. One for all tests: a process can open one folder only."""
    with migrated(f"chdb:{tmp_path_factory.mktemp('warehouse')}") as warehouse:
        yield warehouse


@pytest.fixture(scope="session")
def server_warehouse(clickhouse_address: str) -> Iterator[ClickHouseWarehouse]:
    """A migrated database of the server."""
    with fresh_database(clickhouse_address) as url, migrated(url) as warehouse:
        yield warehouse


@pytest.fixture(params=["embedded", "server"])
def warehouse(request: pytest.FixtureRequest) -> ClickHouseWarehouse:
    """Both shapes of the warehouse, one after the other. Tests keep apart by `organization_id`."""
    opened: ClickHouseWarehouse = request.getfixturevalue(f"{request.param}_warehouse")
    return opened


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a real PostgreSQL."""
    with contextlib.ExitStack() as stack:
        try:
            url = stack.enter_context(postgres_server())
        except NoServer as reason:
            unavailable("PostgreSQL", reason)
        yield url


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisProcess]:
    """A real Redis of this run's own, which may be stopped for a while. Tests keep apart by `organization_id`."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(redis_process())
        except NoServer as reason:
            unavailable("Redis", reason)
        yield server


@pytest.fixture
def organization_id() -> str:
    """An organization of which no other test knows."""
    return f"org-{uuid.uuid4()}"


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected stays until the end, so Python's collector need not look at it again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what would prove the same twice: see `first_on_server` in pyproject.toml."""
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    sent: set[str] = set()
    for item in items:
        test, _, case = item.nodeid.partition("[")
        is_again = test in sent and case.startswith("server-")
        (left_out if is_again else kept).append(item)
        if case.startswith("server-") and item.get_closest_marker("first_on_server"):
            sent.add(test)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """Where files are shared out, those stay together that share something expensive.

    One demo and one browser serve the dashboard's, and one broker Kafka's: each takes some of a core also when idle.
    """
    return _Rooms(config, log) if config.getoption("dist") == "loadfile" else None


class _Rooms(LoadFileScheduling):  # type: ignore[misc]  # it has no types
    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(DASHBOARD):
            return DASHBOARD
        file: str = super()._split_scope(nodeid)
        return "kafka" if _uses_kafka(self.config.rootpath / file) else file


@functools.cache
def _uses_kafka(file: Path) -> bool:
    """Whether some test in it has the fixture `kafka`, by itself or of a log of each kind."""
    return re.search(r"\bkafka: str|getfixturevalue\(.kafka.\)|\blog: EventLog", file.read_text()) is not None
