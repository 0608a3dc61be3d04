"""What one client holds up on purpose stays its own: connections, log look-ups, and whether the service is ready."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from schemas.errors import StoreUnavailable
from schemas.event import ExchangeEvent
from schemas.key import Permission
from schemas.statement import Statement
from services.proxy import log_conflicts
from services.proxy.log_conflicts import LogConflicts
from services.query.caches import PropertyNameCache
from services.query.http import connection as connections
from services.query.readiness import Readiness
from services.sql.prices import compile_prices
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.memory import ManualClock
from tests.builders.records import TIMESTAMP, an_event
from tests.contracts.test_query_connections import connected, post, read_all
from tests.servers.querying import LIST, AwayWarehouse, QueryService, query_service

MAX_CONNECTIONS = 20


@pytest.fixture
def crowded(
    embedded_warehouse: ClickHouseWarehouse, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[QueryService]:
    """A service with room for few connections."""
    folder = tmp_path_factory.mktemp("state")
    with query_service(embedded_warehouse, folder, max_connections=MAX_CONNECTIONS) as running:
        yield running


def connected_after(request: bytes, service: QueryService, stack: ExitStack) -> socket.socket:
    connection = stack.enter_context(connected(service))
    connection.sendall(request)
    return connection


def page(key: str) -> bytes:
    return b"GET /v1/report/summary HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\n\r\n" % key.encode()


def test_bodies_that_are_left_unsent_do_not_keep_others_out(crowded: QueryService) -> None:
    unsent = post(crowded.key("org-1"), "Content-Length: 9\r\n") + b"{"
    with ExitStack() as stack:
        for _ in range(2 * MAX_CONNECTIONS):
            connected_after(unsent, crowded, stack)
        assert crowded.ask(LIST, {"filter": "all"}, key=crowded.key("org-2"))[0] == 201


def test_responses_that_are_left_unread_do_not_keep_others_out(crowded: QueryService) -> None:
    unread = b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 150
    with ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", crowded.port))
            connection.sendall(unread)
        assert next(filter(None, (responds(crowded) for _ in range(100))), False)


def responds(service: QueryService) -> bool:
    """False where the connection is refused, after a while."""
    try:
        return bool(service.ask("/healthz", key="")[0] == 200)
    except ConnectionError:
        time.sleep(0.1)
        return False


def test_connections_with_a_key_that_rest_make_room_too(crowded: QueryService) -> None:
    key = crowded.key("org-1")
    with ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS):
            assert connected_after(page(key), crowded, stack).recv(9) == b"HTTP/1.1 "
        assert crowded.ask(LIST, {"filter": "all"}, key=crowded.key("org-2"))[0] == 201


def test_a_connection_that_logs_calls_counts_as_one_with_a_key(crowded: QueryService) -> None:
    key = crowded.key("org-1", Permission.WRITE)
    log = b"POST /custom/v1/log HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\nContent-Length: 2\r\n\r\n{}"
    with ExitStack() as stack:
        logger = connected_after(log % key.encode(), crowded, stack)
        logger.recv(65536)
        others = [connected_after(b"", crowded, stack) for _ in range(3 * MAX_CONNECTIONS)]
        for ended in others[: 2 * MAX_CONNECTIONS]:  # all of these made room for later ones
            with suppress(ConnectionError):
                assert ended.recv(1) == b""
        logger.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert logger.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_who_sends_far_too_much_is_no_longer_read_and_can_read_the_413(embedded_service: QueryService) -> None:
    with connected(embedded_service) as connection:
        connection.sendall(post(embedded_service.key("org-1"), f"Content-Length: {2**30}\r\n"))
        connection.settimeout(1)
        with pytest.raises(TimeoutError):  # nobody takes it any more
            connection.sendall(bytes(2**27))
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_broken_request_is_not_responded_to_before_the_one_ahead_of_it(
    embedded_service: QueryService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LINGER_S", 0.5)
    key = embedded_service.key("org-1")
    broken = post(key, "Transfer-Encoding: chunked\r\n") + b"no size\r\n"
    with connected(embedded_service) as connection:
        connection.sendall(page(key) + broken)
        response = read_all(connection)
    assert response.startswith(b"HTTP/1.1 200 ")
    assert response.count(b"HTTP/1.1 ") == 1


# Readiness


class BusyWarehouse(AwayWarehouse):
    """A warehouse that has time for one organization only."""

    def __init__(self, organization_id: str) -> None:
        self.organization_id = organization_id
        self.queries = 0
        self.given_up = threading.Event()

    async def query(self, statement: Statement) -> list[dict[str, Any]]:
        self.queries += 1
        if statement.organization_id != self.organization_id:
            await asyncio.to_thread(self.given_up.wait, 20)
        return []


def test_a_queue_of_reports_does_not_make_the_service_unready(tmp_path_factory: pytest.TempPathFactory) -> None:
    warehouse = BusyWarehouse("")
    with query_service(warehouse, tmp_path_factory.mktemp("state")) as service:
        path = "/v1/prices/unknown"
        with ExitStack() as stack:
            stack.callback(warehouse.given_up.set)
            for number in range(2):
                key = service.key(f"org-{number}").encode()
                for _ in range(2):
                    connected_after(
                        b"GET %b HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\n\r\n" % (path.encode(), key),
                        service,
                        stack,
                    )
            while warehouse.queries < 3:  # as many as may run at once of what is not cheap
                assert service.ask("/healthz", key="")[0] == 200
            ready = b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            connection = connected_after(ready, service, stack)
            connection.settimeout(5)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


class Keys:
    """A key store that counts, and is unreachable at first."""

    def __init__(self) -> None:
        self.queries = 0

    async def organization_of(self, _: str) -> None:
        self.queries += 1
        await asyncio.sleep(0)
        if self.queries == 1:
            raise StoreUnavailable("the state database")


def test_readiness_is_checked_once_for_all_who_want_to_know(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        keys = Keys()
        readiness = Readiness(BusyWarehouse(""), keys)  # type: ignore[arg-type]  # one method is used
        outcomes = await asyncio.gather(*(readiness.check() for _ in range(50)), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
        with pytest.raises(StoreUnavailable):
            await readiness.check()
        assert keys.queries == 1
        monkeypatch.setattr("services.query.readiness.MAX_AGE_S", -1)
        await readiness.check()
        assert keys.queries == 2

    asyncio.run(story())


# Turns at the warehouse


def test_a_price_is_looked_up_in_the_turn_of_its_organization() -> None:
    assert compile_prices("org-1", ["operator/1"]).organization_id == "org-1"


class CountingWarehouse(AwayWarehouse):
    """A warehouse that takes its time, and counts how much it is called at once."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self.running = self.most_running = 0

    async def query(self, statement: Statement) -> list[dict[str, Any]]:
        self.statements.append(statement)
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        await asyncio.sleep(0.05)
        self.running -= 1
        return [
            {"property_key": key, "spelling": key.upper()}
            for keys in statement.parameters.values()
            if isinstance(keys, tuple)
            for key in keys
            if isinstance(key, str)
        ]


class NoRows(CountingWarehouse):
    async def query(self, statement: Statement) -> list[dict[str, Any]]:
        await super().query(statement)
        return []


def test_logs_are_looked_up_one_at_a_time_and_those_that_wait_too_long_are_taken_unchecked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def check(event: ExchangeEvent, count: int) -> NoRows:
        warehouse = NoRows()
        conflicts = LogConflicts(warehouse)
        await asyncio.gather(*(conflicts.check(event) for _ in range(count)))
        return warehouse

    warehouse = asyncio.run(check(an_event(), 10))
    assert (len(warehouse.statements), warehouse.most_running) == (10, 1)
    monkeypatch.setattr(log_conflicts, "LOOK_UP_S", 0.12)
    assert len(asyncio.run(check(an_event(), 100)).statements) < 50


def test_spellings_are_looked_up_by_name_and_remembered() -> None:
    async def story() -> None:
        warehouse, clock = CountingWarehouse(), ManualClock(TIMESTAMP)
        names = PropertyNameCache(warehouse, clock)
        assert await names.spellings_of("org-1", {"a", "b"}) == {"a": "A", "b": "B"}
        assert await names.spellings_of("org-1", {"a"}) == {"a": "A"}
        assert await names.spellings_of("org-1", set()) == {}
        assert len(warehouse.statements) == 1
        assert await names.spellings_of("org-1", {"a", "c"}) == {"a": "A", "c": "C"}
        assert await names.spellings_of("org-2", {"a"}) == {"a": "A"}
        assert [statement.parameters["p1"] for statement in warehouse.statements] == [("a", "b"), ("c",), ("a",)]
        clock.advance(seconds=61)
        await names.spellings_of("org-1", {"a"})
        assert len(warehouse.statements) == 4

    asyncio.run(story())


def test_many_long_names_are_looked_up_in_parts() -> None:
    async def story() -> None:
        warehouse = CountingWarehouse()
        names = {f"{number:04}" + "x" * 4000 for number in range(10)}
        found = await PropertyNameCache(warehouse, ManualClock(TIMESTAMP)).spellings_of(
            "org-1", names | {"y" * 100_000}
        )
        assert found.keys() == names
        assert len(warehouse.statements) == 4

    asyncio.run(story())
