"""What the outbox owes, on SQLite and on PostgreSQL: a notice is there once, and only with what it tells of."""

import asyncio
from collections.abc import Iterator, Sequence

import msgspec
import pytest
from sqlalchemy import Connection, select

from schemas.notice import Notice
from services.stores.state.database import Database
from services.stores.state.migrations.run import migrate_state
from services.stores.state.outbox import add_notices
from services.stores.state.tables import DELIVERY, NOTICE
from tests.builders.notices import a_notice


@pytest.fixture
def database(state_url: str) -> Iterator[Database]:
    asyncio.run(migrate_state(state_url))
    opened = Database(state_url, what="outbox")
    yield opened
    asyncio.run(opened.close())


def add(database: Database, *notices: tuple[Notice, Sequence[str]]) -> int:
    return asyncio.run(database.write(lambda connection: add_notices(connection, notices)))


def deliveries(database: Database) -> list[tuple[str, str]]:
    def read(connection: Connection) -> list[tuple[str, str]]:
        rows = connection.execute(select(DELIVERY.c.notice_id, DELIVERY.c.channel_id))
        return sorted((row.notice_id, row.channel_id) for row in rows)

    return asyncio.run(database.read(read))


def test_a_notice_that_is_made_again_is_not_sent_again(database: Database) -> None:
    first, second = a_notice("first"), a_notice("second")
    assert add(database, (first, ["mail", "slack"]), (first, ["mail", "slack"])) == 1
    assert add(database, (first, ["mail", "slack", "webhook"]), (second, ["mail", "mail"]), (second, ["mail"])) == 1
    assert deliveries(database) == [("first", "mail"), ("first", "slack"), ("second", "mail")]
    assert add(database) == 0


def test_a_notice_is_kept_digit_for_digit(database: Database) -> None:
    notice = a_notice()
    assert add(database, (notice, [])) == 1
    body = asyncio.run(database.read(lambda connection: connection.scalar(select(NOTICE.c.body))))
    assert msgspec.json.decode(str(body), type=Notice) == notice


def test_a_notice_goes_with_the_transaction_that_made_it(database: Database) -> None:
    def fail(connection: Connection) -> None:
        add_notices(connection, [(a_notice(), ["mail"])])
        raise RuntimeError("the state that it tells of was not written")

    with pytest.raises(RuntimeError, match="not written"):
        asyncio.run(database.write(fail))
    assert deliveries(database) == []
    assert add(database, (a_notice(), ["mail"])) == 1


def test_an_incident_is_the_same_from_firing_to_resolved_and_another_for_each_group() -> None:
    one = a_notice(group={"user": "a", "model": "b"})
    assert one.incident_id == a_notice("other id", group={"model": "b", "user": "a"}).incident_id
    assert len({one.incident_id, a_notice().incident_id, a_notice(source_id="another").incident_id}) == 3
