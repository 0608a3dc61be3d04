"""Named upstreams: kept in the state database, set by the command and by an admin key, reached through the proxy."""

import os
from pathlib import Path
from typing import Any

import anyio
import pytest
from typer.testing import CliRunner

from schemas.errors import Conflict, InvalidRequest
from schemas.key import Permission
from schemas.upstream import CredentialPolicy, NamedUpstream
from services.cli.app import app
from services.domain.routing.upstream import new_upstream
from services.stores.state.migrations.run import migrate_state
from services.stores.state.upstreams import SqlUpstreams
from tests.builders.records import chat_response
from tests.servers.proxy_rig import PROVIDER_KEY, SECRET, key_id_of, rig
from tests.servers.querying import QueryService
from tests.servers.scripted_provider import ScriptedProvider, http_response

EUROPE = NamedUpstream(
    name="europe",
    provider="AZURE",
    url="https://{region}.openai.azure.com/team",
    region="west",
    credentials=CredentialPolicy.STRIP,
    key_ids=("k1", "k2"),
)


async def _kept(url: str) -> None:
    await migrate_state(url)
    store = SqlUpstreams(url)
    await store.add_upstream("org", EUROPE)
    await store.add_upstream(
        "other", NamedUpstream(name="europe", provider="OPENAI", url="http://10.0.0.1", private=True)
    )
    await store.add_upstream("org", NamedUpstream(name="asia", provider="OPENAI", url="https://a.example"))
    with pytest.raises(Conflict, match="'europe'"):
        await store.add_upstream("org", EUROPE)
    assert [one.name for one in await store.upstreams_of("org")] == ["asia", "europe"]
    assert (await store.upstreams_of("org"))[1] == EUROPE
    assert (await store.remove_upstream("org", "europe"), await store.remove_upstream("org", "europe")) == (True, False)
    assert [one.private for one in await store.upstreams_of("other")] == [True]
    await store.close()


def test_rows_are_kept_by_organization_and_name(state_url: str) -> None:
    anyio.run(_kept, state_url)


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"name": "a/b"}, "name"),
        ({"name": ""}, "name"),
        ({"provider": "NOBODY"}, "'NOBODY'"),
        ({"url": "ftp://a"}, "url"),
        ({"url": "https://user:canary@a.example"}, "url"),
        ({"url": "https://a.example?key=canary"}, "url"),
        ({"url": "http://a.example"}, "without TLS"),
        ({"url": "https://10.0.0.5"}, "private"),
        ({"url": "https://169.254.169.254", "private": True}, "private"),
        ({"region": "west"}, "region"),
        ({"url": "https://{region}.a.example"}, "region"),
        ({"url": "https://{region}.a.example", "region": "a.b/c"}, "region"),
        ({"key_ids": ["k"] * 101}, "100"),
    ],
)
def test_a_row_that_cannot_be_is_refused_by_what_is_wrong(given: dict[str, Any], wrong: str) -> None:
    with pytest.raises(InvalidRequest, match=wrong) as refused:
        new_upstream(**{"name": "a", "provider": "azure", "url": "https://a.example"} | given)
    assert "canary" not in str(refused.value)


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    for name in [name for name in os.environ if name.startswith("FAREBOX_")]:
        monkeypatch.delenv(name)
    return CliRunner(env={"COLUMNS": "160"})


def test_an_operator_adds_lists_and_removes_them(runner: CliRunner, tmp_path: Path) -> None:
    here = ("--data", str(tmp_path))
    typed = ("Inside", "--url", "http://10.0.0.5:8000/v1", "--provider", "vllm", "--private", "--key", "k1")
    assert runner.invoke(app, ["upstreams", "add", *typed, *here]).output == "added inside\n"
    again = runner.invoke(app, ["upstreams", "add", *typed, *here])
    assert (again.exit_code, "'inside'" in again.output) == (1, True)
    listed = runner.invoke(app, ["upstreams", "list", *here]).output
    assert "VLLM at http://10.0.0.5:8000/v1, may be private; credentials: forward" in listed
    assert "for the keys k1" in listed
    assert runner.invoke(app, ["upstreams", "remove", "inside", *here]).output == "removed inside\n"
    assert runner.invoke(app, ["upstreams", "remove", "inside", *here]).exit_code == 1
    assert "no upstreams yet" in runner.invoke(app, ["upstreams", "list", *here]).output


def test_an_admin_key_adds_lists_and_removes_them_and_no_other_key_does(embedded_service: QueryService) -> None:
    service, organization = embedded_service, "org-upstreams"
    admin = service.key(organization, Permission.ADMIN)
    body = {"name": "Europe", "provider": "azure", "url": "https://team.openai.azure.com", "key_ids": ["k1"]}
    row = {**body, "name": "europe", "provider": "AZURE", "region": "", "credentials": "forward", "private": False}
    for permission in (Permission.READ, Permission.READ_WRITE, Permission.WRITE):
        key = service.key(organization, permission)
        assert service.ask("/v1/upstreams", key=key)[0] == 403
        assert service.ask("/v1/upstreams", body, key=key)[0] == 403
    assert service.ask("/v1/upstreams", body, key=admin) == (201, {"data": row, "error": None})
    assert service.ask("/v1/upstreams", body, key=admin)[0] == 409
    assert service.ask("/v1/upstreams", key=admin) == (200, {"data": [row], "error": None})
    assert service.ask("/v1/upstreams", {**body, "private": True}, key=admin)[0] == 422, "set by the command only"
    assert service.ask("/v1/upstreams", {**body, "url": "http://127.0.0.1:1"}, key=admin)[0] == 422
    other = service.key("org-upstreams-other", Permission.ADMIN)
    assert service.ask("/v1/upstreams", key=other) == (200, {"data": [], "error": None})
    assert service.ask("/v1/upstreams/europe", method="DELETE", key=other)[0] == 404
    assert service.ask("/v1/upstreams/EUROPE", method="DELETE", key=admin)[0] == 200
    assert service.ask("/v1/upstreams/europe", method="DELETE", key=admin)[0] == 404


async def _through_the_proxy() -> None:
    own = ScriptedProvider()
    async with own.listening(), rig(stream_usage="off") as proxy, proxy.client() as client:
        own.script = proxy.provider.script = [http_response(chat_response())]
        at: dict[str, Any] = {"provider": "OPENAI", "url": f"{own.url}/own", "private": True}
        proxy.upstreams.rows = [
            NamedUpstream(name="by-key", key_ids=(key_id_of(SECRET),), **at),
            NamedUpstream(name="bare", credentials=CredentialPolicy.STRIP, **at),
            NamedUpstream(name="public", provider="OPENAI", url="https://localhost"),
        ]
        assert (await client.post("/oai/v1/x", json={})).status_code == 200
        assert (await client.post("/anthropic/v1/x", json={})).status_code == 200, "of another provider"
        assert (await client.post("/upstreams/bare/v1/x", json={})).status_code == 200
        assert (
            await client.post("/anthropic/v1/x", json={}, headers={"Helicone-Upstream": "by-key"})
        ).status_code == 200
        refused = await client.post("/upstreams/public/v1/x", json={})
        events = await proxy.events(5)
    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "address_refused")
    assert [event.request.provider for event in events] == ["OPENAI", "ANTHROPIC", "OPENAI", "OPENAI", "OPENAI"]
    assert [event.request.target_url for event in events[::2][:2]] == [f"{own.url}/own/v1/x"] * 2
    assert len(proxy.provider.heads) == 1
    assert [PROVIDER_KEY.encode() in sent for sent in own.heads] == [True, False, True]
    assert [bool(event.request.account.key_hash) for event in events[:3]] == [True, True, False]
    assert b"helicone" not in b"".join(own.heads).lower()


def test_calls_go_to_them_by_key_path_and_header_with_what_is_meant_for_them() -> None:
    anyio.run(_through_the_proxy)
