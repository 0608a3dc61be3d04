"""Secrets that end, on SQLite and on PostgreSQL: rotated, expired, imported; and when a key was used last."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.errors import Conflict, ExpiredKey
from schemas.key import ApiKey, Permission
from services.stores.state.api_keys import USE_EVERY, SqlKeyStore
from services.stores.state.migrations.run import migrate_state

HOUR = timedelta(hours=1)
OF_HELICONE = "sk-helicone-aizk36y-5yue2my-qmy5tza-n7x3aqa"


@pytest.fixture
def keys(state_url: str) -> Iterator[SqlKeyStore]:
    asyncio.run(migrate_state(state_url))
    store = SqlKeyStore(state_url)
    yield store
    asyncio.run(store.close())


def create(keys: SqlKeyStore, organization_id: str, **terms: Any) -> tuple[ApiKey, str]:
    made = {"organization_id": organization_id, "name": "a key", "permission": Permission.READ_WRITE}
    return asyncio.run(keys.create_key(**(made | terms)))


def rotate(keys: SqlKeyStore, key: ApiKey, overlap: timedelta) -> tuple[ApiKey, str]:
    rotated = asyncio.run(keys.rotate_key(key.organization_id, key.id, overlap=overlap, rotated_by="somebody"))
    assert rotated is not None
    return rotated


def listed(keys: SqlKeyStore, organization_id: str) -> ApiKey:
    (key,) = asyncio.run(keys.list_keys(organization_id))
    return key


def is_valid(keys: SqlKeyStore, secret: str) -> bool:
    try:
        return asyncio.run(keys.key_of(secret)) is not None
    except ExpiredKey:
        return False


def test_a_rotated_key_has_both_secrets_for_a_while_and_stays_the_same_key(
    keys: SqlKeyStore, organization_id: str
) -> None:
    key, old = create(keys, organization_id)
    rotated, new = rotate(keys, key, HOUR)
    found = [asyncio.run(keys.key_of(secret)) for secret in (old, new)]
    assert [one.id for one in found if one] == [key.id] * 2
    assert [one.hint for one in found if one] == [old[-4:], new[-4:]]
    now = listed(keys, organization_id)
    assert (now.hint, now.secret_id, now.rotated_by) == (new[-4:], rotated.secret_id, "somebody")
    assert now.old_secret_until is not None
    assert abs(now.old_secret_until - datetime.now(UTC) - HOUR) < timedelta(minutes=5)


def test_a_second_rotation_never_prolongs_a_secret_and_may_end_it(keys: SqlKeyStore, organization_id: str) -> None:
    key, first = create(keys, organization_id)
    _, second = rotate(keys, key, timedelta(0))
    _, third = rotate(keys, key, HOUR)
    assert [is_valid(keys, secret) for secret in (first, second, third)] == [False, True, True]
    _, fourth = rotate(keys, key, timedelta(0))
    assert [is_valid(keys, secret) for secret in (first, second, third, fourth)] == [False, False, False, True]
    with pytest.raises(ExpiredKey, match="has a new secret; the old one was valid until 20"):
        asyncio.run(keys.key_of(first))


def test_a_session_ends_with_the_secret_that_began_it(keys: SqlKeyStore, organization_id: str) -> None:
    key, secret = create(keys, organization_id)
    found = asyncio.run(keys.key_of(secret))
    assert found is not None
    assert found.secret_id == key.secret_id
    by_id = asyncio.run(keys.key_by_secret_id(key.secret_id))
    assert by_id is not None
    assert by_id.id == key.id
    rotated, _ = rotate(keys, key, timedelta(0))
    with pytest.raises(ExpiredKey):
        asyncio.run(keys.key_by_secret_id(key.secret_id))
    assert asyncio.run(keys.key_by_secret_id(rotated.secret_id)) is not None
    assert asyncio.run(keys.revoke_key(organization_id, key.id, revoked_by="me"))
    assert asyncio.run(keys.key_by_secret_id(rotated.secret_id)) is None
    assert listed(keys, organization_id).revoked_by == "me"


@pytest.mark.parametrize("end", ["revoked", "expired", "of another organization", "unknown"])
def test_what_is_not_in_force_is_not_rotated(keys: SqlKeyStore, organization_id: str, end: str) -> None:
    past = datetime.now(UTC) - HOUR
    key, _ = create(keys, organization_id, expires_at=past if end == "expired" else None)
    if end == "revoked":
        asyncio.run(keys.revoke_key(organization_id, key.id))
    whose = "somebody-else" if end == "of another organization" else organization_id
    key_id = "no-such-key" if end == "unknown" else key.id
    assert asyncio.run(keys.rotate_key(whose, key_id, overlap=HOUR, rotated_by="x")) is None


def test_an_expired_key_says_since_when(keys: SqlKeyStore, organization_id: str) -> None:
    past = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    _, secret = create(keys, organization_id, expires_at=past)
    with pytest.raises(ExpiredKey, match="expired at 2026-01-02T03:04:05Z"):
        asyncio.run(keys.key_of(secret))
    assert asyncio.run(keys.organization_of(secret)) is None
    _, later = create(keys, organization_id, expires_at=datetime.now(UTC) + HOUR)
    assert is_valid(keys, later)


def test_a_secret_that_exists_is_taken_once(keys: SqlKeyStore, organization_id: str) -> None:
    secret = f"{OF_HELICONE}-{organization_id}"
    key, same = create(keys, organization_id, secret=secret)
    assert same == secret
    found = asyncio.run(keys.key_of(secret))
    assert found is not None
    assert found.id == key.id
    with pytest.raises(Conflict) as raised:
        create(keys, "somebody-else", secret=secret)
    assert secret not in str(raised.value)
    assert asyncio.run(keys.list_keys("somebody-else")) == [], "nothing is left of it"


def test_a_use_is_written_down_now_and_then_and_a_check_is_none(keys: SqlKeyStore, organization_id: str) -> None:
    async def story() -> None:
        _, secret = await keys.create_key(organization_id=organization_id, name="a", permission=Permission.READ)
        await keys.organization_of(secret)
        await asyncio.gather(*keys._uses)
        assert (await keys.list_keys(organization_id))[0].last_used_at is None
        await keys.key_of(secret)
        await asyncio.gather(*keys._uses)
        (first,) = await keys.list_keys(organization_id)
        assert first.last_used_at is not None
        assert datetime.now(UTC) - first.last_used_at < USE_EVERY
        await keys.key_of(secret)
        assert not keys._uses, "it was written a moment ago"

    asyncio.run(story())
