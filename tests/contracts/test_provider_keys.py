"""Providers' keys that Farebox adds: stored by command and API, encrypted, and sent to their own server alone."""

import asyncio
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from schemas.event import ExchangeEvent
from schemas.key import Permission
from schemas.provider_key import SigningKey
from schemas.upstream import CredentialPolicy, NamedUpstream
from services.cli.app import app
from services.domain.routing.sigv4 import signed_headers
from services.stores.cache.sqlite_cache import SqliteCache
from services.stores.state.migrations.run import migrate_state
from services.stores.state.upstreams import SqlUpstreams
from tests.builders.records import chat_response
from tests.servers.proxy_rig import PROVIDER_KEY, Rig, rig
from tests.servers.proxy_rig import SECRET as OWN_SECRET
from tests.servers.querying import QueryService
from tests.servers.scripted_provider import ScriptedProvider, http_response

STORED = "sk-stored-canary-77"
OWN = NamedUpstream(
    name="own", provider="OPENAI", url="https://own.example", credentials=CredentialPolicy.STORED, key_ids=("k1",)
)
KEY_ID, SECRET, TOKEN = "AKIAEXAMPLEEXAMPLE1", "canary-secret-of-the-signer", "canary-session-token"
SIGNING = {"aws-access-key": KEY_ID, "aws-secret-key": SECRET, "aws-session-token": TOKEN}
CONVERSE = "/bedrock/v1/us-east-1/model/us.amazon.nova-pro-v1%3A0/converse"


async def _stored(url: str) -> None:
    await migrate_state(url)
    store = SqlUpstreams(url, encryption_key="of-the-operator")
    await store.add_upstream("org", OWN, provider_key=STORED)
    await store.add_upstream("org", replace(OWN, name="bare", credentials=CredentialPolicy.STRIP))
    assert await store.provider_keys_of("org") == {"own": STORED}
    assert await store.provider_keys_of("other") == {}
    assert STORED not in repr(await store.upstreams_of("org"))
    replaced = [
        await store.replace_provider_key(*row, "sk-new") for row in (("org", "own"), ("org", "bare"), ("o", "own"))
    ]
    assert replaced == [True, False, False]
    assert await store.provider_keys_of("org") == {"own": "sk-new"}
    elsewhere = SqlUpstreams(url, encryption_key="another")
    assert await elsewhere.provider_keys_of("org") == {}, "as it cannot be decrypted"
    assert await store.remove_upstream("org", "own")
    assert await store.provider_keys_of("org") == {}
    for one in (store, elsewhere):
        await one.close()


def test_keys_are_kept_encrypted_by_organization_and_upstream(state_url: str) -> None:
    anyio.run(_stored, state_url)


def _tables(file: Path) -> str:
    with sqlite3.connect(file) as connection:
        return "\n".join(connection.iterdump())


def test_an_operator_stores_and_replaces_a_key_from_a_file_a_variable_or_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("FAREBOX_")]:
        monkeypatch.delenv(name)
    runner, here = CliRunner(env={"COLUMNS": "160", "OPENAI_KEY": STORED}), ("--data", str(tmp_path))
    key_file = tmp_path / "key.txt"
    key_file.write_text(f"{STORED}\n")
    add = ("upstreams", "add", "own", "--url", "https://own.example", "--provider", "openai", *here)
    assert runner.invoke(app, [*add, "--provider-key-from", str(key_file)]).output == "added own\n"
    listed = runner.invoke(app, ["upstreams", "list", *here]).output
    assert "credentials: stored" in listed
    key = ("upstreams", "key", *here, "--provider-key-from")
    replaced = "replaced the provider's key of own\n"
    assert runner.invoke(app, [*key, "env:OPENAI_KEY", "Own"]).output == replaced
    assert runner.invoke(app, [*key, "-", "own"], input=f"{STORED}\n").output == replaced
    refused = {
        "there is no upstream": runner.invoke(app, [*key, "env:OPENAI_KEY", "other"]),
        "there is no key in env:NOT_SET": runner.invoke(app, [*key, "env:NOT_SET", "own"]),
        "cannot be read": runner.invoke(app, [*key, str(tmp_path / "missing"), "own"]),
        "exactly where credentials are `stored`": runner.invoke(
            app,
            [
                "upstreams",
                "add",
                "b",
                "--url",
                "https://b.example",
                "--provider",
                "openai",
                *here,
                "--credentials",
                "stored",
            ],
        ),
    }
    assert [(one.exit_code, text in one.output) for text, one in refused.items()] == [(1, True)] * len(refused)
    assert STORED not in listed + _tables(tmp_path / "state.sqlite")


def test_an_admin_key_stores_and_replaces_a_key_that_no_response_shows(embedded_service: QueryService) -> None:
    service, organization = embedded_service, "org-provider-keys"
    admin = service.key(organization, Permission.ADMIN)
    body = {"name": "own", "provider": "openai", "url": "https://own.example", "credentials": "stored"}
    at = "/v1/upstreams/own/provider-key"
    assert service.ask("/v1/upstreams", body, key=admin)[0] == 422, "there is no key"
    refused = service.ask("/v1/upstreams", {**body, "provider_key": f"{STORED} \n"}, key=admin)
    assert (refused[0], STORED in str(refused[1])) == (422, False)
    added = service.ask("/v1/upstreams", {**body, "provider_key": STORED}, key=admin)
    assert (added[0], added[1]["data"]["credentials"], "provider_key" in added[1]["data"]) == (201, "stored", False)
    assert STORED not in str([added, service.ask("/v1/upstreams", key=admin)])
    given = {"provider_key": "sk-new"}
    assert service.ask(at, given, key=admin, method="PUT")[0] == 200
    writer = service.key(organization, Permission.READ_WRITE)
    assert service.ask(at, given, key=writer, method="PUT")[0] == 403
    assert service.ask(at.replace("own", "other"), given, key=admin, method="PUT")[0] == 404
    assert service.ask(at, {"provider_key": "a b c"}, key=admin, method="PUT")[0] == 422


def _hash_of(event: ExchangeEvent) -> str:
    return event.request.account.key_hash


async def _sent_with_stored_keys() -> None:
    own = ScriptedProvider()
    async with own.listening(), rig(stream_usage="off") as proxy, proxy.client() as client:
        own.script = proxy.provider.script = [http_response(chat_response())]
        proxy.upstreams.rows = [replace(OWN, url=f"{own.url}/own", private=True)]
        proxy.upstreams.provider_keys = {"own": STORED}
        for path in ("/upstreams/own/v1/chat/completions", "/oai/v1/chat/completions"):
            assert (await client.post(path, json={}, headers={"x-api-key": "of-another"})).status_code == 200
        without = dict(client.headers) | {"authorization": ""}
        assert (await client.post("/upstreams/own/v1/x?key=q", json={}, headers=without)).status_code == 200
        events = await proxy.events(3)
    first, elsewhere, bare = events
    for sent in own.heads:
        assert sent.lower().count(b"authorization:") == 1
        assert f"Authorization: Bearer {STORED}".encode() in sent
        assert not any(one in sent for one in (PROVIDER_KEY.encode(), b"of-another", b"key=q"))
    assert len(own.heads) == 2
    assert STORED.encode() not in b"".join(proxy.provider.heads)
    assert _hash_of(first) == _hash_of(bare) != _hash_of(elsewhere)
    assert _hash_of(first)
    assert STORED.encode() not in proxy.everything_logged()


def test_a_stored_key_is_sent_to_its_server_alone_and_the_row_shows_its_hash() -> None:
    anyio.run(_sent_with_stored_keys)


async def _cached(cache: SqliteCache) -> None:
    own = ScriptedProvider()
    async with own.listening(), rig(cache=cache) as proxy, proxy.client() as client:
        own.script = [http_response(chat_response())]
        proxy.upstreams.rows = [replace(OWN, url=f"{own.url}/own", private=True)]

        async def ask(stored: str, own_key: str) -> str:
            proxy.upstreams.provider_keys = {"own": stored}
            proxy.keys.known[f"sk-helicone-{stored}"] = proxy.keys.known[OWN_SECRET]  # a key that is looked up anew
            headers = {"Helicone-Auth": f"Bearer sk-helicone-{stored}", "Authorization": f"Bearer {own_key}"}
            headers["Helicone-Cache-Enabled"] = "true"
            response = await client.post("/upstreams/own/v1/chat/completions", json={}, headers=headers)
            for _ in range(100):
                if proxy.metrics.get("proxy_cache_saved_total") == len(own.heads):
                    break
                await asyncio.sleep(0.01)
            return str(response.headers["helicone-cache"])

        asked = [await ask(stored, own_key) for stored, own_key in (("s-1", "a"), ("s-1", "b"), ("s-2", "a"))]
    assert asked == ["MISS", "HIT", "MISS"], "by the key that is sent, whichever the client has"


def test_the_response_cache_tells_stored_keys_apart(tmp_path: Path) -> None:
    anyio.run(_cached, SqliteCache(tmp_path / "cache.sqlite", max_bytes=2**20))


def _lines(head: bytes) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, _, value in (line.partition(b": ") for line in head.split(b"\r\n")[1:] if line)]


def _check_signed(proxy: Rig, number: int) -> None:
    """The request that the provider got is signed as it came there."""
    head, body = proxy.provider.heads[number], proxy.provider.bodies[number]
    method, target, _ = head.split(b"\r\n", 1)[0].split(b" ")
    lines = _lines(head)
    named = {name.lower(): value for name, value in lines}
    key = SigningKey(
        key_id=KEY_ID.encode(),
        secret=SECRET.encode(),
        session_token=TOKEN.encode(),
        region=b"us-east-1",
        service=b"bedrock",
    )
    at = datetime.strptime(named[b"x-amz-date"].decode(), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    again = signed_headers(key, method=method, target=target, host=named[b"host"], headers=lines, body=body, at=at)
    assert dict(again)[b"Authorization"] == named[b"authorization"]
    assert abs(datetime.now(UTC) - at).total_seconds() < 60
    assert named[b"x-amz-security-token"] == TOKEN.encode()
    assert SECRET.encode() not in head
    assert b"aws-" not in head.lower()


async def _signed() -> None:
    own_signature = {"Authorization": "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLEEXAMPLE1/20261122/us-east-1/bedrock, S=x"}

    async def pieces() -> object:
        for piece in (b'{"messages"', b": [", b"]}"):
            yield piece

    async with rig() as proxy, proxy.client() as client:
        whole = await client.post(CONVERSE, json={"messages": []}, headers=SIGNING)
        chunked = await client.post(CONVERSE, content=pieces(), headers=SIGNING | own_signature)  # type: ignore[arg-type]
        bodiless = await client.get("/bedrock/v1/us-east-1/foundation-models?b=2&a=1", headers=SIGNING)
        assert [one.status_code for one in (whole, chunked, bodiless)] == [200] * 3
        for number in range(3):
            _check_signed(proxy, number)
        assert proxy.provider.bodies == [b'{"messages":[]}', b'{"messages": []}', b""]
        passed = await client.post(CONVERSE, json={}, headers=own_signature)
        assert passed.status_code == 200
        events = await proxy.events(4)
    assert len({_hash_of(event) for event in events}) == 1, "the hash of the key's id, whoever signs"
    assert _hash_of(events[0])
    logged = proxy.everything_logged()
    assert not any(secret.encode() in logged for secret in (KEY_ID, SECRET, TOKEN))


def test_requests_are_signed_for_the_provider_with_the_key_of_their_headers() -> None:
    anyio.run(_signed)
