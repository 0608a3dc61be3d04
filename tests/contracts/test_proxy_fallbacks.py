"""Fallbacks in a running proxy: which servers are tried, with which keys and bodies, and whose row it becomes."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.event import Outcome
from services.domain.enrich import to_record
from services.proxy.rate_limits import LimitStores
from services.stores.cache.sqlite_cache import SqliteCache
from services.stores.limits.memory_limits import MemoryLimits
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import chat_response
from tests.servers.proxy_rig import PROVIDER_KEY, Rig, head, rig
from tests.servers.scripted_provider import Do, ScriptedProvider, Step, http_response

pytestmark = pytest.mark.anyio

CHAT = "/gateway/v1/chat/completions"
PLAIN = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello!"}]}
SECOND_KEY = "sk-second-canary-81aa"
BUSY = http_response(b"{}", status="429 Too Many Requests")
BAD = http_response(b'{"error":{"message":"no such model"}}', status="404 Not Found")


def response_of(model: str) -> bytes:
    return http_response(chat_response(model=model, prompt=10_000, cached=0, completion=1_000))


class Two:
    """A proxy before two providers."""

    def __init__(self, proxy: Rig, second: ScriptedProvider) -> None:
        self.proxy = proxy
        self.first = proxy.provider
        self.second = second

    def entry(self, provider: ScriptedProvider, **more: Any) -> dict[str, Any]:
        return {"target-url": provider.url, **more}

    async def post(self, *entries: dict[str, Any], body: Any = PLAIN, path: str = CHAT, **more: str) -> httpx.Response:
        headers = {"Helicone-Fallbacks": json.dumps(entries), **{name.replace("_", "-"): more[name] for name in more}}
        async with self.proxy.client() as client:
            return await client.post(path, json=body, headers=headers)


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Two]:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(ScriptedProvider().listening())
        second = await stack.enter_async_context(ScriptedProvider().listening())
        cache = SqliteCache(tmp_path / "cache.sqlite", max_bytes=2**20)
        stack.push_async_callback(cache.close)
        hosts = f"127.0.0.1:{first.port},127.0.0.1:{second.port}"
        proxy = await stack.enter_async_context(
            rig(provider=first, target_hosts=hosts, cache=cache, limit_stores=LimitStores(levels=MemoryLimits()))
        )
        first.script, second.script = [response_of("gpt-4o-2024-08-06")], [response_of("gpt-4o-mini")]
        yield Two(proxy, second)


async def test_the_first_entry_is_the_target_and_the_others_are_not_called(two: Two) -> None:
    got = await two.post(two.entry(two.first), two.entry(two.second))
    assert (got.status_code, got.headers["Helicone-Fallback-Index"], got.headers["Helicone-Attempts"]) == (
        200,
        "0",
        "1",
    )
    assert (len(two.first.heads), len(two.second.heads)) == (1, 0)


@pytest.mark.parametrize(
    ("codes", "failure", "index"),
    [
        (None, BUSY, "1"),
        (None, BAD, "0"),
        ([404], BAD, "1"),
        ([{"from": 400, "to": 404}], BAD, "1"),
        ([{"from": 405, "to": 599}, 403], BAD, "0"),
        ([500, {"from": 429, "to": 429}], BUSY, "1"),
        ([], BUSY, "0"),
        ([], Do.RESET, "1"),
        ([200], response_of("gpt-4o-2024-08-06"), "1"),
    ],
)
async def test_an_entry_is_left_for_the_statuses_in_its_codes_and_without_a_response(
    two: Two, codes: Any, failure: Step, index: str
) -> None:
    two.first.script = [failure]
    codes = {} if codes is None else {"onCodes": codes}
    got = await two.post(two.entry(two.first, **codes), two.entry(two.second))
    assert got.headers["Helicone-Fallback-Index"] == index
    assert len(two.second.heads) == int(index)


async def test_keys_of_providers_reach_the_server_that_they_are_for_and_no_other(two: Two) -> None:
    two.first.script = [BUSY]
    second = two.entry(two.second, headers={"Authorization": f"Bearer {SECOND_KEY}", "X-Team": "search"})
    got = await two.post(two.entry(two.first), second)
    assert got.headers["Helicone-Fallback-Index"] == "1"
    assert PROVIDER_KEY.encode() in two.first.heads[0]
    assert SECOND_KEY.encode() not in two.first.heads[0]
    assert PROVIDER_KEY.encode() not in two.second.heads[0]
    assert b"Authorization: Bearer " + SECOND_KEY.encode() in two.second.heads[0]
    assert b"X-Team: search" in two.second.heads[0]
    assert b"helicone" not in (two.first.heads[0] + two.second.heads[0]).lower()
    event = await two.proxy.event()
    assert SECOND_KEY.encode() not in two.proxy.everything_logged()
    assert event.request.account.key_hash


@pytest.mark.parametrize("named_is_second", [True, False])
async def test_the_clients_key_is_for_the_server_that_it_names(two: Two, named_is_second: bool) -> None:
    two.first.script = [BUSY]
    named = two.second if named_is_second else two.first
    path = f"{CHAT}?key=in-query&api-version=1"
    await two.post(two.entry(two.first), two.entry(two.second), path=path, Helicone_Target_URL=named.url)
    for provider in (two.first, two.second):
        assert (PROVIDER_KEY.encode() in provider.heads[0]) == (provider is named)
        assert (b"in-query" in provider.heads[0]) == (provider is named)
        assert b"api-version=1" in provider.heads[0]


async def test_a_key_of_an_entrys_own_keeps_the_clients_away(two: Two) -> None:
    await two.post(two.entry(two.first, headers={"api-key": SECOND_KEY}), two.entry(two.second))
    assert PROVIDER_KEY.encode() not in two.first.heads[0]
    assert SECOND_KEY.encode() in two.first.heads[0]


async def test_members_of_the_body_are_replaced_and_the_row_is_that_of_the_response(two: Two) -> None:
    two.first.script = [BUSY]
    override = {"model": "gpt-4o-mini", "metadata": {"from": "fallback"}}
    body = {**PLAIN, "metadata": {"from": "client", "team": "search"}}
    got = await two.post(two.entry(two.first), two.entry(two.second, bodyKeyOverride=override), body=body)
    assert got.json()["model"] == "gpt-4o-mini"
    assert json.loads(two.first.bodies[0]) == body
    sent = {**PLAIN, "model": "gpt-4o-mini", "metadata": {"from": "fallback", "team": "search"}}
    assert json.loads(two.second.bodies[0]) == sent
    event = await two.proxy.event()
    assert json.loads(event.request.body) == sent
    assert event.request.target_url == f"{two.second.url}/v1/chat/completions"
    record, _ = to_record(event, ShippedPrices())
    assert (record.request_model, record.model) == ("gpt-4o-mini", "gpt-4o-mini")


async def test_each_entry_is_retried_before_it_is_left(two: Two) -> None:
    two.first.script = [BUSY]
    more = {"Helicone_Retry_Enabled": "true", "Helicone_Retry_Num": "2", "Helicone_Retry_Max_Timeout": "2"}
    got = await two.post(two.entry(two.first), two.entry(two.second), **more)
    assert (got.headers["Helicone-Attempts"], got.headers["Helicone-Fallback-Index"]) == ("4", "1")
    assert (len(two.first.heads), len(two.second.heads)) == (3, 1)


async def test_a_wait_that_is_too_long_is_a_reason_for_the_next_entry(two: Two) -> None:
    two.first.script = [http_response(b"{}", status="429 Too Many Requests", more="Retry-After: 3600\r\n")]
    got = await two.post(two.entry(two.first), two.entry(two.second), Helicone_Retry_Enabled="true")
    assert (got.status_code, got.headers["Helicone-Attempts"]) == (200, "2")
    assert "Helicone-Retry-Skipped" not in got.headers


async def test_a_server_that_fails_again_and_again_is_passed_over(two: Two) -> None:
    two.first.script = [http_response(b"{}", status="500 Internal Server Error")]
    for _ in range(5):
        await two.post(two.entry(two.first), two.entry(two.second))
    got = await two.post(two.entry(two.first), two.entry(two.second))
    assert (got.headers["Helicone-Attempts"], got.headers["Helicone-Fallback-Index"]) == ("1", "1")
    assert len(two.first.heads) == 5
    assert PROVIDER_KEY.encode() not in b"".join(two.second.heads)


async def test_attempts_at_several_servers_add_up_and_count_once_against_a_limit(two: Two) -> None:
    billed = chat_response(model="gpt-4o-2024-08-06", prompt=10_000, cached=0, completion=0)
    two.first.script = [http_response(billed, status="500 Internal Server Error")]
    more = {"Helicone_RateLimit_Policy": "100000;w=31536000;u=tokens", "Helicone_Property_Feature": "chat"}
    got = await two.post(two.entry(two.first), two.entry(two.second), **more)
    attempt, call = await two.proxy.events(2)
    used = [to_record(event, ShippedPrices())[0] for event in (attempt, call)]
    assert [(one.prompt_tokens, one.completion_tokens) for one in used] == [(10_000, 0), (10_000, 1_000)]
    assert attempt.request.attempt_of == call.request.request_id == got.headers["Helicone-Id"]
    assert attempt.request.target_url.startswith(two.first.url)
    assert call.request.target_url.startswith(two.second.url)
    assert attempt.request.tags.properties == call.request.tags.properties == {"Feature": "chat"}
    for _ in range(100):
        got = await two.post(two.entry(two.second), **more)
        if got.headers["Helicone-RateLimit-Remaining"] != "100000":
            break
    assert int(got.headers["Helicone-RateLimit-Remaining"]) <= 79_000


async def test_a_hit_of_the_cache_takes_no_attempt_and_other_fallbacks_are_other_requests(two: Two) -> None:
    first, cached = two.entry(two.first), {"Helicone_Cache_Enabled": "true"}
    for _ in range(50):
        got = await two.post(first, **cached)
        if got.headers["Helicone-Cache"] == "HIT":
            break
    assert "Helicone-Attempts" not in got.headers
    got = await two.post(first, two.entry(two.second), **cached)
    assert got.headers["Helicone-Cache"] == "MISS"


async def test_what_another_server_responded_is_not_saved_in_the_cache(two: Two) -> None:
    two.first.script = [BUSY]
    for _ in range(3):
        got = await two.post(two.entry(two.first), two.entry(two.second), Helicone_Cache_Enabled="true")
        assert (got.headers["Helicone-Cache"], got.headers["Helicone-Fallback-Index"]) == ("MISS", "1")


@pytest.mark.parametrize(
    ("entries", "status", "code"),
    [
        ("nonsense", 400, "invalid_fallbacks"),
        ("{}", 400, "invalid_fallbacks"),
        ('[{"target-url": 1}]', 400, "invalid_fallbacks"),
        ('[{"headers": {}}]', 400, "invalid_fallbacks"),
        ('[{"target-url": "https://api.openai.com", "on-codes": [500]}]', 400, "invalid_fallbacks"),
        ('[{"target-url": "https://api.openai.com", "headers": {"a b": "c"}}]', 400, "invalid_fallbacks"),
        ('[{"target-url": "https://api.openai.com", "headers": {"A": "b\\r\\nC: d"}}]', 400, "invalid_fallbacks"),
        ("[" + ",".join(['{"target-url": "https://api.openai.com"}'] * 11) + "]", 400, "invalid_fallbacks"),
        ('[{"target-url": "https://user@api.openai.com"}]', 400, "invalid_request"),
        ('[{"target-url": "http://2130706433"}]', 400, "invalid_request"),
        ('[{"target-url": "https://api.openai.com"}, {"target-url": "http://[::1]:80"}]', 403, "target_not_allowed"),
        ('[{"target-url": "https://elsewhere.example"}]', 403, "target_not_allowed"),
        ('[{"target-url": "http://169.254.169.254"}]', 403, "target_not_allowed"),
    ],
)
async def test_a_list_that_cannot_be_used_is_refused_before_anything_leaves(
    two: Two, entries: str, status: int, code: str
) -> None:
    async with two.proxy.client() as client:
        got = await client.post(CHAT, json=PLAIN, headers={"Helicone-Fallbacks": entries})
    assert (got.status_code, got.json()["error"]["code"]) == (status, code)
    assert not two.first.heads


async def test_on_the_route_of_a_provider_a_fallback_is_no_other_server(two: Two) -> None:
    got = await two.post(two.entry(two.first), two.entry(two.second), path="/oai/v1/chat/completions")
    assert got.status_code == 400
    assert not two.first.heads
    got = await two.post(two.entry(two.first), two.entry(two.first), path="/oai/v1/chat/completions")
    assert (got.status_code, got.headers["Helicone-Fallback-Index"]) == (200, "0")


@pytest.mark.parametrize("body", [b"nonsense", b"[]", b""])
async def test_a_body_without_members_cannot_be_overridden(two: Two, body: bytes) -> None:
    entries = json.dumps([two.entry(two.first, bodyKeyOverride={"model": "gpt-4o"})])
    got = await two.proxy.raw(
        head(CHAT, f"Helicone-Fallbacks: {entries}", f"Content-Length: {len(body)}", "Connection: close") + body
    )
    assert got.startswith(b"HTTP/1.1 400")
    assert b"bodyKeyOverride needs a body that is a JSON object" in got
    assert not two.first.heads
    event = await two.proxy.event()
    assert (event.response.outcome, event.response.request_sent) == (Outcome.REFUSED, False)


async def test_a_body_too_large_to_be_overridden_is_refused(two: Two) -> None:
    large = {**PLAIN, "padding": "x" * (9 * 2**20)}
    got = await two.post(two.entry(two.first, bodyKeyOverride={"model": "gpt-4o"}), body=large)
    assert got.status_code == 413
    assert not two.first.heads


async def test_a_request_without_a_key_has_no_fallbacks(two: Two) -> None:
    async with rig(unauthenticated="pass", provider=two.first) as passing:
        async with httpx.AsyncClient(trust_env=False) as client:
            entries = json.dumps([two.entry(two.first)])
            got = await client.post(f"{passing.url}{CHAT}", json=PLAIN, headers={"Helicone-Fallbacks": entries})
        assert got.json()["error"]["code"] == "invalid_fallbacks"
