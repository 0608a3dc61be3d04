"""OpenAI chat streams through the proxy: clients see what they would have seen without it, and rows know their cost."""

import asyncio
import gzip
import re
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from schemas.event import ExchangeEvent, Outcome
from schemas.price import CostState
from schemas.record import RequestRecord
from schemas.usage import UsageSource
from services.domain.enrich import to_record
from services.domain.exchange.usage_injection import UsageRemoval
from services.proxy.exchange import usage_injection
from services.simulator.server import SimulatedProvider
from services.stores.shipped_prices.book import ShippedPrices
from tests.servers.proxy_rig import PROVIDER_KEY, SECRET, Rig, head, rig
from tests.servers.scripted_provider import Do, Step, chunked, http_response

pytestmark = pytest.mark.anyio

CHAT = "/oai/v1/chat/completions"
PRICES = ShippedPrices()
BODY = b'{"model":"gpt-4o-mini","stream":true,"messages":[]}'
ASKING = b'{"model":"gpt-4o-mini","stream":true,"stream_options":{"include_usage":true},"messages":[]}'

HEAD = b'data: {"id":"1","object":"chat.completion.chunk","model":"gpt-4o-mini-2024-07-18","choices":['
DELTA = HEAD + b'{"index":0,"delta":{"content":"Hi"}}]}\n\n'
USAGE = HEAD + b'],"usage":{"prompt_tokens":1000,"completion_tokens":10,"total_tokens":1010}}\n\n'
DONE = b"data: [DONE]\n\n"
REPORTED = DELTA.replace(b"]}\n", b'],"usage":null}\n') + USAGE + DONE
SEEN = DELTA + DONE


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
def providers() -> Iterator[tuple[SimulatedProvider, SimulatedProvider]]:
    """Two that response alike."""
    with SimulatedProvider(seed=5) as one, SimulatedProvider(seed=5) as other:
        yield one, other


def row(event: ExchangeEvent) -> RequestRecord:
    return to_record(event, PRICES)[0]


def timeless(reported: bytes) -> bytes:
    return re.sub(rb'"created":\d+', b'"created":0', reported)


async def _streamed(client: openai.AsyncOpenAI, **options: Any) -> list[dict[str, Any]]:
    stream = await client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "Tell me a story."}], stream=True, **options
    )
    return [chunk.model_dump(exclude_unset=True) | {"created": 0} async for chunk in stream]


@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": True}}])
async def test_the_openai_sdk_sees_what_it_would_have_seen_and_the_row_is_priced(
    options: dict[str, Any], providers: tuple[SimulatedProvider, SimulatedProvider]
) -> None:
    near, far = providers
    async with rig(openai_url=far.url) as proxy:
        direct = openai.AsyncOpenAI(base_url=f"{near.url}/v1", api_key=PROVIDER_KEY)
        through = openai.AsyncOpenAI(
            base_url=f"{proxy.url}/oai/v1", api_key=PROVIDER_KEY, default_headers={"Helicone-Auth": f"Bearer {SECRET}"}
        )
        async with direct, through:
            assert await _streamed(through, **options) == await _streamed(direct, **options)
        event = await proxy.event()
    billed = far.ledger[0].usage
    assert billed
    found = row(event)
    assert (found.cost_state, found.usage_source) == (CostState.PRICED, UsageSource.PROVIDER)
    assert (found.prompt_tokens, found.completion_tokens) == (billed.prompt_tokens, billed.completion_tokens)
    assert found.cost_usd
    assert event.response.usage_injected == (not options)


async def test_the_bytes_of_a_stream_are_those_that_would_have_come(
    providers: tuple[SimulatedProvider, SimulatedProvider],
) -> None:
    near, far = providers
    async with rig(openai_url=far.url) as proxy, proxy.client() as client:
        body = {"model": "gpt-4o-mini", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
        direct = await client.post(f"{near.url}/v1/chat/completions", json=body)
        through = await client.post(CHAT, json=body)
        event = await proxy.event()
    assert timeless(through.content) == timeless(direct.content)
    assert b'"usage":null' in event.response.body
    assert len(event.response.body) > len(through.content)


async def test_only_the_option_changes_in_the_request_and_only_its_response_in_the_stream() -> None:
    async with rig() as proxy:
        proxy.provider.script = [chunked(REPORTED)]
        lines = ["Accept-Encoding: gzip, br", "X-Mine: 1", f"Content-Length: {len(BODY)}", "Connection: close"]
        got = await proxy.raw(head(CHAT, *lines) + BODY)
        event = await proxy.event()
        seen = proxy.provider.heads[0].decode().split("\r\n")[2:]
        assert proxy.provider.bodies == [ASKING]
    assert seen == ["X-Mine: 1", "Accept-Encoding: identity", f"Content-Length: {len(ASKING)}", "", ""]
    assert got.endswith(b"\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(SEEN), SEEN))
    assert (event.request.body, event.request.body_bytes) == (BODY, len(BODY))
    assert (event.response.body, event.response.body_bytes) == (REPORTED, len(REPORTED))
    assert (event.response.usage_injected, event.response.request_sent) == (True, True)
    assert row(event).cost_state == CostState.PRICED


async def test_a_response_that_said_how_long_it_is_comes_without_its_length() -> None:
    async with rig() as proxy, proxy.client() as client:
        proxy.provider.script = [http_response(REPORTED, content_type="Text/Event-Stream; charset=utf-8")]
        got = await client.post(CHAT, content=BODY)
        await proxy.event()
    assert (got.content, "content-length" in got.headers) == (SEEN, False)


WISHES = {  # setting, header -> whether usage is requested, whether the client sees it
    ("inject", None): (True, False),
    ("inject", "inject"): (True, False),
    ("inject", "off"): (False, True),
    ("inject", "OFF"): (False, True),
    ("inject", "true"): (True, True),
    ("inject", "nonsense"): (True, False),
    ("off", None): (False, True),
    ("off", "inject"): (True, False),
    ("off", "true"): (True, True),
    ("off", "off"): (False, True),
    ("off", "nonsense"): (False, True),
}


@pytest.mark.parametrize(("setting", "said"), WISHES)
async def test_the_header_decides_before_the_setting(setting: str, said: str | None) -> None:
    requested, shown = WISHES[setting, said]
    async with rig(stream_usage=setting) as proxy, proxy.client() as client:
        proxy.provider.script = [chunked(REPORTED)]
        headers = {} if said is None else {"helicone-stream-usage": said}
        got = await client.post(CHAT, content=BODY, headers=headers)
        event = await proxy.event()
        assert proxy.provider.bodies == [ASKING if requested else BODY]
        assert proxy.metrics.get("proxy_stream_usage_injected_total") == int(requested and not shown)
    assert got.content == (REPORTED if shown else SEEN)
    assert event.response.usage_injected == (requested and not shown)


async def _requested(proxy: Rig, target: str, body: bytes, *lines: str, method: str = "POST") -> bytes:
    """The response's body, for requests that pass as they are."""
    got = await proxy.raw(head(target, *lines, "Connection: close", method=method) + body)
    return got.partition(b"\r\n\r\n")[2]


async def test_what_is_not_plainly_a_chat_stream_passes_untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_injection, "MAX_BODY_BYTES", 100)
    long = f"Content-Length: {len(BODY)}"
    large = BODY.replace(b"[]", b"[" + b" " * 100 + b"]")
    twice = b'{"stream":true,"stream":true}'
    untouched: list[tuple[str, bytes, tuple[str, ...], str]] = [
        ("/oai/v1/responses", BODY, (long,), "POST"),
        ("/anthropic/v1/chat/completions", BODY, (long,), "POST"),
        (CHAT, BODY, (long,), "PUT"),
        (CHAT, BODY, (long, "Content-Encoding: identity"), "POST"),
        (CHAT, b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY), ("Transfer-Encoding: chunked",), "POST"),
        (CHAT, large, (f"Content-Length: {len(large)}",), "POST"),
        (CHAT, twice, (f"Content-Length: {len(twice)}",), "POST"),
    ]
    async with rig() as proxy:
        proxy.provider.script = [http_response(REPORTED, content_type="text/event-stream")]
        for target, body, lines, method in untouched:
            assert await _requested(proxy, target, body, *lines, method=method) == REPORTED
        events = await proxy.events(len(untouched))
    assert proxy.provider.bodies == [BODY] * 5 + [large, twice]
    assert {event.response.usage_injected for event in events} == {False}


async def test_unlogged_traffic_passes_untouched_as_nobody_needs_to_know_what_it_used() -> None:
    async with rig(unauthenticated="pass") as proxy, proxy.client() as client:
        del client.headers["Helicone-Auth"]
        await client.post(CHAT, content=BODY)
        await proxy.events(0)
        assert proxy.provider.bodies == [BODY]


RESPONSES = {
    "compressed all the same": http_response(
        gzip.compress(REPORTED), content_type="text/event-stream", more="Content-Encoding: gzip\r\n"
    ),
    "no stream": http_response(b'{"choices":[],"usage":{"total_tokens":1}}\n\n'),
    "a refusal": http_response(b'{"error":{"message":"Unknown parameter: stream_options"}}', status="400 Bad Request"),
}


@pytest.mark.parametrize("name", RESPONSES)
async def test_a_response_that_is_not_a_plain_stream_passes_as_it_is(name: str) -> None:
    script = RESPONSES[name]
    async with rig() as proxy:
        proxy.provider.script = [script]
        got = await _requested(proxy, CHAT, BODY, f"Content-Length: {len(BODY)}")
        event = await proxy.event()
    assert got == event.response.body == script.partition(b"\r\n\r\n")[2]
    assert event.response.usage_injected


async def test_events_travel_at_once_and_nothing_waits_for_the_next_one() -> None:
    async with rig(on_disconnect="cancel") as proxy:
        proxy.provider.script = [chunked(DELTA, DELTA[:-1], end=b""), 0.1, b"1\r\n\n\r\n", Do.HANG]
        reader, writer = await proxy.connect()
        writer.write(head(CHAT, f"Content-Length: {len(BODY)}") + BODY)
        async with asyncio.timeout(2):
            await reader.readuntil(b"\r\n\r\n" + b"%x\r\n" % len(DELTA) + DELTA)
            await reader.readuntil(DELTA)
        writer.close()


async def test_a_body_in_many_reads_is_kept_together_and_a_held_back_one_requested() -> None:
    large = BODY.replace(b"[]", b'["' + b"x" * 300_000 + b'"]')
    async with rig() as proxy:
        proxy.keys.slow_s = 0.05
        proxy.provider.script = [chunked(REPORTED)]
        reader, writer = await proxy.connect()
        writer.write(head(CHAT, "Expect: 100-continue", f"Content-Length: {len(large)}", "Connection: close"))
        async with asyncio.timeout(5):
            await reader.readuntil(b"100 Continue\r\n\r\n")
            for start in range(0, len(large), 50_000):
                writer.write(large[start : start + 50_000])
                await asyncio.sleep(0.005)
            got = await reader.read(-1)
        writer.close()
        event = await proxy.event()
        assert proxy.provider.bodies == [ASKING.replace(BODY[-3:-1], large[len(BODY) - 3 : -1])]
    assert SEEN in got
    assert event.request.body == large


async def test_where_there_is_no_room_bodies_travel_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.proxy.build.BUFFER_BYTES", 20)
    async with rig() as proxy:
        proxy.provider.script = [chunked(REPORTED)]
        requested = head(CHAT, f"Content-Length: {len(BODY)}", "Connection: close")
        late = await proxy.raw(requested + BODY[:30], BODY[30:], pause_s=0.3)
        whole = await proxy.raw(requested + BODY[:10], BODY[10:])
        first, second = await proxy.events(2)
        assert proxy.provider.bodies == [BODY, ASKING]
    assert (REPORTED in late, SEEN in whole) == (True, True)
    assert (first.request.body, second.request.body) == (BODY, BODY)
    assert (first.response.usage_injected, second.response.usage_injected) == (False, True)


async def test_a_client_that_leaves_before_its_body_is_whole_leaves_an_event_of_a_request_that_was_never_sent() -> None:
    async with rig() as proxy:
        _, writer = await proxy.connect()
        writer.write(head(CHAT, "Content-Length: 100") + b"half")
        await asyncio.sleep(0.05)
        writer.close()
        event = await proxy.event()
        assert proxy.provider.heads == []
    assert (event.response.outcome, event.request.body) == (Outcome.CLIENT_DISCONNECTED, b"half")
    assert not event.response.request_sent


def _unframed(got: bytes) -> bytes:
    """The chunks of a response that broke off."""
    rest, body = got.partition(b"\r\n\r\n")[2], b""
    while rest:
        size = int(rest.partition(b"\r\n")[0], 16)
        assert size, "the response has an end"
        rest = rest.partition(b"\r\n")[2]
        body, rest = body + rest[:size], rest[size + 2 :]
    return body


async def _response_of(proxy: Rig) -> bytes:
    reader, writer = await proxy.connect()
    writer.write(head(CHAT, f"Content-Length: {len(BODY)}") + BODY)
    async with asyncio.timeout(5):
        got = await reader.read(-1)
    writer.close()
    return got


async def test_wherever_a_provider_breaks_off_the_client_gets_its_part_and_the_row_is_honest() -> None:
    """At every byte of the stream."""
    usage_known = len(REPORTED) - len(DONE) - 2  # blank line not included: the chunk itself is whole
    async with rig() as proxy:
        for cut in range(len(REPORTED)):
            script: list[Step] = [chunked(REPORTED[:cut], end=b"") if cut else chunked(end=b""), Do.CLOSE]
            proxy.provider.script = script
            got = await _response_of(proxy)
            removal = UsageRemoval()
            left = removal.feed(REPORTED[:cut]) + removal.close()
            assert _unframed(got) == left
        events = await proxy.events(len(REPORTED))
    for cut, event in enumerate(events):
        assert (event.response.outcome, event.response.body) == (Outcome.UPSTREAM_ERROR, REPORTED[:cut])
        assert (event.response.usage_injected, event.response.request_sent) == (True, True)
        found = row(event)
        if cut >= usage_known:
            assert (found.usage_source, found.cost_state) == (UsageSource.PROVIDER, CostState.PRICED)
        else:
            assert found.usage_source in (UsageSource.NONE, UsageSource.ESTIMATED)
            assert found.cost_usd is None
