"""Clients that leave behind the last event of a stream, without waiting for the end of its body: they have it all."""

import asyncio
from collections.abc import Sequence
from typing import Any

import openai
import pytest

from schemas.event import Outcome
from schemas.price import CostState
from schemas.usage import UsageSource
from services.domain.enrich import to_record
from services.domain.exchange.sse import ends_stream
from services.stores.shipped_prices.book import ShippedPrices
from tests.servers.proxy_rig import SECRET, Rig, head, rig
from tests.servers.scripted_provider import Do, Step, chunked, http_response

pytestmark = pytest.mark.anyio

LAST = b"0\r\n\r\n"
CHAT = "/oai/v1/chat/completions"
MESSAGES = "/anthropic/v1/messages"
RESPONSES = "/oai/v1/responses"
HEAD = b'data: {"id":"1","object":"chat.completion.chunk","model":"gpt-4o-mini-2024-07-18","choices":['
DELTA = HEAD + b'{"index":0,"delta":{"content":"Hi"}}]}\n\n'
USAGE = HEAD + b'],"usage":{"prompt_tokens":1000,"completion_tokens":10,"total_tokens":1010}}\n\n'
DONE = b"data: [DONE]\n\n"
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
LARGE = (
    b'event: response.completed\ndata: {"type":"response.completed","response":{"output":"'
    + b"x" * 300_000
    + b'"}}\n\n'
)
COMPLETED = b'event: response.completed\ndata: {"type": "response.completed", "response": {}}\n\n'

ENDED: dict[str, tuple[str, bytes]] = {
    "chat": (CHAT, DELTA + USAGE + DONE),
    "chat that tells no usage": (CHAT, DELTA + DONE),
    "chat in other line ends": (CHAT, (DELTA + DONE).replace(b"\n", b"\r\n")),
    "messages": (MESSAGES, b'event: message_start\ndata: {"type":"message_start"}\n\n' + STOP),
    "a response": (RESPONSES, b'event: response.created\ndata: {"type":"response.created"}\n\n' + COMPLETED),
    "a large response": (RESPONSES, LARGE),
    "a response that failed": (RESPONSES, COMPLETED.replace(b"completed", b"failed")),
    "a response that was cut short": (RESPONSES, COMPLETED.replace(b"completed", b"incomplete")),
}
GOING_ON: dict[str, tuple[str, bytes]] = {
    "chat": (CHAT, DELTA + USAGE),
    "chat in the middle of its end": (CHAT, DELTA + DONE[:-2]),
    "chat that says so": (CHAT, HEAD + b'{"index":0,"delta":{"content":"data: [DONE]"}}]}\n\n'),
    "messages": (MESSAGES, b'event: message_delta\ndata: {"type":"message_delta"}\n\n'),
    "messages of that type within": (MESSAGES, b'data: {"delta":{"type":"message_stop"}}\n\n'),
    "a response": (
        RESPONSES,
        b'event: response.created\ndata: {"type":"response.created","x":"response.completed"}\n\n',
    ),
}


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


async def leave_behind(proxy: Rig, path: str, stream: bytes, *lines: str) -> None:
    """Asks, and closes when `stream` was read, of which the proxy may have taken the usage out."""
    reader, writer = await proxy.connect()
    body = b'{"model":"gpt-4o-mini","stream":true}'
    writer.write(head(path, *lines, f"Content-Length: {len(body)}") + body)
    async with asyncio.timeout(5):
        said = b""
        while (
            not said.replace(b"\r\n", b"\n").rstrip(b"\n").endswith(stream[-60:].replace(b"\r\n", b"\n").rstrip(b"\n"))
        ):
            said += await reader.read(2**16)
    writer.close()


@pytest.mark.parametrize("name", ENDED)
@pytest.mark.parametrize("rest", [[0.1, LAST], [Do.HANG], [0.1, Do.RESET]], ids=["ends", "hangs", "breaks"])
async def test_a_stream_that_was_left_behind_its_last_event_is_complete(name: str, rest: Sequence[Step]) -> None:
    path, stream = ENDED[name]
    async with rig(stream_usage="off", drain_timeout_s=0.3) as proxy:
        proxy.provider.script = [chunked(stream, end=b""), *rest]
        await leave_behind(proxy, path, stream)
        event = await proxy.event()
        assert proxy.metrics.get("proxy_drained_total") == 0
        assert proxy.metrics.get("proxy_drain_cut_total") == 0
    assert (event.response.outcome, event.response.status, event.response.body) == (Outcome.COMPLETED, 200, stream)


@pytest.mark.parametrize("name", GOING_ON)
async def test_a_stream_that_was_left_before_it_is_not(name: str) -> None:
    path, stream = GOING_ON[name]
    async with rig(stream_usage="off") as proxy:
        proxy.provider.script = [chunked(stream, end=b""), 0.1, LAST]
        await leave_behind(proxy, path, stream)
        event = await proxy.event()
    assert event.response.outcome is Outcome.CLIENT_DISCONNECTED


async def test_of_a_stream_whose_usage_was_requested_the_row_is_that_of_a_whole_one() -> None:
    for header_option in ("drain", "cancel"):
        async with rig() as proxy:
            proxy.provider.script = [chunked(DELTA + USAGE + DONE, end=b""), 0.1, LAST]
            await leave_behind(proxy, CHAT, DELTA + DONE, f"Helicone-On-Disconnect: {header_option}")
            event = await proxy.event()
        assert event.response.outcome is Outcome.COMPLETED
        record = to_record(event, ShippedPrices())[0]
        assert (record.usage_source, record.cost_state) == (UsageSource.PROVIDER, CostState.PRICED)


async def test_the_connection_to_the_provider_is_used_again() -> None:
    async with rig(max_connections=1) as proxy, proxy.client() as client:
        proxy.provider.script = [chunked(DELTA + DONE, end=b""), 0.1, LAST]
        await leave_behind(proxy, CHAT, DELTA + DONE)
        await proxy.event()
        proxy.provider.script = [http_response(b"{}")]
        await client.post("/oai/v1/x")
        assert proxy.provider.connections == 1


async def test_the_event_does_not_wait_until_the_provider_ends_the_response() -> None:
    async with rig(drain_timeout_s=60, grace_s=0) as proxy:
        proxy.provider.script = [chunked(DELTA + DONE, end=b""), Do.HANG]
        await leave_behind(proxy, CHAT, DELTA + DONE)
        event = await proxy.event()
        assert (event.response.outcome, event.response.drained) == (Outcome.COMPLETED, False)
        assert proxy.provider.open_connections == 1


async def test_what_was_not_kept_is_not_known_to_be_complete() -> None:
    stream = DELTA + DONE
    tries: list[dict[str, Any]] = [{"capture_total_bytes": 50}, {}]
    for settings in tries:
        async with rig(**settings) as proxy:
            more = "" if settings else "Content-Encoding: br\r\n"
            proxy.provider.script = [chunked(stream, end=b"", more=more), 0.1, LAST]
            await leave_behind(proxy, "/oai/v1/x", stream)
            event = await proxy.event()
        assert event.response.outcome is Outcome.CLIENT_DISCONNECTED


async def test_of_a_stream_above_the_capture_limit_the_end_is_enough() -> None:
    stream = DELTA * 2000 + USAGE + DONE
    async with rig(capture_bytes=1000, stream_usage="off") as proxy:
        proxy.provider.script = [
            chunked(*[stream[at : at + 5000] for at in range(0, len(stream), 5000)], end=b""),
            0.1,
            LAST,
        ]
        await leave_behind(proxy, CHAT, stream)
        event = await proxy.event()
    assert (event.response.outcome, event.response.body_bytes) == (Outcome.COMPLETED, len(stream))


async def test_openai_s_client_closes_behind_done_and_its_row_is_complete() -> None:
    async with rig() as proxy:
        proxy.provider.script = [chunked(DELTA + USAGE + DONE, end=b""), 0.3, LAST]
        async with openai.AsyncOpenAI(
            api_key="k", base_url=f"{proxy.url}/oai/v1", default_headers={"Helicone-Auth": f"Bearer {SECRET}"}
        ) as client:
            stream = await client.chat.completions.create(model="gpt-4o-mini", messages=[], stream=True)
            assert [chunk.choices[0].delta.content async for chunk in stream] == ["Hi"]
        event = await proxy.event()
    assert event.response.outcome is Outcome.COMPLETED


@pytest.mark.parametrize(
    ("end", "ended"),
    [
        (DONE, True),
        (b"data:[DONE]\n", True),
        (b"data: [DONE]\r\n\r\n", True),
        (b"data: [DONE]\r\r", True),
        (b"x\n\n: comment\ndata: [DONE]\n\n", True),
        (STOP, True),
        (b"data: [DONE]", False),
        (b": [DONE]\n\n", False),
        (b"data: [DONE]\n\ndata: more\n\n", False),
        (b'data: {"type":"message_stop"', False),
        (b'data: ["type","message_stop"]\n\n', False),
        (b'data: {"type":["message_stop"]}\n\n', False),
        (b"data: " + b"[" * 100_000 + b"\n\n", False),
        (b"data: \xff\n\n", False),
        (b"\n\n", False),
        (b"", False),
    ],
)
def test_the_last_event_is_known_by_what_it_is(end: bytes, ended: bool) -> None:
    assert ends_stream(end) is ended
