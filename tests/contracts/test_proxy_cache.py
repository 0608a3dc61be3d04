"""The response cache in a running proxy, with both stores: hits, misses, what is never kept, and a cache that fails."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest

from schemas.cache import CacheKey, Found
from schemas.event import ExchangeEvent, Outcome
from schemas.key import Permission
from schemas.price import CostState
from services.domain.enrich import to_record
from services.ports.cache import ResponseCache
from services.stores.cache.redis_cache import RedisCache
from services.stores.cache.sqlite_cache import SqliteCache
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import chat_response
from tests.servers.proxy_rig import SECRET, Rig, rig
from tests.servers.redis import RedisProcess
from tests.servers.scripted_provider import Do, ScriptedProvider, chunked, http_response

pytestmark = pytest.mark.anyio

CHAT = "/oai/v1/chat/completions"
PLAIN = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello!"}]}
STREAMED = PLAIN | {"stream": True}
ON = {"Helicone-Cache-Enabled": "true"}
COALESCED = ON | {"Helicone-Cache-Coalesce": "true"}
DELTA = b'{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini-2024-07-18","choices":['
EVENTS = (
    b"data: " + DELTA + b'{"index":0,"delta":{"content":"Hel"},"finish_reason":null}],"usage":null}\n\n',
    b"data: " + DELTA + b'{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}],"usage":null}\n\n',
    b"data: " + DELTA + b'],"usage":{"prompt_tokens":1000,"completion_tokens":200,"total_tokens":1200}}\n\n',
    b"data: [DONE]\n\n",
)

Open = Callable[[], ResponseCache]


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(params=["sqlite", "redis"])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens one cache that all who open it share."""
    if request.param == "sqlite":
        return lambda: SqliteCache(tmp_path / "cache.sqlite", max_bytes=2**24)
    url = request.getfixturevalue("redis").url
    return lambda: RedisCache(url, timeout_s=5)


@contextlib.asynccontextmanager
async def cached(cache: ResponseCache, organization_id: str, **settings: Any) -> AsyncIterator[Rig]:
    """A proxy with `cache` whose key belongs to an organization of this test's own. Closes the cache."""
    async with rig(cache=cache, **({"cache_timeout_s": 5} | settings)) as proxy:
        proxy.keys.known[SECRET] = (organization_id, Permission.READ_WRITE)
        if not proxy.provider.script or proxy.provider.script == [http_response(b"{}")]:
            proxy.provider.script = [http_response(chat_response())]
        yield proxy
    await cache.close()


@pytest.fixture
async def proxy(opening: Open, organization_id: str) -> AsyncIterator[Rig]:
    async with cached(opening(), organization_id) as running:
        yield running


async def saved(proxy: Rig, count: int = 1) -> None:
    """Returns when so many responses are in the cache: they are saved behind their clients' backs."""
    for _ in range(400):
        if proxy.metrics.get("proxy_cache_saved_total") >= count:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(proxy.metrics.exposition())


async def looked_at(proxy: Rig, count: int = 1) -> None:
    """Returns when so many responses were found not worth saving."""
    for _ in range(400):
        if proxy.metrics.get("proxy_cache_not_saved_total") >= count:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(proxy.metrics.exposition())


async def ask(proxy: Rig, body: object = PLAIN, headers: dict[str, str] = ON, path: str = CHAT) -> httpx.Response:
    async with proxy.client() as client:
        return await client.post(path, json=body, headers=headers)


def is_hit(response: httpx.Response) -> bool:
    return bool(response.headers.get("helicone-cache") == "HIT")


async def test_the_second_request_is_a_hit_with_a_row_of_its_own_that_costs_nothing(proxy: Rig) -> None:
    proxy.provider.script = [http_response(chat_response(), more="Set-Cookie: canary=1\r\nX-Of-Provider: yes\r\n")]
    first = await ask(proxy)
    await saved(proxy)
    second = await ask(proxy)
    assert (first.headers["helicone-cache"], second.headers["helicone-cache"]) == ("MISS", "HIT")
    assert (second.content, second.status_code) == (first.content, 200)
    assert second.headers["x-of-provider"] == "yes"
    assert "set-cookie" not in second.headers
    assert second.headers["helicone-cache-bucket-idx"] == "0"
    assert int(second.headers["helicone-cache-latency"]) >= 0
    assert second.headers["helicone-status"] == "success"
    assert len(proxy.provider.heads) == 1
    paid, hit = await proxy.events(2)
    assert hit.request.request_id == second.headers["helicone-id"] != paid.request.request_id
    assert (hit.response.outcome, hit.response.request_sent) == (Outcome.CACHED, False)
    assert hit.response.cache_reference_id == first.headers["helicone-id"]
    check_charges(paid, hit)
    names = ("hits", "misses", "saved", "errors")
    assert [proxy.metrics.get(f"proxy_cache_{name}_total") for name in names] == [1, 1, 1, 0]  # type: ignore[arg-type]


def check_charges(paid: ExchangeEvent, hit: ExchangeEvent) -> None:
    prices = ShippedPrices()
    row, _ = to_record(paid, prices)
    hit_row, bodies = to_record(hit, prices)
    assert (row.cost_state, row.cache_enabled) == (CostState.PRICED, True)
    assert row.cost_usd
    assert (hit_row.cost_usd, hit_row.cost_state) == (Decimal(0), CostState.FREE)
    assert (hit_row.cache_saved_usd, hit_row.cache_reference_id) == (row.cost_usd, row.request_id)
    assert (hit_row.prompt_tokens, hit_row.completion_tokens, hit_row.status) == (0, 0, 200)
    assert hit_row.model == row.model
    assert bodies is not None
    assert bodies.response_body


async def test_a_stream_replays_as_the_stream_that_it_was_and_usage_stays_out_of_it(proxy: Rig) -> None:
    proxy.provider.script = [chunked(*EVENTS)]
    first = await ask(proxy, STREAMED)
    await saved(proxy)
    second = await ask(proxy, STREAMED)
    assert is_hit(second)
    assert second.content == first.content
    assert b"1200" not in second.content, "the client did not ask for usage"
    assert second.headers["content-type"] == "text/event-stream"
    assert second.headers["transfer-encoding"] == "chunked"
    paid, hit = await proxy.events(2)
    check_charges(paid, hit)
    assert (hit.response.usage_injected, to_record(hit, ShippedPrices())[0].is_stream) == (True, True)
    assert not is_hit(await ask(proxy, PLAIN)), "a stream is never the response to a request for none"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        ON | {"Authorization": "Bearer sk-another"},
        ON | {"Helicone-Cache-Seed": "a"},
        ON | {"OpenAI-Beta": "assistants=v2"},
        ON | {"Cache-Control": "max-age=0"},
        {"Helicone-Cache-Save": "true"},
    ],
    ids=str,
)
async def test_another_key_another_seed_or_nothing_asked_for_is_no_hit(proxy: Rig, headers: dict[str, str]) -> None:
    await ask(proxy)
    await saved(proxy)
    assert not is_hit(await ask(proxy, headers=headers))
    assert len(proxy.provider.heads) == 2


async def test_another_organization_never_gets_a_response_and_shared_keys_may(
    opening: Open, organization_id: str
) -> None:
    async with cached(opening(), organization_id, cache_scope="organization") as proxy:
        await ask(proxy)
        await saved(proxy)
        assert is_hit(await ask(proxy, headers=ON | {"Authorization": "Bearer sk-another"}))
        other = "sk-helicone-another-another-another-another"
        proxy.keys.known[other] = (f"{organization_id}-2", Permission.READ_WRITE)
        assert not is_hit(await ask(proxy, headers=ON | {"Helicone-Auth": f"Bearer {other}"}))


async def test_what_one_saves_another_reads_whatever_else_their_headers_say(proxy: Rig) -> None:
    response = await ask(proxy, PLAIN | {"user": "ann"}, {"Helicone-Cache-Save": "true"} | IGNORED)
    assert "helicone-cache" not in response.headers
    await saved(proxy)
    reading = {"Helicone-Cache-Read": "true", "Helicone-User-Id": "bob", "Helicone-Property-A": "b"}
    assert is_hit(await ask(proxy, PLAIN | {"user": "bob"}, reading | IGNORED))
    assert not is_hit(await ask(proxy, PLAIN | {"user": "bob"}, reading))
    await asyncio.sleep(0.05)
    assert proxy.metrics.get("proxy_cache_saved_total") == 1, "who only reads saves nothing"
    _, hit, missed = await proxy.events(3)
    assert [one.request.tags.cache_enabled for one in (hit, missed)] == [True, True]


IGNORED = {"Helicone-Cache-Ignore-Keys": "user"}


async def test_a_bucket_gives_different_responses_once_it_is_full(proxy: Rig) -> None:
    bucket = ON | {"Helicone-Cache-Bucket-Max-Size": "2"}
    for number in (1, 2):
        proxy.provider.script = [http_response(chat_response(completion=number))]
        assert not is_hit(await ask(proxy, headers=bucket))
        await saved(proxy, number)
    hits = [await ask(proxy, headers=bucket) for _ in range(12)]
    assert all(map(is_hit, hits))
    slots = {response.headers["helicone-cache-bucket-idx"]: response.json() for response in hits}
    assert {slot: body["usage"]["completion_tokens"] for slot, body in slots.items()} == {"0": 1, "1": 2}


async def test_a_header_without_meaning_is_refused_by_name_before_anything_is_sent(proxy: Rig) -> None:
    refused = await ask(proxy, headers=ON | {"Helicone-Cache-Bucket-Max-Size": "21"})
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "invalid_header"
    assert "Helicone-Cache-Bucket-Max-Size" in refused.json()["error"]["message"]
    assert proxy.provider.heads == []
    assert (await ask(proxy, headers={"Helicone-Cache-Bucket-Max-Size": "21"})).status_code == 200


NEVER_KEPT: dict[str, tuple[Any, ...]] = {
    "an error": (http_response(b'{"error":{}}', status="429 Too Many Requests"),),
    "another success": (http_response(chat_response(), status="201 Created"),),
    "a failed stream": (chunked(EVENTS[0], b'data: {"error":{"message":"overloaded"}}\n\n', EVENTS[3]),),
    "a stream without its end": (chunked(*EVENTS[:2]),),
    "an error that pretends": (http_response(b'{"error":{"message":"overloaded"}}'),),
    "a response that is to come": (http_response(b'{"id":"resp_1","status":"queued"}'),),
    "more than an entry": (http_response(chat_response() + b" " * 70_000),),
}


@pytest.mark.parametrize("case", NEVER_KEPT)
async def test_only_whole_and_successful_responses_are_kept(tmp_path: Path, organization_id: str, case: str) -> None:
    store = SqliteCache(tmp_path / "cache.sqlite", max_bytes=2**24)
    async with cached(store, organization_id, cache_entry_bytes=65_536) as proxy:
        proxy.provider.script = NEVER_KEPT[case]
        first = await ask(proxy)
        if first.status_code == 200:
            await looked_at(proxy)
        assert not is_hit(await ask(proxy))
        assert proxy.metrics.get("proxy_cache_saved_total") == 0
        assert len(proxy.provider.heads) == 2


async def test_a_response_that_broke_off_or_was_cancelled_is_not_kept(tmp_path: Path, organization_id: str) -> None:
    store = SqliteCache(tmp_path / "cache.sqlite", max_bytes=2**24)
    async with cached(store, organization_id) as proxy:
        proxy.provider.script = [chunked(*EVENTS[:2], end=b""), Do.CLOSE]
        with contextlib.suppress(httpx.RemoteProtocolError):
            await ask(proxy, STREAMED)
        proxy.provider.script = [chunked(*EVENTS[:1], end=b""), Do.HANG]
        async with proxy.client() as client:
            with contextlib.suppress(httpx.ReadTimeout):
                await client.post(CHAT, json=STREAMED, headers=ON | {"Helicone-On-Disconnect": "cancel"}, timeout=0.2)
        proxy.provider.script = [chunked(*EVENTS)]
        assert not is_hit(await ask(proxy, STREAMED))
        await saved(proxy)
        assert proxy.metrics.get("proxy_cache_saved_total") == 1


async def test_a_response_that_is_read_to_its_end_without_its_client_is_kept(
    tmp_path: Path, organization_id: str
) -> None:
    store = SqliteCache(tmp_path / "cache.sqlite", max_bytes=2**24)
    async with cached(store, organization_id) as proxy:
        proxy.provider.script = [0.3, chunked(*EVENTS)]
        async with proxy.client() as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.post(CHAT, json=STREAMED, headers=ON, timeout=0.1)
        await saved(proxy)
        assert is_hit(await ask(proxy, STREAMED))


@pytest.mark.parametrize("omitting", ["Helicone-Omit-Response", "Helicone-Omit-Request", "setting"])
async def test_of_an_omitted_body_nothing_is_kept_in_the_cache(
    tmp_path: Path, organization_id: str, omitting: str
) -> None:
    store = SqliteCache(tmp_path / "cache.sqlite", max_bytes=2**24)
    settings = {"omit_bodies": "response"} if omitting == "setting" else {}
    headers = ON if omitting == "setting" else ON | {omitting: "true"}
    async with cached(store, organization_id, **settings) as proxy:
        for _ in range(2):
            assert not is_hit(await ask(proxy, headers=headers))
        await asyncio.sleep(0.05)
        assert proxy.metrics.get("proxy_cache_saved_total") == 0


async def test_large_bodies_and_other_methods_pass_and_are_not_cached(tmp_path: Path, organization_id: str) -> None:
    store = SqliteCache(tmp_path / "cache.sqlite", max_bytes=2**24)
    async with cached(store, organization_id, cache_entry_bytes=20_000) as proxy, proxy.client() as client:
        large = json.dumps(PLAIN | {"user": "x" * 30_000}).encode()

        async def in_chunks() -> AsyncIterator[bytes]:
            for start in range(0, len(large), 1000):
                yield large[start : start + 1000]

        for content in (large, in_chunks()):
            got = await client.post(CHAT, content=content, headers=ON)
            assert (got.status_code, got.headers["helicone-cache"]) == (200, "MISS")
        assert proxy.provider.bodies == [large, large]
        for _ in range(2):
            assert not is_hit(await client.get("/oai/v1/models", headers=ON))
        assert proxy.metrics.get("proxy_cache_saved_total") == 0


async def test_a_hit_is_recorded_before_it_ends_where_that_is_wanted(tmp_path: Path, organization_id: str) -> None:
    store = SqliteCache(tmp_path / "cache.sqlite", max_bytes=2**24)
    async with cached(store, organization_id, durability="strict") as proxy:
        await ask(proxy)
        await saved(proxy)
        assert is_hit(await ask(proxy))
        assert [event.response.outcome for event in await proxy.events(2)] == [Outcome.COMPLETED, Outcome.CACHED]


async def test_a_client_that_reads_slowly_gets_all_of_a_large_hit(tmp_path: Path, organization_id: str) -> None:
    store = SqliteCache(tmp_path / "cache.sqlite", max_bytes=2**26)
    async with cached(store, organization_id) as proxy:
        body = chat_response() + b" " * 3_500_000
        proxy.provider.script = [http_response(body)]
        await ask(proxy)
        await saved(proxy)
        async with (
            proxy.client() as client,
            client.stream("POST", CHAT, json=PLAIN, headers=ON) as response,
        ):
            assert is_hit(response)
            await asyncio.sleep(0.3)
            assert await response.aread() == body


async def test_without_a_cache_its_headers_have_no_effect() -> None:
    async with rig() as proxy:
        assert "helicone-cache" not in (await ask(proxy)).headers


async def test_the_body_is_not_waited_for_unless_the_cache_is_asked_for(tmp_path: Path, organization_id: str) -> None:
    store = SqliteCache(tmp_path / "cache.sqlite", max_bytes=2**24)
    async with cached(store, organization_id) as proxy, proxy.client() as client:
        proxy.provider.read_bodies = False
        arrived = asyncio.Event()

        async def until_it_arrived() -> AsyncIterator[bytes]:
            yield b"{"
            await asyncio.wait_for(arrived.wait(), 5)
            yield b"}"

        sending = asyncio.create_task(client.post("/oai/v1/embeddings", content=until_it_arrived()))
        while not proxy.provider.heads:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        arrived.set()
        assert (await sending).status_code == 200


# Clients, unchanged


async def test_sdks_see_the_same_from_the_cache(proxy: Rig) -> None:
    headers = {"Helicone-Auth": f"Bearer {SECRET}"} | ON
    chats = openai.AsyncOpenAI(base_url=f"{proxy.url}/oai/v1", api_key="k", default_headers=headers, max_retries=0)
    messages = anthropic.AsyncAnthropic(
        base_url=f"{proxy.url}/anthropic", api_key="k", default_headers=headers, max_retries=0
    )

    async def chat() -> object:
        return (await chats.chat.completions.create(**CHATTED)).model_dump()

    async def chat_stream() -> object:
        return [chunk.model_dump() async for chunk in await chats.chat.completions.create(**CHATTED, stream=True)]

    async def message_stream() -> object:
        async with messages.messages.stream(model="claude-haiku-4-5", max_tokens=9, messages=ASKED) as stream:
            return [event.type async for event in stream], (await stream.get_final_message()).model_dump()

    async with chats, messages:
        for count, (call, script) in enumerate(
            ((chat, http_response(chat_response())), (chat_stream, chunked(*EVENTS)), (message_stream, CLAUDE)), 1
        ):
            proxy.provider.script = [script]
            paid = await call()
            await saved(proxy, count)
            assert await call() == paid
            assert (len(proxy.provider.heads), proxy.metrics.get("proxy_cache_hits_total")) == (count, count)
    events = await proxy.events(6)
    for paid_event, hit in zip(events[::2], events[1::2], strict=True):
        check_charges(paid_event, hit)


ASKED: list[Any] = [{"role": "user", "content": "Hello!"}]
CHATTED: dict[str, Any] = {"model": "gpt-4o-mini", "messages": ASKED}
CLAUDE = chunked(
    *(
        b"event: %b\ndata: %b\n\n" % (json.loads(data)["type"].encode(), data)
        for data in (
            b'{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],'
            b'"model":"claude-haiku-4-5-20251001","stop_reason":null,"stop_sequence":null,'
            b'"usage":{"input_tokens":100,"output_tokens":1}}}',
            b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
            b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello!"}}',
            b'{"type":"content_block_stop","index":0}',
            b'{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
            b'"usage":{"output_tokens":12}}',
            b'{"type":"message_stop"}',
        )
    )
)


# Coalescing


async def test_identical_requests_at_once_go_upstream_once_if_they_ask_for_it(proxy: Rig) -> None:
    proxy.provider.script = [0.2, http_response(chat_response())]
    responses = await asyncio.gather(*(ask(proxy, headers=COALESCED) for _ in range(20)))
    assert len(proxy.provider.heads) == 1
    assert len({response.content for response in responses}) == 1
    assert sorted(response.headers["helicone-cache"] for response in responses) == ["HIT"] * 19 + ["MISS"]
    events = await proxy.events(20)
    (paid,) = [event for event in events if event.response.outcome is Outcome.COMPLETED]
    hits = [event for event in events if event.response.outcome is Outcome.CACHED]
    assert len(hits) == 19
    check_charges(paid, hits[0])
    assert {hit.response.cache_reference_id for hit in hits} == {paid.request.request_id}
    assert proxy.metrics.get("proxy_cache_coalesced_total") == 19


async def test_without_asking_each_goes_upstream(proxy: Rig) -> None:
    proxy.provider.script = [0.2, http_response(chat_response())]
    await asyncio.gather(*(ask(proxy) for _ in range(3)))
    assert len(proxy.provider.heads) == 3


async def test_streams_are_coalesced_too(proxy: Rig) -> None:
    proxy.provider.script = [0.1, chunked(*EVENTS)]
    responses = await asyncio.gather(*(ask(proxy, STREAMED, COALESCED) for _ in range(5)))
    assert (len(proxy.provider.heads), len({response.content for response in responses})) == (1, 1)


async def test_when_the_leader_fails_the_others_go_upstream_themselves(proxy: Rig) -> None:
    proxy.provider.script = [0.2, http_response(b'{"error":{}}', status="500 Internal Server Error")]
    responses = await asyncio.gather(*(ask(proxy, headers=COALESCED) for _ in range(5)))
    assert [response.status_code for response in responses] == [500] * 5
    assert len(proxy.provider.heads) == 5


class FaultyCache(SqliteCache):
    """Fails in a way that nobody expects, at the look that a leader takes once it leads."""

    looks = 0

    async def find(self, key: CacheKey, *, slots: int, draw: int) -> Found | None:
        self.looks += 1
        if self.looks == 3:
            await asyncio.sleep(0.2)
            raise ValueError("a bug")
        return await super().find(key, slots=slots, draw=draw)


async def test_when_the_leader_meets_a_bug_the_others_go_upstream_at_once(tmp_path: Path) -> None:
    cache = FaultyCache(tmp_path / "cache.sqlite", max_bytes=2**24)
    async with cached(cache, "org-faulty", cache_wait_s=60) as proxy:
        responses = await asyncio.wait_for(asyncio.gather(*(ask(proxy, headers=COALESCED) for _ in range(2))), 20)
        assert [response.status_code for response in responses] == [200, 200]
        assert len(proxy.provider.heads) == 2


async def test_when_the_leaders_client_disconnects_the_others_go_upstream_themselves(proxy: Rig) -> None:
    proxy.provider.script = [0.6, http_response(chat_response())]
    leading = asyncio.create_task(ask(proxy, headers=COALESCED | {"Helicone-On-Disconnect": "cancel"}))
    while not proxy.provider.heads:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    following = asyncio.create_task(ask(proxy, headers=COALESCED))
    await asyncio.sleep(0.1)
    leading.cancel()
    response = await following
    assert (response.status_code, is_hit(response), len(proxy.provider.heads)) == (200, False, 2)


async def test_waiting_for_another_response_is_bounded(opening: Open, organization_id: str) -> None:
    async with cached(opening(), organization_id, cache_wait_s=0.1) as proxy:
        proxy.provider.script = [0.5, http_response(chat_response())]
        responses = await asyncio.gather(*(ask(proxy, headers=COALESCED) for _ in range(3)))
        assert ([response.status_code for response in responses], len(proxy.provider.heads)) == ([200] * 3, 3)


async def test_two_replicas_under_load_send_each_request_upstream_once(
    redis: RedisProcess, organization_id: str
) -> None:
    provider = ScriptedProvider()
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(provider.listening())
        provider.script = [0.3, http_response(chat_response())]
        replicas = [
            await stack.enter_async_context(
                cached(RedisCache(redis.url, timeout_s=5), organization_id, provider=provider, cache_timeout_s=5)
            )
            for _ in range(2)
        ]
        questions = [PLAIN | {"seed": number} for number in range(5)]
        asked = [(replica, question) for question in questions for replica in replicas for _ in range(10)]
        responses = await asyncio.gather(*(ask(replica, question, COALESCED) for replica, question in asked))
    assert all(response.status_code == 200 for response in responses)
    assert len(provider.heads) == len(questions)
    assert sum(map(is_hit, responses)) == len(asked) - len(questions)
    assert sum(replica.metrics.get("proxy_cache_errors_total") for replica in replicas) == 0


async def test_the_leader_of_another_replica_that_fails_leaves_its_followers_to_themselves(
    redis: RedisProcess, organization_id: str
) -> None:
    provider = ScriptedProvider()
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(provider.listening())
        provider.script = [0.3, http_response(b"{}", status="500 Internal Server Error")]
        leading, following = [
            await stack.enter_async_context(
                cached(RedisCache(redis.url, timeout_s=5), organization_id, provider=provider)
            )
            for _ in range(2)
        ]
        first = asyncio.create_task(ask(leading, headers=COALESCED))
        while not provider.heads:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert (await ask(following, headers=COALESCED)).status_code == 500
        assert ((await first).status_code, len(provider.heads)) == (500, 2)


# A cache that is unavailable or slow


async def test_a_cache_that_is_unreachable_changes_no_response_and_is_counted(organization_id: str) -> None:
    nowhere = RedisCache("redis://127.0.0.1:9", timeout_s=1)
    async with cached(nowhere, organization_id) as proxy:
        for headers in (ON, COALESCED):
            response = await ask(proxy, headers=headers)
            assert (response.status_code, response.headers["helicone-cache"]) == (200, "MISS")
        assert proxy.metrics.get("proxy_cache_errors_total") >= 1


async def test_a_cache_that_hangs_costs_one_time_limit_and_then_nothing_for_a_while(
    redis: RedisProcess, organization_id: str
) -> None:
    async with cached(RedisCache(redis.url, timeout_s=5), organization_id, cache_timeout_s=0.2) as proxy:
        await ask(proxy)
        await saved(proxy)
        with redis.frozen():
            for _ in range(5):
                response = await ask(proxy)
                assert (response.status_code, is_hit(response)) == (200, False)
            assert proxy.metrics.get("proxy_cache_errors_total") == 1
        await asyncio.sleep(1.1)
        assert is_hit(await ask(proxy))


async def test_nothing_secret_is_in_the_cache_but_what_the_provider_said(tmp_path: Path, organization_id: str) -> None:
    store = SqliteCache(tmp_path / "cache.sqlite", max_bytes=2**24)
    async with cached(store, organization_id) as proxy:
        await ask(proxy, PLAIN | {"user": "canary-of-a-prompt"})
        await saved(proxy)
        held = all_bytes(tmp_path)
        assert (b"Hello!" in held, b"canary" in held) == (True, False)


def all_bytes(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())
