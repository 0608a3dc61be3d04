"""Streams of the older completions, over real sockets: their usage is requested, taken out again, and counted."""

from typing import Any

import openai
import pytest

from schemas.price import CostState
from schemas.usage import UsageSource
from services.domain.enrich import to_record
from services.stores.shipped_prices.book import ShippedPrices
from tests.servers.proxy_rig import SECRET, rig
from tests.servers.scripted_provider import chunked

pytestmark = pytest.mark.anyio

COMPLETIONS = "/oai/v1/completions"
BODY = b'{"model":"gpt-3.5-turbo-instruct","stream":true,"prompt":"Say hi"}'
ASKING = BODY.replace(b"true", b'true,"stream_options":{"include_usage":true}')
MODEL = b"gpt-3.5-turbo-instruct:20230824-v2"
HEAD = b'data: {"id":"cmpl-1","object":"text_completion","created":1,"model":"%b","choices":[' % MODEL
DELTA = HEAD + b'{"text":"Hi","index":0,"logprobs":null,"finish_reason":null}]}\n\n'
USAGE = HEAD + b'],"usage":{"prompt_tokens":1000,"completion_tokens":10,"total_tokens":1010}}\n\n'
DONE = b"data: [DONE]\n\n"
REPORTED = DELTA.replace(b"]}\n", b'],"usage":null}\n') + USAGE + DONE
SEEN = DELTA + DONE


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@pytest.mark.parametrize("path", [COMPLETIONS, "/v1/gateway/oai/v1/completions"])
async def test_usage_is_requested_and_taken_out_and_the_row_is_priced(path: str) -> None:
    async with rig() as proxy, proxy.client() as client:
        proxy.provider.script = [chunked(REPORTED)]
        got = await client.post(path, content=BODY)
        event = await proxy.event()
        assert proxy.provider.bodies == [ASKING]
    assert got.content == SEEN
    assert (event.request.body, event.response.body, event.response.usage_injected) == (BODY, REPORTED, True)
    record = to_record(event, ShippedPrices())[0]
    assert (record.cost_state, record.usage_source) == (CostState.PRICED, UsageSource.PROVIDER)
    assert (record.prompt_tokens, record.completion_tokens) == (1000, 10)


async def test_the_openai_sdk_sees_what_it_would_have_seen() -> None:
    async with rig() as proxy:
        proxy.provider.script = [chunked(REPORTED)]
        headers = {"Helicone-Auth": f"Bearer {SECRET}"}
        async with openai.AsyncOpenAI(base_url=f"{proxy.url}/oai/v1", api_key="k", default_headers=headers) as client:
            stream = await client.completions.create(model="gpt-3.5-turbo-instruct", prompt="Say hi", stream=True)
            assert [chunk.choices[0].text async for chunk in stream] == ["Hi"]
        event = await proxy.event()
    assert event.response.usage_injected


async def test_a_client_that_requests_usage_itself_gets_it_and_others_decide_by_header() -> None:
    async with rig() as proxy, proxy.client() as client:
        proxy.provider.script = [chunked(REPORTED)]
        assert (await client.post(COMPLETIONS, content=ASKING)).content == REPORTED
        assert (
            await client.post(COMPLETIONS, content=BODY, headers={"Helicone-Stream-Usage": "off"})
        ).content == REPORTED
        assert proxy.provider.bodies == [ASKING, BODY]
