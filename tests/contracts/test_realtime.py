"""Realtime sessions through a running proxy: OpenAI's own Python package, unchanged, and a row for each response."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from schemas.budget import Segment
from schemas.event import ExchangeEvent, Outcome, encode_event
from schemas.price import CostState
from schemas.record import RequestRecord
from services.domain.enrich import to_record
from services.proxy.budgets import definitions
from services.proxy.http.connection import TURNS_S
from services.proxy.http.dispatcher import Dispatcher
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.budgets import a_budget, a_reservation
from tests.builders.records import ORGANIZATION
from tests.contracts.test_proxy_budgets import USD, budgeted, now_claim
from tests.servers.proxy_rig import PROVIDER_KEY, SECRET, Rig, rig
from tests.servers.realtime_provider import COST_USD, TRANSCRIPTION_USAGE, RealtimeProvider
from tests.servers.warehouses import rows_of
from tests.support.working import work_through

pytestmark = pytest.mark.anyio

HEADERS = {
    "Helicone-Auth": f"Bearer {SECRET}",
    "Authorization": f"Bearer {PROVIDER_KEY}",
    "Helicone-User-Id": "user-1",
    "Helicone-Property-Feature": "voice",
}
PRICES = ShippedPrices()
# No pings of the client's own: a machine under load may take longer than they wait.
QUIETLY: Any = {"ping_interval": None}
PLAINLY: dict[str, Any] = {"proxy": None, "ping_interval": None}


class Talk:
    """A proxy before a provider of realtime sessions."""

    def __init__(self, provider: RealtimeProvider, proxy: Rig) -> None:
        self.provider = provider
        self.proxy = proxy

    def url(self, path: str = "/oai/v1/realtime?model=gpt-realtime") -> str:
        return f"ws://127.0.0.1:{self.proxy.server.port}{path}"

    @property
    def openai(self) -> AsyncOpenAI:
        return AsyncOpenAI(api_key=PROVIDER_KEY, websocket_base_url=self.url("/oai/v1"))

    async def records(self, count: int) -> list[RequestRecord]:
        return [to_record(event, PRICES)[0] for event in await self.proxy.events(count)]


@pytest.fixture
async def talk() -> AsyncIterator[Talk]:
    async with (
        RealtimeProvider().listening() as provider,
        rig(openai_url=provider.url, azure_url="", target_hosts=provider.url.removeprefix("http://")) as proxy,
    ):
        yield Talk(provider, proxy)


async def until(connection: AsyncRealtimeConnection, kind: str) -> Any:
    async for event in connection:
        if event.type == kind:
            return event
    raise AssertionError(kind)


async def refusal_of(url: str, headers: dict[str, str]) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url, additional_headers=headers, **PLAINLY):
            pass
    return refused.value.response.status_code, refused.value.response.body.decode()


async def status_of(url: str, headers: dict[str, str]) -> int:
    try:
        async with connect(url, additional_headers=headers, **PLAINLY):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


async def test_each_response_of_a_session_is_a_row_with_its_exact_cost(talk: Talk) -> None:
    async with talk.openai.realtime.connect(
        model="gpt-realtime", extra_headers=HEADERS, websocket_connection_options=QUIETLY
    ) as connection:
        for _ in range(2):
            await connection.response.create(response={"instructions": "Say hello."})
            done = await until(connection, "response.done")
            assert done.response.usage.total_tokens == 253
    events = await talk.proxy.events(2)
    for record in [to_record(event, PRICES)[0] for event in events]:
        assert (record.model, record.provider, record.status) == ("gpt-realtime", "OPENAI", 200)
        assert record.cost_usd == Decimal(COST_USD)
        assert (record.user_id, record.properties) == ("user-1", {"feature": "voice"})
        assert (record.is_stream, record.time_to_first_token_ms is not None) == (True, True)
        assert record.target_url.endswith("/v1/realtime")
    assert len({event.request.tags.session_id for event in events}) == 1
    assert b'"instructions":"Say hello."' in events[0].request.body.replace(b": ", b":")
    assert [event.response.body.count(b"resp_") for event in events] == [1, 1]
    received = talk.provider.headers[0]
    assert received["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert not [name for name in received if name.startswith("helicone-")]
    assert "sec-websocket-extensions" not in received
    assert talk.provider.paths == ["/v1/realtime?model=gpt-realtime"]
    assert talk.proxy.metrics.get("proxy_requests_total") == 1
    for _ in range(400):  # the session ends after its client
        if "\nfarebox_proxy_in_flight 0.0\n" in talk.proxy.metrics.exposition():
            break
        await asyncio.sleep(0.005)
    else:
        pytest.fail("a session that has ended is in flight")


async def test_responses_belong_to_the_trace_of_the_handshake(talk: Talk) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with connect(talk.url(), additional_headers=HEADERS | {"traceparent": trace}, **PLAINLY) as socket:
        await socket.send('{"type":"response.create"}')
        while '"response.done"' not in str(await socket.recv()):
            pass
    (event,) = await talk.proxy.events(1)
    assert event.request.traceparent == trace


async def test_ids_of_rows_follow_from_the_connection_and_the_response(talk: Talk) -> None:
    async with connect(talk.url(), additional_headers=HEADERS, **PLAINLY) as socket:
        assert socket.response is not None
        opened = uuid.UUID(socket.response.headers["Helicone-Id"])
        await socket.send('{"type":"response.create"}')
        for _ in range(4):
            await socket.recv()
    event = await talk.proxy.event()
    assert event.request.request_id == str(uuid.uuid5(opened, "resp_1"))
    assert event.request.tags.session_id == str(opened)
    assert talk.provider.closed_with == [1000]


async def test_what_the_user_said_is_costed_by_the_model_that_wrote_it_down(talk: Talk) -> None:
    async with talk.openai.realtime.connect(
        model="gpt-realtime", extra_headers=HEADERS, websocket_connection_options=QUIETLY
    ) as connection:
        await connection.input_audio_buffer.append(audio="AAAA" * 10_000)
        await connection.input_audio_buffer.commit()
        await until(connection, "conversation.item.input_audio_transcription.completed")
    (record,) = await talk.records(1)
    assert (record.model, record.prompt_audio_tokens, record.completion_tokens) == ("gpt-4o-transcribe", 36, 12)
    # By hand: gpt-4o-transcribe, per million: audio 6, output 10. 36 * 6 + 12 * 10 = 336
    assert (record.cost_usd, record.cost_state) == (Decimal("0.000336"), CostState.PRICED)
    assert TRANSCRIPTION_USAGE["total_tokens"] == 48


async def test_a_session_that_is_updated_has_the_models_of_the_update(talk: Talk) -> None:
    async with connect(talk.url(), additional_headers=HEADERS, **PLAINLY) as socket:
        update = '{"audio":{"input":{"transcription":{"model":"whisper-1"}}},"model":"gpt-realtime-mini"}'
        await socket.send(f'{{"type":"session.update","session":{update}}}')
        await socket.send('{"type":"input_audio_buffer.commit"}')
        await socket.send('{"type":"response.create"}')
        for _ in range(6):
            await socket.recv()
    transcription, response = await talk.records(2)
    assert (transcription.model, response.model) == ("whisper-1", "gpt-realtime-mini")


async def test_errors_are_rows_with_a_status_and_cost_nothing(talk: Talk) -> None:
    async with connect(talk.url(), additional_headers=HEADERS, **PLAINLY) as socket:
        await socket.send('{"type":"nonsense"}')
        for _ in range(2):
            await socket.recv()
    (record,) = await talk.records(1)
    assert (record.status, record.outcome) == (400, Outcome.PROVIDER_ERROR)
    assert record.cost_usd == 0
    assert record.model == "gpt-realtime"


@pytest.mark.parametrize("politely", [True, False], ids=["with a close frame", "without"])
async def test_a_client_that_leaves_within_a_response_leaves_a_row_of_unknown_cost(talk: Talk, politely: bool) -> None:
    talk.provider.hangs = True
    async with connect(talk.url(), additional_headers=HEADERS, **PLAINLY) as socket:
        await socket.send('{"type":"response.create"}')
        for _ in range(3):
            await socket.recv()
        if not politely:
            socket.transport.abort()
    (record,) = await talk.records(1)
    assert (record.outcome, record.cost_usd) == (Outcome.CLIENT_DISCONNECTED, None)
    assert record.cost_state is not CostState.PRICED
    assert record.model == "gpt-realtime"


async def test_a_server_that_stops_waits_for_the_response_and_closes_with_1001(talk: Talk) -> None:
    async with connect(talk.url(), additional_headers=HEADERS, **PLAINLY) as idle:
        await idle.recv()
        talk.provider.hangs = True
        async with connect(talk.url(), additional_headers=HEADERS, **PLAINLY) as busy:
            await busy.send('{"type":"response.create"}')
            for _ in range(3):
                await busy.recv()
            talk.proxy.server.stop()
            with pytest.raises(ConnectionClosed) as closed:
                await idle.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001
            began = asyncio.get_running_loop().time()
            with pytest.raises(ConnectionClosed) as closed:
                await busy.recv()
            assert asyncio.get_running_loop().time() - began > 0.5, "the running response had the grace period"
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001
    (record,) = await talk.records(1)
    assert (record.outcome, record.cost_usd) == (Outcome.TIMED_OUT, None)


async def test_a_client_is_read_whose_turn_came_late(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    responder = Dispatcher.responder

    def late(*arguments: Any) -> Any:
        time.sleep(2 * TURNS_S)  # as on a machine under load: other connections come first
        return responder(*arguments)

    monkeypatch.setattr(Dispatcher, "responder", late)
    async with connect(talk.url(), additional_headers=HEADERS, **PLAINLY) as socket:
        await socket.recv()
        await socket.send('{"type":"response.create"}')
        assert b"response." in await asyncio.wait_for(socket.recv(decode=False), 10)


async def test_who_may_not_connect_is_told_in_http(talk: Talk) -> None:
    status, body = await refusal_of(talk.url(), {})
    assert (status, "Helicone-Auth is missing" in body) == (401, True)
    status, body = await refusal_of(talk.url(), HEADERS | {"Helicone-Auth": "Bearer sk-helicone-wrong"})
    assert (status, "unknown or revoked" in body) == (401, True)
    status, body = await refusal_of(talk.url("/oai/v1/chat/completions"), HEADERS)
    assert (status, "websocket_not_supported" in body) == (501, True)
    status, body = await refusal_of(talk.url("/anthropic/v1/realtime"), HEADERS)
    assert (status, "Anthropic" in body) == (501, True)
    await talk.proxy.events(0)


async def test_a_session_counts_as_a_request_under_way_until_it_ends() -> None:
    async with (
        RealtimeProvider().listening() as provider,
        rig(openai_url=provider.url, key_concurrency=1) as proxy,
    ):
        talk = Talk(provider, proxy)
        async with connect(talk.url(), additional_headers=HEADERS, **PLAINLY) as socket:
            await socket.recv()
            status, body = await refusal_of(talk.url(), HEADERS)
            assert (status, "too_many_concurrent_requests" in body) == (429, True)
        async with connect(talk.url(), additional_headers=HEADERS, **PLAINLY) as socket:
            await socket.recv()


async def test_rate_limits_hold_for_sessions_as_for_requests(talk: Talk) -> None:
    headers = HEADERS | {"Helicone-RateLimit-Policy": "1;w=60"}
    async with connect(talk.url(), additional_headers=headers, **PLAINLY) as socket:
        assert socket.response is not None
        assert socket.response.headers["Helicone-RateLimit-Remaining"] == "0"
    status, body = await refusal_of(talk.url(), headers)
    assert (status, "rate_limited" in body) == (429, True)
    (record,) = await talk.records(1)
    assert (record.status, record.outcome) == (429, Outcome.REFUSED)
    assert record.cost_usd == 0


async def test_limits_by_cost_settle_with_every_response(talk: Talk) -> None:
    headers = HEADERS | {"Helicone-RateLimit-Policy": "1;w=3600;u=cents"}
    async with connect(talk.url(), additional_headers=headers, **PLAINLY) as socket:
        for _ in range(2):
            await socket.send('{"type":"response.create"}')
        for _ in range(7):
            await socket.recv()
    await talk.proxy.events(2)
    statuses: list[int] = []
    while statuses[-1:] != [429]:  # 1.4 cents are spent of one, which is read beside the session
        statuses.append(await status_of(talk.url(), headers))
        assert len(statuses) < 100
        await asyncio.sleep(0.02)


async def test_budgets_count_each_response_and_let_no_session_begin_without_room(tmp_path: Path) -> None:
    budget = a_budget("0.01")
    async with (
        RealtimeProvider().listening() as provider,
        budgeted(tmp_path, budget, openai_url=provider.url) as it,
    ):
        talk = Talk(provider, it.proxy)
        async with connect(talk.url(), additional_headers=HEADERS, **PLAINLY) as socket:
            for _ in range(2):
                await socket.send('{"type":"response.create"}')
            for _ in range(7):
                await socket.recv()
        assert await it.counted(budget, str(2 * Decimal(COST_USD)))
        status, body = await refusal_of(talk.url(), HEADERS)
        assert (status, "budget" in body) == (429, True)
        *_, refused = await talk.records(3)
        assert (refused.status, refused.outcome) == (429, Outcome.REFUSED)


async def close_after_two(talk: Talk, headers: dict[str, str]) -> tuple[int, str]:
    """How a session ends that gets two responses, one after the other, and then waits."""
    async with connect(talk.url(), additional_headers=headers, **PLAINLY) as socket:
        await socket.recv()
        for _ in range(2):
            await socket.send('{"type":"response.create"}')
            while '"response.done"' not in str(await socket.recv()):
                pass
            await asyncio.sleep(0.1)  # what the first one spent is counted, and leaves something
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), 20)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


async def test_a_session_ends_between_responses_when_its_rate_limit_is_used_up(talk: Talk) -> None:
    policy = "1;w=3600;u=cents"  # two responses cost 1.4
    end = await close_after_two(talk, HEADERS | {"Helicone-RateLimit-Policy": policy})
    assert end == (1008, f"the rate limit {policy} is used up")
    assert [record.cost_usd for record in await talk.records(2)] == [Decimal(COST_USD)] * 2


async def test_a_session_ends_between_responses_when_its_budget_is_used_up(tmp_path: Path) -> None:
    budget = a_budget("0.01", name="voice " + "ä" * 80)  # a name that does not fit into the reason
    async with (
        RealtimeProvider().listening() as provider,
        budgeted(tmp_path, budget, openai_url=provider.url) as it,
    ):
        code, reason = await close_after_two(Talk(provider, it.proxy), HEADERS)
        assert (code, reason.startswith("the budget 'voice ä")) == (1008, True)
        assert await it.counted(budget, str(2 * Decimal(COST_USD)))


async def test_a_budget_for_sessions_that_is_made_within_one_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FRESH_S", "STALE_S"):
        monkeypatch.setattr(definitions, name, 0)
    async with (
        RealtimeProvider().listening() as provider,
        budgeted(tmp_path, openai_url=provider.url) as it,
        connect(Talk(provider, it.proxy).url(), additional_headers=HEADERS, **PLAINLY) as socket,
    ):
        await socket.recv()
        it.rows.set(a_budget("0.001", segment=Segment.SESSION))
        await socket.send('{"type":"response.create"}')
        await asyncio.wait_for(socket.wait_closed(), 20)
        assert "of this session is used up" in str(socket.close_reason)


async def test_what_others_have_reserved_ends_no_session(tmp_path: Path) -> None:
    budget = a_budget("0.01")
    async with (
        RealtimeProvider().listening() as provider,
        budgeted(tmp_path, budget, openai_url=provider.url) as it,
        connect(Talk(provider, it.proxy).url(), additional_headers=HEADERS, **PLAINLY) as socket,
    ):
        await socket.recv()
        claim, others_nano = now_claim(budget), int(Decimal("0.009") * USD)
        assert (await it.counters.reserve(a_reservation([claim], others_nano), [claim])).granted
        await socket.send('{"type":"response.create"}')
        spent_nano = 0
        while not spent_nano:
            await asyncio.sleep(0.01)
            [state] = await it.counters.read([claim.counter])
            spent_nano = state.spent_nano
        await asyncio.sleep(0.1)
        await socket.send('{"type":"response.create"}')
        for _ in range(6):
            await asyncio.wait_for(socket.recv(), 20)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/gateway/oai/realtime?model=gpt-realtime",
        "/v1/gateway/oai/v1/realtime?model=gpt-realtime",
        f"/oai/{SECRET}/v1/realtime?model=gpt-realtime",
    ],
)
async def test_clients_connect_at_helicones_paths_and_with_the_key_in_the_path(talk: Talk, path: str) -> None:
    headers = {"Authorization": f"Bearer {PROVIDER_KEY}"}
    if SECRET not in path:
        headers |= {"Helicone-Auth": f"Bearer {SECRET}"}
    async with connect(talk.url(path), additional_headers=headers, **PLAINLY) as socket:
        await socket.recv()
    assert talk.provider.paths == ["/v1/realtime?model=gpt-realtime"]


async def test_subprotocols_of_browsers_are_agreed_on_with_the_provider() -> None:
    async with (
        RealtimeProvider(subprotocols=["realtime"]).listening() as provider,
        rig(openai_url=provider.url) as proxy,
    ):
        url = Talk(provider, proxy).url(f"/oai/{SECRET}/v1/realtime?model=gpt-realtime")
        offered = ["realtime", "openai-insecure-api-key.ek_1"]
        async with connect(url, subprotocols=offered, **PLAINLY) as socket:  # type: ignore[arg-type]
            assert socket.subprotocol == "realtime"
    assert provider.headers[0]["sec-websocket-protocol"] == "realtime, openai-insecure-api-key.ek_1"


async def test_azure_openai_is_reached_by_its_own_package_and_address(talk: Talk) -> None:
    client = AsyncAzureOpenAI(
        api_key=PROVIDER_KEY,
        api_version="2025-04-01-preview",
        azure_endpoint="https://x",
        websocket_base_url=talk.url("/oai/openai"),
    )
    headers = HEADERS | {"Helicone-OpenAI-Api-Base": talk.provider.url}
    headers.pop("Authorization")
    async with client.realtime.connect(
        model="my-deployment", extra_headers=headers, websocket_connection_options=QUIETLY
    ) as connection:
        await connection.response.create()
        await until(connection, "response.done")
    (record,) = await talk.records(1)
    assert record.model == "gpt-realtime", "as the session names it"
    assert talk.provider.headers[0]["api-key"] == PROVIDER_KEY
    assert "deployment=my-deployment" in talk.provider.paths[0]


async def test_large_and_binary_messages_pass_as_they_are(talk: Talk) -> None:
    talk.provider.delta_bytes = 3_000_000
    async with connect(talk.url(), additional_headers=HEADERS, **PLAINLY, max_size=None) as socket:
        await socket.send('{"type":"input_audio_buffer.append","audio":"' + "A" * 5_000_000 + '"}')
        await socket.send('{"type":"response.create"}')
        sizes = [len(await socket.recv()) for _ in range(4)]
        await (await socket.ping(b"are you there"))
    assert sizes[2] > 4_000_000
    assert [len(str(event)) > 5_000_000 for event in talk.provider.received] == [True, False]
    (record,) = await talk.records(1)
    assert record.cost_usd == Decimal(COST_USD)


def events_of_a_session() -> list[ExchangeEvent]:
    async def talk() -> list[ExchangeEvent]:
        async with RealtimeProvider().listening() as provider, rig(openai_url=provider.url) as proxy:
            async with connect(Talk(provider, proxy).url(), additional_headers=HEADERS, **PLAINLY) as socket:
                await socket.send('{"type":"input_audio_buffer.commit"}')
                await socket.send('{"type":"response.create"}')
                for _ in range(5):
                    await socket.recv()
            return await proxy.events(2)

    return asyncio.run(talk())


def test_a_session_comes_to_rows_and_the_same_events_again_to_no_more(embedded_warehouse: ClickHouseWarehouse) -> None:
    entries = [encode_event(event) for event in events_of_a_session()]
    work_through(embedded_warehouse, [*entries, *entries])
    rows = [row for row in rows_of(embedded_warehouse, ORGANIZATION) if row["target_url"].endswith("/v1/realtime")]
    costs = {row["model"]: row["cost_usd"] for row in rows}
    assert costs == {"gpt-realtime": Decimal(COST_USD), "gpt-4o-transcribe": Decimal("0.000336")}
    assert len({row["session_id"] for row in rows}) == 1
