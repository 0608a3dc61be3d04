"""The proxy over real sockets: what clients get, what providers see, and the one event that each exchange leaves."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import pytest

from schemas.event import Outcome
from schemas.key import Permission
from services.stores.memory import ManualClock
from tests.builders.records import TIMESTAMP
from tests.servers.proxy_rig import PROVIDER_KEY, SECRET, head, rig
from tests.servers.scripted_provider import Do, Step, chunked, http_response

pytestmark = pytest.mark.anyio

CHAT = "/oai/v1/chat/completions"
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


RESPONSES: dict[str, tuple[Sequence[Step], int, bytes, Outcome]] = {
    "with a length": ([http_response(b'{"id":1}')], 200, b'{"id":1}', Outcome.COMPLETED),
    "of no bytes": ([http_response(b"")], 200, b"", Outcome.COMPLETED),
    "in chunks": ([chunked(b"data: 1\n\n", b"data: 2\n\n")], 200, b"data: 1\n\ndata: 2\n\n", Outcome.COMPLETED),
    "in chunks with trailers": ([chunked(b"ab", end=b"0\r\nX-Trailer: 1\r\n\r\n")], 200, b"ab", Outcome.COMPLETED),
    "until the connection closes": (
        [OK + b"\r\nto the end", 0.02, b"!", Do.CLOSE],
        200,
        b"to the end!",
        Outcome.COMPLETED,
    ),
    "after interim responses": (
        [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + http_response(b"ok")],
        200,
        b"ok",
        Outcome.COMPLETED,
    ),
    "without content": ([b"HTTP/1.1 204 No Content\r\n\r\n"], 204, b"", Outcome.COMPLETED),
    "not modified": ([b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"], 304, b"", Outcome.COMPLETED),
    "cut into single bytes": ([bytes([byte]) for byte in http_response(b"slow")], 200, b"slow", Outcome.COMPLETED),
    "refused by the provider": ([http_response(b"no", status="429 Slow Down")], 429, b"no", Outcome.PROVIDER_ERROR),
    "failed by the provider": ([http_response(b"oh", status="500 Oh")], 500, b"oh", Outcome.PROVIDER_ERROR),
}


@pytest.mark.parametrize("name", RESPONSES)
async def test_a_whole_response_reaches_the_client_and_leaves_one_event(name: str) -> None:
    script, status, body, outcome = RESPONSES[name]
    async with rig() as proxy, proxy.client() as client:
        proxy.provider.script = script
        got = await client.post(CHAT, content=b'{"model":"m"}')
        assert (got.status_code, got.content) == (status, body)
        assert got.headers["helicone-status"] == ("success" if status < 400 else "failed")
        event = await proxy.event()
    assert got.headers["helicone-id"] == event.request.request_id
    assert (event.response.outcome, event.response.status, event.response.body) == (outcome, status, body)
    assert (event.request.body, event.request.method, event.request.provider) == (b'{"model":"m"}', "POST", "OPENAI")


BREAKS: dict[str, tuple[Sequence[Step], int, Outcome]] = {
    "closed before a response": ([Do.CLOSE], 502, Outcome.UPSTREAM_ERROR),
    "reset before a response": ([Do.RESET], 502, Outcome.UPSTREAM_ERROR),
    "closed in the head": ([b"HTTP/1.1 200 OK\r\nContent-", Do.CLOSE], 502, Outcome.UPSTREAM_ERROR),
    "no HTTP at all": ([b"SSH-2.0-OpenSSH\r\n\r\n", Do.HANG], 502, Outcome.UPSTREAM_ERROR),
    "two framings": (
        [OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nab", Do.HANG],
        502,
        Outcome.UPSTREAM_ERROR,
    ),
    "another transfer coding": ([OK + b"Transfer-Encoding: gzip\r\n\r\nab", Do.HANG], 502, Outcome.UPSTREAM_ERROR),
    "another protocol": (
        [b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", Do.HANG],
        502,
        Outcome.UPSTREAM_ERROR,
    ),
    "an endless head": ([OK + b"X: " + b"x" * 400_000, Do.HANG], 502, Outcome.UPSTREAM_ERROR),
    "silence": ([Do.HANG], 504, Outcome.TIMED_OUT),
    "silence in the head": ([b"HTTP/1.1 200", Do.HANG], 504, Outcome.TIMED_OUT),
}


@pytest.mark.parametrize("name", BREAKS)
async def test_without_a_response_from_the_provider_the_client_gets_the_reason(name: str) -> None:
    script, status, outcome = BREAKS[name]
    async with rig(first_byte_timeout_s=0.3) as proxy, proxy.client() as client:
        proxy.provider.script = script
        got = await client.post(CHAT, json={})
        assert (got.status_code, got.headers["helicone-status"]) == (status, "failed")
        assert got.json()["error"]["code"] in ("upstream_unavailable", "upstream_timed_out")
        event = await proxy.event()
        assert (await client.get("/healthz")).status_code == 200
    assert got.headers["helicone-id"] == event.request.request_id
    assert (event.response.outcome, event.response.status) == (outcome, None)


BROKEN_BODIES: dict[str, tuple[Sequence[Step], Outcome]] = {
    "closed too early": ([OK + b"Content-Length: 9\r\n\r\nhalf", Do.CLOSE], Outcome.UPSTREAM_ERROR),
    "reset": ([OK + b"Content-Length: 9\r\n\r\nhalf", 0.05, Do.RESET], Outcome.UPSTREAM_ERROR),
    "chunks without an end": ([chunked(b"half", end=b""), Do.CLOSE], Outcome.UPSTREAM_ERROR),
    "chunks that are none": ([chunked(b"half", end=b"zz\r\n"), Do.HANG], Outcome.UPSTREAM_ERROR),
    "endless trailers": ([chunked(b"half", end=b"0\r\nX: "), 0.05, b"x" * 600_000, Do.HANG], Outcome.UPSTREAM_ERROR),
    "an endless chunk extension": (
        [chunked(b"half", end=b"1;x="), 0.05, b"x" * 600_000, Do.HANG],
        Outcome.UPSTREAM_ERROR,
    ),
    "silence with a length": ([OK + b"Content-Length: 9\r\n\r\nhalf", Do.HANG], Outcome.TIMED_OUT),
    "silence between chunks": ([chunked(b"half", end=b""), Do.HANG], Outcome.TIMED_OUT),
    "silence until the end": ([OK + b"\r\nhalf", Do.HANG], Outcome.TIMED_OUT),
}


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("name", BROKEN_BODIES)
async def test_a_response_that_breaks_off_never_looks_whole_to_the_client(name: str, version: str) -> None:
    script, outcome = BROKEN_BODIES[name]
    async with rig(idle_timeout_s=0.3) as proxy:
        proxy.provider.script = script
        reset = False
        try:
            got = await proxy.raw(head(CHAT, "Content-Length: 0", version=version))
        except ConnectionResetError:
            got, reset = b"", True
        event = await proxy.event()
    framed = b"Content-Length: 9" in got or b"Transfer-Encoding: chunked" in got
    assert reset or (framed and b"0\r\n\r\n" not in got and got.endswith((b"half", b"half\r\n")))
    assert (event.response.outcome, event.response.status, event.response.body) == (outcome, 200, b"half")


async def test_a_provider_that_cannot_be_reached_is_a_502_and_an_event() -> None:
    async with rig(openai_url="http://127.0.0.1:9", anthropic_url="https://no-such-host.invalid") as proxy:
        async with proxy.client() as client:
            refused, unknown = await client.post(CHAT, json={}), await client.post("/anthropic/v1/messages", json={})
        events = await proxy.events(2)
    assert (refused.status_code, unknown.status_code) == (502, 502)
    assert "refused" in refused.json()["error"]["message"]
    assert "does not resolve" in unknown.json()["error"]["message"]
    assert {event.response.outcome for event in events} == {Outcome.UPSTREAM_ERROR}


async def test_the_whole_exchange_has_a_limit_too() -> None:
    async with rig(total_timeout_s=0.4, idle_timeout_s=5) as proxy:
        drops: list[Step] = [b"1\r\n.\r\n", 0.05]
        proxy.provider.script = [chunked(end=b""), *drops * 40]
        got = await proxy.raw(head(CHAT, "Content-Length: 0"))
        event = await proxy.event()
    assert not got.endswith(b"0\r\n\r\n")
    assert event.response.outcome == Outcome.TIMED_OUT


async def test_pieces_of_a_stream_travel_at_once() -> None:
    async with rig(on_disconnect="cancel") as proxy:
        proxy.provider.script = [chunked(b"data: 1\n\n", end=b""), Do.HANG]
        reader, writer = await proxy.connect()
        writer.write(head(CHAT, "Content-Length: 0"))
        async with asyncio.timeout(2):
            got = await reader.readuntil(b"data: 1\n\n\r\n")
        writer.close()
        event = await proxy.event()
    assert b"Transfer-Encoding: chunked" in got
    assert event.response.outcome == Outcome.CLIENT_DISCONNECTED
    assert event.response.first_byte_ms is not None


@pytest.mark.parametrize("script", [[Do.HANG], [chunked(b"half", end=b""), Do.HANG]])
async def test_where_the_operator_says_so_a_client_that_hangs_up_ends_the_providers_work_too(
    script: Sequence[Step],
) -> None:
    async with rig(on_disconnect="cancel") as proxy:
        proxy.provider.script = script
        _, writer = await proxy.connect()
        writer.write(head(CHAT, "Content-Length: 2") + b"{}")
        await asyncio.sleep(0.1)
        assert proxy.provider.open_connections == 1
        writer.close()
        event = await proxy.event()
        await asyncio.sleep(0.05)
        assert proxy.provider.open_connections == 0
    assert event.response.outcome == Outcome.CLIENT_DISCONNECTED
    assert event.request.body == b"{}"


async def test_a_client_that_closes_its_half_is_taken_to_have_disconnected_since_both_look_the_same() -> None:
    async with rig(on_disconnect="cancel") as proxy:
        proxy.provider.script = [Do.HANG]
        reader, writer = await proxy.connect()
        writer.write(head(CHAT, "Content-Length: 2") + b"{}")
        await asyncio.sleep(0.1)
        writer.write_eof()
        async with asyncio.timeout(2):
            assert await reader.read(-1) == b""
        event = await proxy.event()
        writer.close()
    assert event.response.outcome == Outcome.CLIENT_DISCONNECTED


async def test_a_client_that_hangs_up_in_the_middle_of_its_request_leaves_one_event() -> None:
    async with rig() as proxy:
        _, writer = await proxy.connect()
        writer.write(head(CHAT, "Content-Length: 100") + b"half")
        await asyncio.sleep(0.1)
        writer.close()
        event = await proxy.event()
    assert (event.response.outcome, event.request.body) == (Outcome.CLIENT_DISCONNECTED, b"half")


async def test_a_client_that_stops_in_the_middle_of_its_request_gets_an_error() -> None:
    async with rig(idle_timeout_s=0.3) as proxy:
        got = await proxy.raw(head(CHAT, "Content-Length: 100") + b"half")
        event = await proxy.event()
    assert got.startswith(b"HTTP/1.1 408 ")
    assert event.response.outcome == Outcome.CLIENT_DISCONNECTED


async def test_head_requests_pass_without_a_body() -> None:
    async with rig() as proxy, proxy.client() as client:
        proxy.provider.script = [OK + b"Content-Length: 1000\r\n\r\n"]
        first, second = await client.head("/oai/v1/models"), await client.head("/oai/v1/models")
        events = await proxy.events(2)
    assert [got.headers["content-length"] for got in (first, second)] == ["1000", "1000"]
    assert [event.response.outcome for event in events] == [Outcome.COMPLETED, Outcome.COMPLETED]


async def test_providers_see_neither_our_headers_nor_those_of_the_hop() -> None:
    async with rig() as proxy:
        ours = ["helicone-user-id: u", "HELICONE-PROPERTY-App: a", "Helicone-Unheard-Of: x"]
        hop = ["Connection: close, X-Mine", "X-Mine: 1", "Keep-Alive: 5", "TE: trailers", "Proxy-Authorization: p"]
        kept = ["Authorization: Bearer k", "Accept-Encoding: gzip, br", "X-Custom: One", "X-Custom: two", "X-Latin: é"]
        await proxy.raw(head(f"{CHAT}?a=b%20c", *ours, *hop, *kept, "Content-Length: 0"))
        seen = proxy.provider.heads[0].decode("latin-1").split("\r\n")
    assert seen[:2] == ["POST /v1/chat/completions?a=b%20c HTTP/1.1", f"Host: 127.0.0.1:{proxy.provider.port}"]
    assert seen[2:] == [*kept, "Content-Length: 0", "", ""]


async def test_clients_see_the_providers_headers_but_not_those_of_the_hop() -> None:
    more = "X-Request-Id: r\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nKeep-Alive: 9\r\nConnection: X-Own\r\nX-Own: 1\r\n"
    async with rig() as proxy, proxy.client() as client:
        proxy.provider.script = [
            http_response(b"\x1f\x8b\x00", more=f"{more}Helicone-Id: forged\r\nContent-Encoding: br\r\n")
        ]
        async with client.stream("POST", CHAT) as got:
            raw = b"".join([piece async for piece in got.aiter_raw()])
        event = await proxy.event()
    names = [name.decode() for name, _ in got.headers.raw]
    assert names == [
        *("Content-Type", "X-Request-Id", "Set-Cookie", "Set-Cookie", "Content-Encoding"),
        *("Helicone-Id", "Helicone-Status", "Content-Length"),
    ]
    assert got.headers["helicone-id"] == event.request.request_id
    assert (raw, event.response.body, event.response.content_encoding) == (b"\x1f\x8b\x00", b"\x1f\x8b\x00", "br")


async def test_labels_become_tags_and_the_target_is_kept_without_its_query() -> None:
    async with rig() as proxy, proxy.client() as client:
        wanted = "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f9"
        labels = {"Helicone-User-Id": "u-1", "Helicone-Property-UserTier": "premium", "Helicone-Request-Id": wanted}
        got = await client.post("/v1/gateway/anthropic/v1/messages?beta=true", json={}, headers=labels)
        event = await proxy.event()
    assert got.headers["helicone-id"] == event.request.request_id == wanted
    assert (event.request.tags.user_id, event.request.tags.properties) == ("u-1", {"UserTier": "premium"})
    assert event.request.target_url == f"{proxy.provider.url}/below/here/v1/messages"
    assert proxy.provider.heads[0].startswith(b"POST /below/here/v1/messages?beta=true HTTP/1.1\r\n")
    assert event.request.provider == "ANTHROPIC"


REUSED = "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f9"


def answered_ids(said: bytes) -> list[str]:
    return [found.decode() for found in re.findall(rb"Helicone-Id: (\S+)", said)]


async def test_requests_of_one_millisecond_that_reuse_an_id_are_distinguished() -> None:
    one = head(CHAT, "Content-Length: 2", f"Helicone-Request-Id: {REUSED}")
    async with rig(clock=ManualClock(TIMESTAMP)) as proxy:
        proxy.keys.known["sk-helicone-neighbour"] = ("org-2", Permission.READ_WRITE)
        neighbour = one.replace(SECRET.encode(), b"sk-helicone-neighbour")
        last = head(CHAT, "Content-Length: 0", "Connection: close")
        got = await proxy.raw(one + b"{}" + one + b"{}" + one + b"{}" + neighbour + b"{}" + last)
        events = await proxy.events(5)
        assert proxy.metrics.get("proxy_ids_replaced_total") == 2
    ids = [event.request.request_id for event in events]
    assert answered_ids(got) == ids
    assert (ids[0], ids[3]) == (REUSED, REUSED)
    assert len(set(ids)) == 4
    assert len({(event.request.organization_id, event.request.request_id) for event in events}) == 5


async def test_a_request_that_reuses_an_id_later_keeps_it_and_has_a_row_of_its_own() -> None:
    clock = ManualClock(TIMESTAMP)
    async with rig(clock=clock) as proxy, proxy.client() as client:
        for _ in range(2):
            await client.post(CHAT, json={}, headers={"Helicone-Request-Id": REUSED})
            clock.advance(seconds=0.001)
        events = await proxy.events(2)
    assert [event.request.request_id for event in events] == [REUSED, REUSED]
    assert len({event.request.created_at for event in events}) == 2


async def test_connections_to_providers_are_used_again() -> None:
    async with rig() as proxy, proxy.client() as client:
        for _ in range(5):
            await client.post(CHAT, json={})
        await proxy.events(5)
        assert proxy.provider.connections == 1


async def test_a_connection_that_the_provider_closed_while_it_rested_is_not_used() -> None:
    async with rig() as proxy, proxy.client() as client:
        proxy.provider.script = [http_response(b"ok"), Do.CLOSE]
        for _ in range(5):
            got = await client.post(CHAT, json={})
            assert got.status_code == 200
            await asyncio.sleep(0.02)
        await proxy.events(5)
        assert proxy.provider.connections == 5


async def test_a_connection_with_bytes_nobody_requested_is_not_used_again() -> None:
    async with rig() as proxy, proxy.client() as client:
        proxy.provider.script = [http_response(b"ok") + http_response(b"poison")]
        bodies = [(await client.post(CHAT, json={})).content for _ in range(3)]
        await proxy.events(3)
    assert bodies == [b"ok", b"ok", b"ok"]


async def test_above_the_most_connections_requests_wait_their_turn() -> None:
    async with rig(max_connections=2) as proxy, proxy.client() as client:
        proxy.provider.script = [0.02, http_response(b"ok")]
        responses = await asyncio.gather(*(client.post(CHAT, json={}) for _ in range(10)))
        await proxy.events(10)
        assert proxy.provider.connections <= 2
    assert {got.status_code for got in responses} == {200}


async def test_no_secret_reaches_an_event_an_error_or_a_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    said = b""
    async with rig(first_byte_timeout_s=0.2) as proxy, proxy.client() as client:
        for script in (
            [http_response(b"ok")],
            [http_response(b"no", status="401 No")],
            [Do.RESET],
            [Do.HANG],
            [b"no HTTP\r\n"],
        ):
            proxy.provider.script = script
            said += (
                await client.post(f"{CHAT}?key={PROVIDER_KEY}", json={}, headers={"x-api-key": PROVIDER_KEY})
            ).content
        proxy.provider.script = [http_response(b"ok")]
        said += (
            await client.post(f"/oai/{SECRET}/v1/x", json={}, headers={"Helicone-Auth": "Bearer wrong-key"})
        ).content
        said += await proxy.raw(head(f"/oai/{SECRET}/v1/x", "Content-Length: nonsense"))
        await proxy.events(5)
        kept = proxy.everything_logged()
    logged = [record.getMessage() for record in caplog.records if not record.name.startswith("http")]
    for canary in (SECRET, PROVIDER_KEY, "canary"):
        assert canary.encode() not in said + kept
        assert canary not in "".join(logged)
        assert canary not in proxy.metrics.exposition()
