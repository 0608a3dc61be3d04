"""What a lease owes, on SQLite and on PostgreSQL: one holder at a time, however many come at once."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection

from services.stores.state.database import Database
from services.stores.state.leases import Lease, holder_of
from services.stores.state.migrations.run import migrate_state
from tests.builders.records import TIMESTAMP

MINUTE = timedelta(minutes=1)
FIRST, SECOND = Lease(name="a job", holder="first"), Lease(name="a job", holder="second")


@pytest.fixture
def database(state_url: str) -> Iterator[Database]:
    asyncio.run(migrate_state(state_url))
    opened = Database(state_url, what="leases")
    yield opened
    close(opened)


def close(database: Database) -> None:
    asyncio.run(database.close())


def acquire(database: Database, lease: Lease, at: datetime = TIMESTAMP) -> bool:
    return asyncio.run(database.write(lambda connection: lease.acquire(connection, at=at, until=at + MINUTE)))


def renew(database: Database, lease: Lease, until: datetime) -> bool:
    return asyncio.run(database.write(lambda connection: lease.renew(connection, until=until)))


def release(database: Database, lease: Lease) -> bool:
    return asyncio.run(database.write(lease.release))


def holder(database: Database, name: str = "a job") -> str | None:
    return asyncio.run(database.read(lambda connection: holder_of(connection, name)))


def test_a_lease_has_one_holder_until_it_is_released(database: Database) -> None:
    assert holder(database) is None
    assert acquire(database, FIRST)
    assert not acquire(database, SECOND)
    assert holder(database) == "first"
    assert release(database, FIRST)
    assert holder(database) is None
    assert acquire(database, SECOND)


def test_a_lease_expires_and_its_last_holder_learns_that_it_was_lost(database: Database) -> None:
    assert acquire(database, FIRST)
    assert not acquire(database, SECOND, TIMESTAMP + MINUTE), "it lasts to its last microsecond"
    assert acquire(database, SECOND, TIMESTAMP + MINUTE + timedelta(microseconds=1))
    assert not renew(database, FIRST, TIMESTAMP + 9 * MINUTE)
    assert not release(database, FIRST)
    assert holder(database) == "second"


def test_a_renewed_lease_lasts_longer_even_if_it_had_expired(database: Database) -> None:
    assert acquire(database, FIRST)
    assert renew(database, FIRST, TIMESTAMP + 5 * MINUTE)
    assert not acquire(database, SECOND, TIMESTAMP + 4 * MINUTE)
    assert acquire(database, SECOND, TIMESTAMP + 6 * MINUTE)


def test_a_holder_that_acquires_again_is_refused_like_any_other(database: Database) -> None:
    assert acquire(database, FIRST)
    assert not acquire(database, FIRST)
    assert acquire(database, FIRST, TIMESTAMP + 2 * MINUTE)


def test_leases_of_other_names_are_not_touched(database: Database) -> None:
    other = Lease(name="another job", holder="second")
    assert acquire(database, FIRST)
    assert acquire(database, other)
    assert release(database, FIRST)
    assert holder(database, "another job") == "second"


def test_what_is_never_acquired_is_neither_renewed_nor_released(database: Database) -> None:
    assert not renew(database, FIRST, TIMESTAMP + MINUTE)
    assert not release(database, FIRST)


def test_a_lease_is_acquired_together_with_what_it_protects_or_not_at_all(database: Database) -> None:
    def fail(connection: Connection) -> bool:
        assert FIRST.acquire(connection, at=TIMESTAMP, until=TIMESTAMP + MINUTE)
        raise LookupError

    with pytest.raises(LookupError):
        asyncio.run(database.write(fail))
    assert holder(database) is None


def test_of_many_that_come_at_once_one_gets_it(database: Database, state_url: str) -> None:
    with ExitStack() as stack:
        databases = [Database(state_url, what="leases") for _ in range(6)]
        for opened in databases:
            stack.callback(close, opened)
        with ThreadPoolExecutor(len(databases)) as threads:
            leases = [Lease(name="a job", holder=str(number)) for number in range(len(databases))]
            acquired = list(threads.map(acquire, databases, leases))
    assert acquired.count(True) == 1
    assert holder(database) == str(acquired.index(True))
