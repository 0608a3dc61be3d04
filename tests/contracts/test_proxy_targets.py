"""Routes by host, key and header, over real sockets: to the named server and to no other, with what is meant for it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from schemas.event import Outcome
from tests.builders.records import chat_response
from tests.servers.proxy_rig import PROVIDER_KEY, SECRET, Rig, rig
from tests.servers.scripted_provider import Do, ScriptedProvider, http_response

pytestmark = pytest.mark.anyio

PLAIN = {"model": "gpt-4o", "messages": []}


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def proxy(anyio_backend: object) -> AsyncIterator[Rig]:  # noqa: ARG001
    async with rig(stream_usage="off") as one:
        one.provider.script = [http_response(chat_response())]
        yield one


def asked(path: str, *lines: str, host: str = "proxy") -> bytes:
    """A raw request without a key of ours but what `lines` hold, whose response closes the connection."""
    first = [f"POST {path} HTTP/1.1", f"Host: {host}", "Connection: close", "Content-Length: 2", *lines, "", "{}"]
    return "\r\n".join(first).encode()


TARGET = "Helicone-Target-URL: http://127.0.0.1:{port}"
AUTH = f"Helicone-Auth: Bearer {SECRET}"


@pytest.mark.parametrize(
    ("request_", "provider", "line"),
    [
        (asked("/v1/chat/completions", AUTH, host="oai.farebox.test"), "OPENAI", b"POST /v1/chat/completions "),
        (asked("/v1/messages", AUTH, host="anthropic.farebox.test"), "ANTHROPIC", b"POST /below/here/v1/messages "),
        (asked("/mistral/v1/chat/completions", AUTH), "MISTRAL", b"POST /v1/chat/completions "),
        (asked(f"/v1/{SECRET}/x", host="groq.farebox.test"), "GROQ", b"POST /v1/x "),
        (asked("/oai/v1/x", f"Authorization: Bearer {SECRET}"), "OPENAI", b"POST /v1/x "),
        (asked("/oai/v1/x", f"Authorization: Bearer mine, Bearer {SECRET}"), "OPENAI", b"POST /v1/x "),
        (asked("/anthropic/v1/x", f"x-api-key: {SECRET}"), "ANTHROPIC", b"POST /below/here/v1/x "),
        (asked("/bedrock/v1/eu-west-1/model/m/invoke", AUTH), "AWS", b"POST /model/m/invoke "),
        (asked("/gateway/a?b=c", AUTH, "Helicone-Target-URL: http://127.0.0.1:{port}/x"), "127.0.0.1", b"POST /a?b=c "),
        (
            asked("/a", AUTH, "Helicone-Target-URL: http://127.0.0.1:{port}", host="gateway.f.test"),
            "127.0.0.1",
            b"POST /a ",
        ),
        (asked("/oai/a", AUTH, "Helicone-OpenAI-Api-Base: http://127.0.0.1:{port}/v"), "OPENAI", b"POST /a "),
    ],
)
async def test_a_request_reaches_the_server_that_it_names(
    proxy: Rig, request_: bytes, provider: str, line: bytes
) -> None:
    got = await proxy.raw(request_.replace(b"{port}", b"%d" % proxy.provider.port))
    assert got.startswith(b"HTTP/1.1 200 "), got
    event = await proxy.event()
    assert event.request.provider == provider
    sent = proxy.provider.heads[0]
    assert sent.startswith(line)
    assert f"Host: 127.0.0.1:{proxy.provider.port}\r\n".encode() in sent
    assert SECRET.encode() not in sent + proxy.everything_logged()
    assert b"helicone" not in sent.lower()
    assert (b"Bearer mine" in sent) is (b"Bearer mine" in request_)


@pytest.mark.parametrize(
    ("path", "lines", "status", "code"),
    [
        ("/gateway/v1/x", [], 400, "missing_target"),
        ("/gateway/v1/x", ["Helicone-Target-URL: https://169.254.169.254"], 403, "target_not_allowed"),
        ("/gateway/v1/x", ["Helicone-Target-URL: https://metadata.google.internal"], 403, "target_not_allowed"),
        ("/gateway/v1/x", ["Helicone-Target-URL: http://127.0.0.1:1"], 403, "target_not_allowed"),
        ("/gateway/v1/x", ["Helicone-Target-URL: https://canary:canary@api.openai.com"], 400, "invalid_request"),
        ("/gateway/v1/x", ["Helicone-Target-URL: https://2130706433/?key=canary"], 400, "invalid_request"),
        ("/anthropic/v1/x", ["Helicone-Target-URL: https://api.openai.com"], 400, "invalid_request"),
        ("/oai/v1/x", ["Helicone-OpenAI-Api-Base: https://canary.example"], 403, "target_not_allowed"),
        ("/oai/v1/x", ["Helicone-Upstream: nobody"], 404, "not_found"),
        ("/upstreams/nobody/v1/x", [], 404, "not_found"),
        ("/oai/v1/x", ["__helicone-mock-response: {"], 400, "invalid_request"),
    ],
)
async def test_a_target_that_is_not_allowed_is_refused_before_a_byte_leaves(
    proxy: Rig, path: str, lines: list[str], status: int, code: str
) -> None:
    got = await proxy.raw(asked(path, AUTH, f"Authorization: Bearer {PROVIDER_KEY}", *lines))
    assert got.startswith(b"HTTP/1.1 %d " % status), got
    error = json.loads(got.partition(b"\r\n\r\n")[2])["error"]
    assert (error["code"], "canary:" in error["message"], "key=" in error["message"]) == (code, False, False)
    assert (proxy.provider.connections, proxy.metrics.get("proxy_refused_total")) == (0, 1)
    await proxy.events(0)


async def test_a_redirect_is_the_clients_to_judge_and_is_not_followed(proxy: Rig) -> None:
    elsewhere = ScriptedProvider()
    async with elsewhere.listening(), proxy.client() as client:
        proxy.provider.script = [
            http_response(b"", status="307 Temporary Redirect", more=f"Location: {elsewhere.url}\r\n")
        ]
        target = {"Helicone-Target-URL": proxy.provider.url}
        got = await client.post("/gateway/v1/x", json=PLAIN, headers=target)
        assert (got.status_code, got.headers["location"]) == (307, elsewhere.url)
        assert elsewhere.connections == 0


async def test_cookies_of_this_address_reach_no_provider(proxy: Rig) -> None:
    """A client keeps them for the proxy, whichever provider set them, and a browser those of the dashboard."""
    async with proxy.client() as client:
        await client.post("/oai/v1/x", json=PLAIN, headers={"Cookie": "session=canary"})
    assert b"cookie" not in proxy.provider.heads[0].lower()


async def test_a_key_in_the_query_is_forwarded_and_in_no_event_metric_or_error(proxy: Rig) -> None:
    canary = "AIza-canary-query"
    async with proxy.client() as client:
        good = await client.post(f"/google/v1beta/models/g:generateContent?key={canary}", json={})
        gateway = await client.post(f"/gateway/v1/x?key={canary}", json={})
        proxy.provider.script = [Do.RESET]
        lost = await client.post(f"/google/v1beta/models/g:generateContent?key={canary}", json={})
        wrong = await client.post(f"/google/../x?key={canary}", json={})
        metrics = (await client.get("/metrics")).text
    await proxy.events(2)
    assert f"key={canary}".encode() in proxy.provider.heads[0]
    assert [one.status_code for one in (good, gateway, lost, wrong)] == [200, 400, 502, 404]
    assert canary not in gateway.text + lost.text + wrong.text + metrics
    assert canary.encode() not in proxy.everything_logged()


async def test_a_mock_response_is_sent_costs_nothing_and_reaches_nobody(proxy: Rig) -> None:
    async with proxy.client() as client:
        got = await client.post(
            "/oai/v1/chat/completions", json=PLAIN, headers={"__helicone-mock-response": '{"a": 1}'}
        )
        assert (got.status_code, got.json(), got.headers["helicone-status"]) == (200, {"a": 1}, "success")
        event = await proxy.event()
        assert (event.response.outcome, event.response.request_sent) == (Outcome.COMPLETED, False)
        assert (event.response.body, proxy.provider.connections) == (b'{"a": 1}', 0)
        again = await client.post("/oai/v1/chat/completions", json=PLAIN)
        assert again.status_code == 200, "the connection can be used again"
        bodiless = await client.get("/oai/v1/models", headers={"__helicone-mock-response": "[]"})
        assert bodiless.json() == []


async def test_a_mock_response_holds_for_streams_that_would_have_usage_injected() -> None:
    async with rig() as proxy, proxy.client() as client:
        mock = {"__helicone-mock-response": chat_response().decode()}
        got = await client.post("/oai/v1/chat/completions", json=PLAIN | {"stream": True}, headers=mock)
        assert (got.content, proxy.provider.connections) == (chat_response(), 0)


async def test_a_key_has_so_many_requests_under_way_and_no_more() -> None:
    async with rig(key_concurrency=2) as proxy:
        proxy.provider.script = [0.5, http_response(chat_response())]
        async with proxy.client() as client:
            posts = [client.post("/oai/v1/x", json=PLAIN) for _ in range(4)]
            got = await asyncio.gather(*posts)
            assert sorted(one.status_code for one in got) == [200, 200, 429, 429]
            refused = next(one for one in got if one.status_code == 429)
            assert refused.json()["error"]["code"] == "too_many_concurrent_requests"
            assert (await client.post("/oai/v1/x", json=PLAIN)).status_code == 200, "those that ended do not count"
        assert len(proxy.provider.heads) == 3


async def test_models_are_listed_as_openai_does_and_a_providers_own_list_stays_its_own(proxy: Rig) -> None:
    async with proxy.client() as client:
        listed = (await client.get("/v1/models")).json()
        assert listed["object"] == "list"
        assert {"id": "gpt-4o", "object": "model", "created": 0, "owned_by": "oai"} in listed["data"]
        assert len({one["owned_by"] for one in listed["data"]}) > 10
        assert (await client.get("/v1/models", headers={"Host": "oai.f.test"})).json() == json.loads(chat_response())
        assert (await client.post("/v1/models")).status_code == 405


# Web pages


async def test_a_page_of_an_allowed_origin_may_ask_call_and_see_the_response() -> None:
    async with rig(allowed_origins="https://app.example, https://b.example") as proxy, proxy.client() as client:
        proxy.provider.script = [http_response(b"{}", more="Access-Control-Allow-Origin: https://openai.com\r\n")]
        preflight = {
            "Origin": "https://app.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,helicone-auth",
        }
        asked = await client.options("/oai/v1/chat/completions", headers=preflight)
        assert (asked.status_code, proxy.provider.connections) == (204, 0)
        assert asked.headers["access-control-allow-origin"] == "https://app.example"
        assert asked.headers["access-control-allow-headers"] == "authorization,helicone-auth"
        assert "POST" in asked.headers["access-control-allow-methods"]
        for headers, status in (({}, 200), ({"Helicone-Auth": "Bearer sk-helicone-nobody"}, 401)):
            got = await client.post("/oai/v1/x", json=PLAIN, headers={"Origin": "https://app.example"} | headers)
            assert (got.status_code, got.headers["access-control-allow-origin"]) == (status, "https://app.example")
            assert got.headers["vary"] == "Origin"
        page = await client.get("/metrics", headers={"Origin": "https://app.example"})
        assert "access-control-allow-origin" not in page.headers, "pages without a key are for no web page"
        other = {"Origin": "https://evil.example"}
        assert (await client.options("/oai/v1/x", headers=preflight | other)).status_code == 403
        seen = await client.post("/oai/v1/x", json=PLAIN, headers=other)
        assert seen.headers["access-control-allow-origin"] == "https://openai.com", "as the provider said"


async def test_without_the_setting_a_preflight_is_the_providers(proxy: Rig) -> None:
    async with proxy.client() as client:
        preflight = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
        assert (await client.options("/oai/v1/x", headers=preflight)).status_code == 200
        assert proxy.provider.heads[0].startswith(b"OPTIONS /v1/x ")
