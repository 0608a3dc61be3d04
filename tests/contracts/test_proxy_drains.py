"""Clients that hang up: what is billed is read on without them, within bounds, and one event says what is known."""

import asyncio
import gc
from collections.abc import Sequence
from typing import Any

import pytest

from schemas.event import ExchangeEvent, Outcome
from schemas.price import CostState
from schemas.record import RequestRecord
from schemas.usage import UsageSource
from services.domain.enrich import to_record
from services.proxy.exchange.drain import Drain
from services.proxy.exchange.exchange import Exchange
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import chat_response
from tests.servers.proxy_rig import Rig, head, rig
from tests.servers.scripted_provider import Do, Step, chunked, http_response

pytestmark = pytest.mark.anyio

CHAT = "/oai/v1/chat/completions"
PRICES = ShippedPrices()
PLAIN = b'{"model":"gpt-4o-mini","messages":[]}'
STREAMED = b'{"model":"gpt-4o-mini","stream":true,"messages":[]}'
HEAD = b'data: {"id":"1","object":"chat.completion.chunk","model":"gpt-4o-mini-2024-07-18","choices":['
DELTA = HEAD + b'{"index":0,"delta":{"content":"Hi"}}]}\n\n'
USAGE = HEAD + b'],"usage":{"prompt_tokens":1000,"completion_tokens":10,"total_tokens":1010}}\n\n'
REPORTED = DELTA + USAGE + b"data: [DONE]\n\n"
LAST = b"0\r\n\r\n"
DROPS: list[Step] = [0.05, b"1\r\n.\r\n"] * 60


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


def row(event: ExchangeEvent) -> RequestRecord:
    return to_record(event, PRICES)[0]


def chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


async def hang_up(proxy: Rig, body: bytes, *lines: str, after: bytes = b"") -> None:
    """Asks, and leaves when `after` was read; for nothing, as soon as the provider has the request."""
    requested = len(proxy.provider.heads)
    reader, writer = await proxy.connect()
    writer.write(head(CHAT, *lines, f"Content-Length: {len(body)}") + body)
    async with asyncio.timeout(5):
        if after:
            await reader.readuntil(after)
        while len(proxy.provider.heads) == requested:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    writer.close()


async def provider_is_left(proxy: Rig) -> None:
    async with asyncio.timeout(3):
        while proxy.provider.open_connections:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


ENDS: dict[str, tuple[bytes, Sequence[Step], bytes, bytes]] = {  # body, script, read before the end, whole response
    "a stream": (STREAMED, [chunked(DELTA, end=b""), 0.1, chunk(REPORTED[len(DELTA) :]) + LAST], DELTA, REPORTED),
    "a stream before its head": (STREAMED, [0.1, chunked(REPORTED)], b"", REPORTED),
    "a plain response before its head": (PLAIN, [0.1, http_response(chat_response())], b"", chat_response()),
    "a plain response in its middle": (
        PLAIN,
        [http_response(chat_response())[:-20], 0.1, chat_response()[-20:]],
        b"choices",
        chat_response(),
    ),
}


@pytest.mark.parametrize("name", ENDS)
async def test_the_response_is_read_on_and_the_row_knows_what_it_cost(name: str) -> None:
    body, script, after, whole = ENDS[name]
    async with rig() as proxy, proxy.client() as client:
        proxy.provider.script = script
        await hang_up(proxy, body, after=after)
        event = await proxy.event()
        assert proxy.metrics.get("proxy_drained_total") == 1
        proxy.provider.script = [http_response(b"{}")]
        await client.post("/oai/v1/x")
        assert proxy.provider.connections == 1  # the drained one was left in order
    response = event.response
    assert (response.outcome, response.status, response.body) == (Outcome.CLIENT_DISCONNECTED, 200, whole)
    assert (response.drained, response.request_sent) == (True, True)
    assert response.latency_ms >= 90
    found = row(event)
    assert (found.usage_source, found.cost_state) == (UsageSource.DRAINED, CostState.PRICED)


WISHES = [("drain", None, True), ("drain", "cancel", False), ("drain", "nonsense", True)]
WISHES += [("cancel", None, False), ("cancel", "DRAIN", True), ("cancel", "nonsense", False)]


@pytest.mark.parametrize(("setting", "said", "drained"), WISHES)
async def test_the_header_decides_before_the_setting(setting: str, said: str | None, drained: bool) -> None:
    async with rig(on_disconnect=setting) as proxy:
        proxy.provider.script = [chunked(DELTA, end=b""), 0.1, chunk(USAGE) + LAST]
        await hang_up(proxy, STREAMED, *([] if said is None else [f"Helicone-On-Disconnect: {said}"]), after=DELTA)
        event = await proxy.event()
        if not drained:
            await provider_is_left(proxy)
    assert (event.response.outcome, event.response.drained) == (Outcome.CLIENT_DISCONNECTED, drained)
    assert event.response.body == DELTA + USAGE * drained
    assert (row(event).cost_usd is not None) == drained


async def test_wherever_a_provider_breaks_off_without_its_client_the_row_is_honest() -> None:
    cuts = range(len(DELTA), len(REPORTED), 3)
    async with rig() as proxy:
        for cut in cuts:
            proxy.provider.script = [chunked(DELTA, end=b""), 0.15, chunk(REPORTED[len(DELTA) : cut] or b" "), Do.CLOSE]
            await hang_up(proxy, STREAMED, after=DELTA)
            await provider_is_left(proxy)
        events = await proxy.events(len(cuts))
    for cut, event in zip(cuts, events, strict=True):
        assert event.response.outcome == Outcome.CLIENT_DISCONNECTED
        assert event.response.body.rstrip(b" ") == REPORTED[:cut].rstrip(b" ")
        found = row(event)
        if cut >= len(DELTA + USAGE) - 2:
            assert (found.usage_source, found.cost_state) == (UsageSource.DRAINED, CostState.PRICED)
        else:
            assert found.usage_source in (UsageSource.NONE, UsageSource.ESTIMATED)
            assert found.cost_usd is None


BOUNDS: dict[str, tuple[dict[str, Any], Sequence[Step], bool]] = {  # settings, script, whether anything was read on
    "time": ({"drain_timeout_s": 0.3}, [chunked(DELTA, end=b""), Do.HANG], False),
    "time, before the head": ({"drain_timeout_s": 0.3}, [Do.HANG], False),
    "time, with more coming": (
        {"drain_timeout_s": 0.3},
        [chunked(DELTA, end=b""), *DROPS],
        True,
    ),
    "bytes": ({"drain_bytes": 50}, [chunked(DELTA, end=b""), 0.1, chunk(b"x" * 51), Do.HANG], True),
    "the space there is": (
        {"capture_total_bytes": len(STREAMED) + len(DELTA)},
        [chunked(DELTA, end=b""), 0.1, chunk(b"x" * 100), Do.HANG],
        True,
    ),
    "the capture limit, for what is compressed": (
        {"capture_bytes": len(DELTA)},
        [chunked(DELTA, end=b"", more="Content-Encoding: br\r\n"), 0.1, chunk(bytes(100_000)), Do.HANG],
        True,
    ),
    "a head that is not valid": ({}, [0.1, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx", Do.HANG], False),
}


@pytest.mark.parametrize("name", BOUNDS)
async def test_at_a_bound_the_provider_is_left_and_the_event_says_what_is_known(name: str) -> None:
    settings, script, drained = BOUNDS[name]
    async with rig(**settings) as proxy:
        proxy.provider.script = script
        await hang_up(proxy, STREAMED, after=DELTA if isinstance(script[0], bytes) else b"")
        event = await proxy.event()
        await provider_is_left(proxy)
        assert proxy.metrics.get("proxy_drain_cut_total") == 1
    assert (event.response.outcome, event.response.drained) == (Outcome.CLIENT_DISCONNECTED, drained)
    assert row(event).cost_usd is None


async def test_what_could_not_be_kept_before_its_client_went_is_not_read_on() -> None:
    async with rig(capture_total_bytes=len(STREAMED)) as proxy:
        proxy.provider.script = [chunked(DELTA, end=b""), Do.HANG]
        await hang_up(proxy, STREAMED, after=DELTA)
        event = await proxy.event()
        await provider_is_left(proxy)
    assert (event.response.drained, event.response.body_bytes) == (False, len(DELTA))


async def test_above_the_most_drains_responses_are_cancelled_and_counted() -> None:
    async with rig(drain_count=2) as proxy:
        proxy.provider.script = [chunked(DELTA, end=b""), 0.5, chunk(USAGE) + LAST]
        for _ in range(4):
            await hang_up(proxy, STREAMED, after=DELTA)
            await asyncio.sleep(0.02)
        events = await proxy.events(4)
        counted = [proxy.metrics.get(name) for name in ("proxy_drained_total", "proxy_drain_refused_total")]
    assert sorted(event.response.drained for event in events) == [False, False, True, True]
    assert counted == [2, 2]


async def test_a_failed_response_that_is_too_large_to_drain_leaves_room_for_the_next_one() -> None:
    async with rig(drain_count=1, drain_bytes=50, drain_timeout_s=0.5) as proxy:
        proxy.provider.script = [b"HTTP/1.1 500 X\r\nContent-Length: 200\r\n\r\n" + bytes(100), Do.HANG]
        reader, writer = await proxy.connect()
        writer.write(head(CHAT, "Helicone-Retry-Enabled: true", f"Content-Length: {len(PLAIN)}") + PLAIN)
        await asyncio.sleep(0.3)  # the response is read to its end, before another attempt
        writer.close()
        failed = await proxy.event()
        proxy.provider.script = [chunked(DELTA, end=b""), Do.HANG]
        await hang_up(proxy, STREAMED, after=DELTA)
        _, drained = await proxy.events(2)
        counted = [proxy.metrics.get(name) for name in ("proxy_drained_total", "proxy_drain_refused_total")]
        assert reader
    assert [one.response.body_bytes for one in (failed, drained)] == [100, len(DELTA)]
    assert counted == [2, 0]


async def test_a_client_that_does_not_read_its_response_is_cut_off_and_the_response_read_on() -> None:
    piece = b"x" * 2**18
    async with rig(idle_timeout_s=0.5, capture_bytes=2**26, drain_bytes=2**26) as proxy:
        proxy.provider.script = [chunked(end=b""), *([chunk(piece)] * 64), LAST]
        reader, writer = await proxy.connect()
        writer.write(head(CHAT, f"Content-Length: {len(PLAIN)}") + PLAIN)
        event = await proxy.event()
        assert reader
        writer.close()
    assert (event.response.outcome, event.response.drained) == (Outcome.CLIENT_DISCONNECTED, True)
    assert event.response.body_bytes == len(piece) * 64


async def test_unlogged_responses_are_not_read_on() -> None:
    async with rig(unauthenticated="pass") as proxy:
        proxy.provider.script = [Do.HANG]
        proxy.keys.known.clear()
        await hang_up(proxy, PLAIN)
        await provider_is_left(proxy)
        await proxy.events(0)


# Never sent


async def test_a_request_whose_provider_cannot_be_reached_was_never_sent() -> None:
    async with rig(openai_url="http://127.0.0.1:9") as proxy, proxy.client() as client:
        for body in (PLAIN, STREAMED):
            assert (await client.post(CHAT, content=body)).status_code == 502
        events = await proxy.events(2)
    assert [event.response.request_sent for event in events] == [False, False]
    assert [event.request.body for event in events] == [PLAIN, STREAMED]


async def test_a_request_that_still_waits_for_a_connection_is_neither_sent_nor_read_on() -> None:
    async with rig(max_connections=1) as proxy:
        proxy.provider.script = [0.4, http_response(chat_response())]
        requesting = asyncio.create_task(
            proxy.raw(head(CHAT, f"Content-Length: {len(PLAIN)}", "Connection: close") + PLAIN)
        )
        await asyncio.sleep(0.05)
        _, writer = await proxy.connect()
        writer.write(head(CHAT, f"Content-Length: {len(PLAIN)}") + PLAIN)
        await asyncio.sleep(0.05)
        writer.close()
        await requesting
        gone, completed = await proxy.events(2)
        assert len(proxy.provider.heads) == 1
        assert proxy.metrics.get("proxy_drained_total") == 0
    assert (gone.response.outcome, gone.response.request_sent) == (Outcome.CLIENT_DISCONNECTED, False)
    assert (completed.response.outcome, completed.response.request_sent) == (Outcome.COMPLETED, True)


async def test_a_request_that_was_begun_but_not_whole_was_sent_and_is_not_read_on() -> None:
    async with rig() as proxy:
        _, writer = await proxy.connect()
        writer.write(head("/oai/v1/files", "Content-Length: 100") + b"half")
        await asyncio.sleep(0.05)
        writer.close()
        event = await proxy.event()
        await provider_is_left(proxy)
    assert (event.response.request_sent, event.response.drained) == (True, False)


async def test_too_large_a_request_was_never_sent() -> None:
    async with rig(max_body_bytes=10) as proxy:
        await proxy.raw(head(CHAT, "Content-Length: 11", "Connection: close") + b"x" * 11)
        event = await proxy.event()
    assert not event.response.request_sent


# Stopping, and leaks


async def test_a_stopping_proxy_reads_on_until_the_end() -> None:
    async with rig(grace_s=3) as proxy:
        proxy.provider.script = [chunked(DELTA, end=b""), 0.5, chunk(USAGE) + LAST]
        await hang_up(proxy, STREAMED, after=DELTA)
        await asyncio.sleep(0.05)
        proxy.server.stop()
        event = await proxy.event()
    assert (event.response.body, event.response.drained) == (DELTA + USAGE, True)


async def test_a_stopping_proxy_reads_on_no_longer_than_the_grace_period_and_still_makes_the_event() -> None:
    async with rig(grace_s=1) as proxy:
        proxy.provider.script = [chunked(DELTA, end=b""), Do.HANG]
        await hang_up(proxy, STREAMED, after=DELTA)
        began_s = asyncio.get_running_loop().time()
        proxy.server.stop()
        event = await proxy.event()
        assert asyncio.get_running_loop().time() - began_s < 1.8
    assert (event.response.outcome, event.response.body) == (Outcome.CLIENT_DISCONNECTED, DELTA)


async def test_two_hundred_hang_ups_leave_two_hundred_events_and_nothing_else() -> None:
    scripts: list[list[Step]] = [
        [chunked(DELTA, end=b""), 0.3, chunk(USAGE) + LAST],
        [chunked(DELTA, end=b""), Do.HANG],
        [chunked(DELTA, end=b""), 0.3, Do.RESET],
        [0.3, chunked(REPORTED)],
    ]
    async with rig(drain_timeout_s=0.5, drain_count=30, max_connections=200) as proxy:
        await asyncio.sleep(0.05)
        tasks = len(asyncio.all_tasks())
        for script in scripts:
            proxy.provider.script = script
            after = DELTA if isinstance(script[0], bytes) else b""
            async with asyncio.timeout(10):
                await asyncio.gather(*(hang_up(proxy, STREAMED, after=after) for _ in range(50)))
        await asyncio.sleep(0.7)
        events = await proxy.events(200)
        serving = proxy.provider.open_connections  # resting ones are kept for the next request
        assert len(asyncio.all_tasks()) <= tasks + serving
        assert proxy.server.connection_count == 0
        gc.collect()
        assert [one for one in gc.get_objects() if isinstance(one, Drain | Exchange)] == []
    assert {event.response.outcome for event in events} == {Outcome.CLIENT_DISCONNECTED}
    assert len({event.request.request_id for event in events}) == 200
