"""What a KeyStore owes, on SQLite and on PostgreSQL."""

import asyncio
import logging
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import pytest
from sqlalchemy import create_engine, text

from schemas.errors import InvalidSetting, StoreUnavailable
from schemas.key import Permission
from services.key_secrets import hash_of
from services.stores.sqlite_wal import switch_to_wal
from services.stores.state.api_keys import SqlKeyStore
from services.stores.state.migrations.run import migrate_state


@pytest.fixture
def keys(state_url: str) -> Iterator[SqlKeyStore]:
    asyncio.run(migrate_state(state_url))
    store = SqlKeyStore(state_url)
    yield store
    asyncio.run(store.close())


def create(keys: SqlKeyStore, organization_id: str, permission: Permission = Permission.READ_WRITE) -> tuple[str, str]:
    key, secret = asyncio.run(keys.create_key(organization_id=organization_id, name="a key", permission=permission))
    return key.id, secret


@pytest.mark.parametrize("permission", list(Permission))
def test_a_secret_identifies_its_organization_and_permission(
    keys: SqlKeyStore, organization_id: str, permission: Permission
) -> None:
    _, secret = create(keys, organization_id, permission)
    assert asyncio.run(keys.organization_of(secret)) == (organization_id, permission)


@pytest.mark.parametrize(
    "secret", ["", "sk-helicone-aaaaaaa-aaaaaaa-aaaaaaa-aaaaaaa", "Bearer x", "' OR 1=1 --", "\ud800\x00"]
)
def test_an_unknown_secret_is_nobodys(keys: SqlKeyStore, secret: str) -> None:
    assert asyncio.run(keys.organization_of(secret)) is None


def test_secrets_have_the_shape_that_clients_check_and_differ(keys: SqlKeyStore, organization_id: str) -> None:
    secrets = {create(keys, organization_id)[1] for _ in range(20)}
    assert len(secrets) == 20
    assert all(re.fullmatch(r"sk-helicone(-[a-z0-9]{7}){4}", secret) for secret in secrets)


def test_a_revoked_key_is_refused_from_then_on(keys: SqlKeyStore, organization_id: str) -> None:
    key_id, secret = create(keys, organization_id)
    _, other = create(keys, organization_id)
    assert asyncio.run(keys.revoke_key(organization_id, key_id))
    assert asyncio.run(keys.organization_of(secret)) is None
    assert asyncio.run(keys.organization_of(other)) is not None
    assert not asyncio.run(keys.revoke_key(organization_id, key_id)), "a key is revoked once"


def test_nobody_revokes_the_key_of_another_organization(keys: SqlKeyStore, organization_id: str) -> None:
    key_id, secret = create(keys, organization_id)
    assert not asyncio.run(keys.revoke_key("somebody-else", key_id))
    assert asyncio.run(keys.organization_of(secret)) is not None


def test_keys_are_listed_for_their_organization_only_the_revoked_too(keys: SqlKeyStore, organization_id: str) -> None:
    key, secret = asyncio.run(
        keys.create_key(organization_id=organization_id, name="first", permission=Permission.READ)
    )
    second, _ = create(keys, organization_id)
    create(keys, f"not-{organization_id}")
    asyncio.run(keys.revoke_key(organization_id, second))

    listed = asyncio.run(keys.list_keys(organization_id))
    assert listed[0] == key
    assert (listed[0].hint, listed[0].created_at.utcoffset()) == (secret[-4:], key.created_at.utcoffset())
    assert [(key.id, key.revoked_at is None) for key in listed] == [(key.id, True), (second, False)]


def test_a_key_that_helicone_stored_would_be_known_by_the_same_hash() -> None:
    # Worked out apart: printf 'Bearer sk-helicone-aizk36y-5yue2my-qmy5tza-n7x3aqa' | sha256sum
    expected = "014c02f17208d4f521b0bad39a1d0174e015e86f925cbbcc25108ffea74fd7f2"
    assert hash_of("sk-helicone-aizk36y-5yue2my-qmy5tza-n7x3aqa") == expected


def test_the_secret_is_neither_stored_nor_logged(
    keys: SqlKeyStore, state_url: str, organization_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        _, secret = create(keys, organization_id)
        asyncio.run(keys.organization_of(secret))
    engine = create_engine(state_url)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM api_key, api_key_secret")).all()
    engine.dispose()
    assert hash_of(secret) in str(rows)
    assert secret not in str(rows) + caplog.text
    assert hash_of(secret) not in caplog.text


def test_a_migration_waits_for_another_writer_of_a_new_file(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "state.sqlite", isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE of_another (name TEXT)")
    other.execute("BEGIN IMMEDIATE")
    ends = Timer(0.3, other.execute, ["COMMIT"])
    ends.start()
    state = f"sqlite:///{tmp_path}/state.sqlite"
    asyncio.run(migrate_state(state))
    store = SqlKeyStore(state)
    assert asyncio.run(store.list_keys("nobody")) == []
    asyncio.run(store.close())
    ends.join()
    other.close()


@pytest.mark.timeout(30)
def test_nobody_waits_for_a_file_that_can_never_be_written(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "state.sqlite").execute("CREATE TABLE of_another (name TEXT)").connection.close()
    connection = sqlite3.connect(f"file:{tmp_path}/state.sqlite?mode=ro", uri=True)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        switch_to_wal(connection, wait_s=3600)
    connection.close()


def test_before_a_migration_the_store_is_unavailable(state_url: str) -> None:
    store = SqlKeyStore(state_url)
    with pytest.raises(StoreUnavailable):
        asyncio.run(store.organization_of("x"))
    asyncio.run(store.close())


def test_an_unreachable_server_makes_the_store_unavailable_and_shows_no_password() -> None:
    store = SqlKeyStore("postgresql+psycopg://farebox:hunter2@127.0.0.1:1/none")
    with pytest.raises(StoreUnavailable) as raised:
        asyncio.run(store.organization_of("x"))
    assert "hunter2" not in f"{raised.value} {raised.value.__cause__}"
    asyncio.run(store.close())


@pytest.mark.parametrize("url", ["", "nonsense", "sqlite://", "mystery://u:hunter2@h/d", "mysql://u:hunter2@h/d"])
def test_a_url_that_names_no_known_database_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(InvalidSetting) as raised:
        SqlKeyStore(url)
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_readers_go_on_while_somebody_writes(tmp_path: Path) -> None:
    state = f"sqlite:///{tmp_path}/state.sqlite"
    asyncio.run(migrate_state(state))
    keys = SqlKeyStore(state)
    _, secret = create(keys, "org")
    writer = sqlite3.connect(tmp_path / "state.sqlite", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE api_key SET name = 'another'")
    assert asyncio.run(keys.organization_of(secret)) is not None
    writer.close()
    asyncio.run(keys.close())
