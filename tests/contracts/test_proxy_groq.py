"""Groq behind the proxy: called with an unmodified SDK, counted from `x_groq` and priced by the shipped prices."""

import json
from decimal import Decimal
from typing import Any

import openai
import pytest

from schemas.price import CostState
from schemas.record import RequestRecord
from schemas.usage import UsageSource
from services.domain.enrich import to_record
from services.stores.shipped_prices.book import ShippedPrices
from tests.golden.cases import GOLDEN_CASES
from tests.servers.proxy_rig import SECRET, Rig, rig
from tests.servers.scripted_provider import chunked, http_response

pytestmark = pytest.mark.anyio

CASES = {case.name: case for case in GOLDEN_CASES}
MODEL = "llama-3.3-70b-versatile"
QUESTION: Any = [{"role": "user", "content": "Say hello."}]


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


def sdk(proxy: Rig, prefix: str) -> openai.AsyncOpenAI:
    headers = {"Helicone-Auth": f"Bearer {SECRET}", "Helicone-User-Id": "user-123"}
    return openai.AsyncOpenAI(base_url=f"{proxy.url}{prefix}/openai/v1", api_key="gsk-1", default_headers=headers)


async def row(proxy: Rig) -> RequestRecord:
    return to_record(await proxy.event(), ShippedPrices())[0]


@pytest.mark.parametrize("prefix", ["/groq", "/v1/gateway/groq"])
async def test_a_stream_passes_untouched_and_is_priced(prefix: str) -> None:
    case = CASES["groq_stream"]
    async with rig() as proxy, sdk(proxy, prefix) as client:
        proxy.provider.script = [chunked(case.body)]
        stream = await client.chat.completions.create(model=MODEL, messages=QUESTION, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
        record = await row(proxy)
        head, body = proxy.provider.heads[0], json.loads(proxy.provider.bodies[0])
    assert text == "Hello!"
    assert head.startswith(b"POST /openai/v1/chat/completions HTTP/1.1\r\n")
    assert b"gsk-1" in head
    assert b"helicone" not in head.lower()
    assert "stream_options" not in body  # it reports usage unasked
    assert (record.provider, record.model, record.user_id) == ("GROQ", MODEL, "user-123")
    assert (record.cost_state, record.usage_source) == (CostState.PRICED, UsageSource.PROVIDER)
    assert (record.prompt_tokens, record.completion_tokens) == (50, 30)
    assert record.cost_usd == case.cost_usd == 50 * Decimal("0.00000059") + 30 * Decimal("0.00000079")


async def test_a_whole_response_is_priced() -> None:
    case = CASES["groq_chat"]
    async with rig() as proxy, sdk(proxy, "/groq") as client:
        proxy.provider.script = [http_response(case.body)]
        got = await client.chat.completions.create(model=MODEL, messages=QUESTION)
        record = await row(proxy)
    assert got.model == case.model
    assert (record.provider, record.cost_usd, record.cost_state) == ("GROQ", case.cost_usd, CostState.PRICED)
    assert record.target_url.endswith("/openai/v1/chat/completions")


async def test_reads_and_uploads_are_free() -> None:
    async with rig() as proxy, sdk(proxy, "/groq") as client:
        proxy.provider.script = [http_response(b'{"object":"list","data":[]}')]
        assert [model async for model in client.models.list()] == []
        assert (await row(proxy)).cost_state is CostState.FREE
