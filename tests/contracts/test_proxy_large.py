"""Responses far above the capture limit, over real sockets: they pass untouched, and their cost is exact."""

import gzip
import json
import random
from decimal import Decimal
from typing import Any

import httpx
import pytest

from schemas.event import ExchangeEvent
from schemas.price import CostState
from services.domain.enrich import to_record
from services.domain.exchange.capture import TAIL_BYTES
from services.stores.shipped_prices.book import ShippedPrices
from services.stores.upstream.connection import WRITE_BUFFER_BYTES
from tests.builders.logged_calls import a_log, as_lines
from tests.servers.proxy_rig import rig
from tests.servers.scripted_provider import chunked, http_response

pytestmark = pytest.mark.anyio

CHAT = "/oai/v1/chat/completions"
PRICES = ShippedPrices()
LIMIT = 4 * 2**20
USAGE = {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200}
PRICED = (Decimal("0.00027"), CostState.PRICED)
REQUESTED = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "a book"}]}
NAMED = {"id": "1", "model": "gpt-4o-mini", "service_tier": "default"}


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


def cost(event: ExchangeEvent) -> tuple[Decimal | None, CostState]:
    row = to_record(event, PRICES)[0]
    return row.cost_usd, row.cost_state


def a_book(characters: int) -> bytes:
    """A plain chat response."""
    text = random.Random(1).randbytes(characters // 2).hex()
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return json.dumps(NAMED | {"choices": [choice], "usage": USAGE}).encode()


def a_long_stream(*, requested: bool) -> list[bytes]:
    """Ten megabytes of events; `asked` for their usage."""
    delta = {"index": 0, "delta": {"content": "word " * 400}, "finish_reason": None}
    null: dict[str, Any] = {"usage": None} if requested else {}
    events = [NAMED | {"choices": [delta]} | null] * 4800
    last = [NAMED | {"choices": [], "usage": USAGE}] if requested else []
    return [*(b"data: %b\n\n" % json.dumps(event).encode() for event in events + last), b"data: [DONE]\n\n"]


async def test_a_plain_response_of_ten_megabytes_has_its_exact_cost() -> None:
    book = a_book(10 * 2**20)
    async with rig() as proxy, proxy.client() as client:
        proxy.provider.script = [http_response(book)]
        got = await client.post(CHAT, json=REQUESTED)
        event = await proxy.event()
        assert proxy.metrics.get("proxy_bodies_truncated_total") == 1
    assert got.content == book
    assert (event.response.body, event.response.body_tail) == (book[:LIMIT], book[-TAIL_BYTES:])
    assert event.response.body_bytes == len(book)
    assert cost(event) == PRICED


@pytest.mark.parametrize("requested", [True, False], ids=["asked for its usage", "asked by us"])
async def test_a_stream_of_ten_megabytes_has_its_exact_cost(requested: bool) -> None:
    wanted = REQUESTED | {"stream": True} | ({"stream_options": {"include_usage": True}} if requested else {})
    said = a_long_stream(requested=True)
    async with rig() as proxy, proxy.client() as client:
        proxy.provider.script = [chunked(*said)]
        got = await client.post(CHAT, json=wanted)
        event = await proxy.event()
    assert len(event.response.body) == LIMIT
    assert event.response.body_bytes == len(b"".join(said)) > 10**7
    assert got.content == b"".join(said if requested else a_long_stream(requested=False))
    assert cost(event) == PRICED


async def test_a_compressed_response_that_large_says_that_it_was_cut() -> None:
    packed = gzip.compress(a_book(12 * 2**20), 1)
    async with rig() as proxy, proxy.client() as client:
        proxy.provider.script = [http_response(packed, more="Content-Encoding: gzip\r\n")]
        await client.post(CHAT, json=REQUESTED)
        event = await proxy.event()
    assert len(packed) > LIMIT + TAIL_BYTES
    assert cost(event) == (None, CostState.TRUNCATED)


async def test_a_large_response_whose_client_went_is_read_on_and_has_its_exact_cost() -> None:
    said = a_long_stream(requested=True)
    async with rig(drain_bytes=2 * 10**7) as proxy, proxy.client() as client:
        proxy.provider.script = [chunked(*said[:3000], end=b""), 0.3, chunked(*said[3000:]).partition(b"\r\n\r\n")[2]]
        requested = REQUESTED | {"stream": True, "stream_options": {"include_usage": True}}
        async with client.stream("POST", CHAT, json=requested) as got:
            seen = 0
            async for piece in got.aiter_raw():
                seen += len(piece)
                if seen > LIMIT + TAIL_BYTES:
                    break
        event = await proxy.event()
    assert event.response.drained
    assert event.response.body_bytes == len(b"".join(said))
    assert cost(event) == PRICED


LOGGED: dict[str, Any] = {
    "plain": {"response": json.loads(a_book(6 * 2**20))},
    "streamed": {"text": as_lines([json.loads(event[6:]) for event in a_long_stream(requested=True)[2000:-1]])},
}


@pytest.mark.parametrize("name", LOGGED)
async def test_a_large_response_that_is_logged_afterwards_has_its_exact_cost(name: str) -> None:
    log = a_log(requested=REQUESTED, **LOGGED[name])
    async with rig() as proxy, proxy.client() as client:
        got = await client.post("/oai/v1/log", content=json.dumps(log))
        event = await proxy.event()
    assert got.status_code == 200
    assert (len(event.response.body), len(event.response.body_tail)) == (LIMIT, TAIL_BYTES)
    assert cost(event) == PRICED


async def test_large_responses_give_back_all_the_space_that_they_took() -> None:
    book = a_book(300_000)
    room = 100_000 + 2 * TAIL_BYTES + WRITE_BUFFER_BYTES
    async with rig(capture_bytes=100_000, capture_total_bytes=room) as proxy, proxy.client() as client:
        proxy.provider.script = [http_response(book)]
        for _ in range(20):
            got: httpx.Response = await client.post(CHAT, json=REQUESTED)
            assert got.content == book
        events = await proxy.events(20)
        assert proxy.metrics.get("proxy_bodies_dropped_total") == 0
    assert {cost(event) for event in events} == {PRICED}
