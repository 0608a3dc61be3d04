"""The AI gateway in a running proxy: which models are tried in turn, with which keys, and whose row it becomes."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.event import Outcome
from schemas.upstream import CredentialPolicy, NamedUpstream
from services.domain.enrich import to_record
from services.stores.cache.sqlite_cache import SqliteCache
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import chat_response
from tests.servers.proxy_rig import PROVIDER_KEY, SECRET, Rig, rig
from tests.servers.scripted_provider import ScriptedProvider, chunked, http_response

pytestmark = pytest.mark.anyio

CHAT = "/ai-gateway/v1/chat/completions"
LIST = "gpt-4o/openai, claude-haiku-4-5/anthropic"
FIRST_KEY, SECOND_KEY = "sk-first-canary-2c5b", "sk-second-canary-81aa"
OVERLOADED = http_response(b"{}", status="503 Service Unavailable")
UNKNOWN = http_response(b'{"error":{"message":"no such model"}}', status="404 Not Found")
TIMED_OUT = http_response(b"{}", status="504 Gateway Timeout")


def response_of(model: str) -> bytes:
    return http_response(chat_response(model=model, prompt=10_000, cached=0, completion=1_000))


class Two:
    """A proxy with an upstream of OpenAI's, and one of Anthropic's, whose keys are stored."""

    def __init__(self, proxy: Rig, second: ScriptedProvider) -> None:
        self.proxy, self.first, self.second = proxy, proxy.provider, second
        proxy.upstreams.rows = [self.row("one", "OPENAI", self.first), self.row("two", "ANTHROPIC", second)]
        proxy.upstreams.provider_keys = {"one": FIRST_KEY, "two": SECOND_KEY}

    def row(self, name: str, provider: str, at: ScriptedProvider, **more: Any) -> NamedUpstream:
        chosen = {"credentials": CredentialPolicy.STORED, **more}
        return NamedUpstream(name=name, provider=provider, url=at.url, private=True, **chosen)

    async def post(self, model: Any = LIST, *, path: str = CHAT, body: Any = None, **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        content = {"messages": [{"role": "user", "content": "Hello!"}], "model": model, **(body or {})}
        async with self.proxy.client() as client:
            return await client.post(path, json=content, headers=sent)

    @property
    def calls(self) -> tuple[int, int]:
        return len(self.first.heads), len(self.second.heads)


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Two]:
    async with AsyncExitStack() as stack:
        second = await stack.enter_async_context(ScriptedProvider().listening())
        cache = SqliteCache(tmp_path / "cache.sqlite", max_bytes=2**20)
        stack.push_async_callback(cache.close)
        one = Two(await stack.enter_async_context(rig(cache=cache)), second)
        one.first.script, second.script = [response_of("gpt-4o-2024-08-06")], [response_of("claude-haiku-4-5")]
        yield one


async def test_the_first_model_responds_and_no_other_provider_is_asked(two: Two) -> None:
    got = await two.post()
    assert (got.status_code, got.headers["Helicone-Fallback-Index"], two.calls) == (200, "0", (1, 0))
    assert two.first.heads[0].startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert json.loads(two.first.bodies[0])["model"] == "gpt-4o"
    record, _ = to_record(await two.proxy.event(), ShippedPrices())
    assert (record.provider, record.model, record.cost_usd) == ("OPENAI", "gpt-4o-2024-08-06", Decimal("0.035"))


@pytest.mark.parametrize("failure", [OVERLOADED, UNKNOWN])
async def test_the_model_that_responds_is_billed_and_the_failed_ones_are_not(two: Two, failure: bytes) -> None:
    two.first.script = [failure]
    got = await two.post()
    assert (got.status_code, got.headers["Helicone-Fallback-Index"], got.headers["Helicone-Attempts"]) == (
        200,
        "1",
        "2",
    )
    assert (got.headers["Helicone-Provider"], got.headers["Helicone-Model"]) == ("anthropic", "claude-haiku-4-5")
    assert json.loads(two.second.bodies[0])["model"] == "claude-haiku-4-5"
    record, _ = to_record(await two.proxy.event(), ShippedPrices())
    assert (record.provider, record.model, record.cost_usd) == ("ANTHROPIC", "claude-haiku-4-5", Decimal("0.015"))
    assert record.target_url == f"{two.second.url}/v1/chat/completions"


async def test_an_attempt_that_may_have_been_billed_is_a_row_of_its_own(two: Two) -> None:
    two.first.script = [TIMED_OUT]
    got = await two.post()
    attempt, call = await two.proxy.events(2)
    assert (attempt.request.attempt_of, call.request.request_id) == (got.headers["Helicone-Id"],) * 2
    assert (attempt.request.provider, attempt.response.status, call.request.provider) == ("OPENAI", 504, "ANTHROPIC")


async def test_each_stored_key_reaches_its_own_server_and_no_key_of_the_client_reaches_any(two: Two) -> None:
    two.first.script = [OVERLOADED]
    assert (await two.post()).status_code == 200
    (first,), (second,) = two.first.heads, two.second.heads
    assert f"Authorization: Bearer {FIRST_KEY}\r\n".encode() in first
    assert f"Authorization: Bearer {SECOND_KEY}\r\n".encode() in second
    assert SECOND_KEY.encode() not in first
    assert FIRST_KEY.encode() not in second
    for secret in (SECRET, PROVIDER_KEY):
        assert secret.encode() not in first + second
    logged = two.proxy.everything_logged()
    assert not [key for key in (FIRST_KEY, SECOND_KEY, SECRET, PROVIDER_KEY) if key.encode() in logged]


async def test_a_stream_falls_back_before_its_first_byte_and_reports_its_usage(two: Two) -> None:
    piece = b'data: {"id":"1","model":"claude-haiku-4-5","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
    figures = b'{"prompt_tokens":1000,"completion_tokens":100}'
    usage = b'data: {"id":"1","model":"claude-haiku-4-5","choices":[],"usage":%b}\n\n' % figures
    two.first.script, two.second.script = [OVERLOADED], [chunked(piece, usage, b"data: [DONE]\n\n")]
    got = await two.post(body={"stream": True})
    assert got.content == piece + b"data: [DONE]\n\n"
    assert json.loads(two.second.bodies[0])["stream_options"] == {"include_usage": True}
    record, _ = to_record(await two.proxy.event(), ShippedPrices())
    assert record.cost_usd == Decimal("0.0015")


async def test_a_provider_that_refuses_stream_options_is_not_sent_any(two: Two) -> None:
    two.proxy.upstreams.rows = [two.row("one", "OPENAI", two.first), two.row("two", "MISTRAL", two.second)]
    last = (
        b'data: {"id":"1","model":"mistral-small-2603","choices":[{"index":0,"delta":{"content":"Hi"}}],"usage":{}}\n\n'
    )
    last = last.replace(b"{}", b'{"prompt_tokens":1000,"completion_tokens":100}')
    two.first.script, two.second.script = [OVERLOADED], [chunked(last, b"data: [DONE]\n\n")]
    got = await two.post("gpt-4o/openai,mistral-small-2603/mistral", body={"stream": True})
    assert (got.status_code, got.content) == (200, last + b"data: [DONE]\n\n")
    assert "stream_options" in json.loads(two.first.bodies[0])
    assert "stream_options" not in json.loads(two.second.bodies[0])
    record, _ = to_record(await two.proxy.event(), ShippedPrices())
    assert (record.prompt_tokens, record.completion_tokens) == (1000, 100)


async def test_the_last_failure_is_passed_on(two: Two) -> None:
    two.first.script, two.second.script = [OVERLOADED], [UNKNOWN]
    got = await two.post()
    assert (got.status_code, got.json()["error"]["message"], two.calls) == (404, "no such model", (1, 1))


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("gpt-4o", "names no provider that is known"),
        ("gpt-4o\r\nX: y/openai", "names no provider that is known"),
        ("gpt-4o/openai,command-r/cohere", "no upstream of Cohere is added"),
        ("gpt-4o/openai/other", "no upstream of OpenAI is with the name 'other'"),
        ("gpt-4o/openai,!openai", "has to name 1 to 10 models"),
        ("titan/bedrock", "no chat completions in OpenAI's words"),
        (7, "a JSON object with a model"),
    ],
)
async def test_what_cannot_be_sent_is_refused_before_anything_leaves(two: Two, model: Any, why: str) -> None:
    got = await two.post(model)
    assert (got.status_code, got.json()["error"]["code"], two.calls) == (400, "invalid_model", (0, 0))
    assert why in got.json()["message"]
    event = await two.proxy.event()
    assert event.response.outcome is Outcome.REFUSED


async def test_a_server_that_gets_the_keys_of_clients_is_not_chosen(two: Two) -> None:
    two.proxy.upstreams.rows = [two.row("one", "OPENAI", two.first, credentials=CredentialPolicy.FORWARD)]
    assert ((await two.post("gpt-4o/openai")).status_code, two.calls) == (400, (0, 0))


async def test_an_upstream_is_named_behind_its_provider_and_may_need_no_key(two: Two) -> None:
    rows = two.proxy.upstreams.rows
    two.proxy.upstreams.rows = [*rows, two.row("inside", "VLLM", two.second, credentials=CredentialPolicy.STRIP)]
    assert (await two.post("meta/llama-3/vllm/inside")).status_code == 200
    assert json.loads(two.second.bodies[0])["model"] == "meta/llama-3"
    assert b"authorization" not in two.second.heads[0].lower()


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ({"Helicone_Target_URL": "https://api.openai.com"}, CHAT, 400),
        ({"Helicone_Fallbacks": '[{"target-url":"https://api.openai.com"}]'}, CHAT, 400),
        ({"Helicone_Auth": "Bearer sk-helicone-other"}, CHAT, 401),
        ({}, "/ai-gateway/v1/embeddings", 404),
    ],
)
async def test_nothing_but_the_model_says_where_a_call_goes(
    two: Two, headers: dict[str, str], path: str, status: int
) -> None:
    assert ((await two.post(path=path, **headers)).status_code, two.calls) == (status, (0, 0))


async def test_the_host_name_leads_there_too_with_the_key_in_authorization(two: Two) -> None:
    headers = {"Host": "ai-gateway.example.com", "Authorization": f"Bearer {SECRET}"}
    async with httpx.AsyncClient(base_url=two.proxy.url, trust_env=False) as client:
        got = await client.post("/v1/chat/completions", json={"model": LIST, "messages": []}, headers=headers)
        listed = await client.get("/v1/models", headers=headers)
    assert (got.status_code, listed.status_code, two.calls) == (200, 200, (1, 0))


async def test_responses_are_not_cached_as_it_is_open_whose_they_would_be(two: Two) -> None:
    for _ in range(2):
        assert "Helicone-Cache" not in (await two.post(Helicone_Cache_Enabled="true")).headers
    assert two.calls == (2, 0)
