"""The proxy and its clients over real sockets: keys, limits, odd and hostile requests, slow peers, stops."""

import asyncio
import contextlib
import re
import socket
import time
from collections.abc import Awaitable, Sequence
from typing import Any

import anthropic
import openai
import pytest

from schemas.errors import BrokerUnavailable
from schemas.event import ExchangeEvent, Outcome
from schemas.key import Permission
from schemas.log_entry import LogEntry
from services.proxy.exchange import deadlines
from services.proxy.http import connection as protocol
from tests.builders.records import chat_response
from tests.servers.proxy_rig import SECRET, Rig, head, rig
from tests.servers.scripted_provider import Do, Step, chunked, http_response

pytestmark = pytest.mark.anyio

CHAT = "/oai/v1/chat/completions"


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


def statuses(said: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", said)]


# Keys


BAD_KEYS: dict[str, tuple[dict[str, str], int, str]] = {
    "missing": ({}, 401, "missing"),
    "without the word Bearer": ({"Helicone-Auth": SECRET}, 401, "malformed"),
    "empty": ({"Helicone-Auth": "Bearer"}, 401, "malformed"),
    "too long to be one": ({"Helicone-Auth": f"Bearer {'x' * 300}"}, 401, "unknown or revoked"),
    "too short to be one": ({"Helicone-Auth": "Bearer wrong"}, 401, "unknown or revoked"),
    "two words": ({"Helicone-Auth": f"Bearer {SECRET} {SECRET}"}, 401, "malformed"),
    "unknown": ({"Helicone-Auth": "Bearer sk-helicone-nobody"}, 401, "unknown or revoked"),
    "for reading only": ({"Helicone-Auth": "Bearer sk-helicone-reader"}, 403, "read-only"),
}


@pytest.mark.parametrize("name", BAD_KEYS)
async def test_without_a_key_that_may_write_no_provider_is_called(name: str) -> None:
    headers, status, said = BAD_KEYS[name]
    async with rig() as proxy, proxy.client() as client:
        del client.headers["Helicone-Auth"]
        proxy.keys.known["sk-helicone-reader"] = ("org-2", Permission.READ)
        for _ in range(2):  # requested, then remembered
            got = await client.post(CHAT, json={}, headers=headers)
            assert (got.status_code, got.headers["helicone-status"]) == (status, "failed")
            assert said in got.json()["error"]["message"]
        await proxy.events(0)
        assert (proxy.provider.heads, proxy.metrics.get("proxy_refused_total")) == ([], 2)


@pytest.mark.parametrize("name", BAD_KEYS)
async def test_where_the_operator_says_so_they_pass_unlogged_and_are_counted(name: str) -> None:
    headers, _, _ = BAD_KEYS[name]
    async with rig(unauthenticated="pass") as proxy, proxy.client() as client:
        del client.headers["Helicone-Auth"]
        proxy.keys.known["sk-helicone-reader"] = ("org-2", Permission.READ)
        got = await client.post(CHAT, json={}, headers=headers)
        assert (got.status_code, got.content) == (200, b"{}")
        await proxy.events(0)
        assert proxy.metrics.get("proxy_unauthenticated_passthrough_total") == 1


async def test_a_key_may_come_in_the_path_and_is_cut_out_of_it() -> None:
    async with rig() as proxy, proxy.client() as client:
        del client.headers["Helicone-Auth"]
        got = await client.post(f"/oai/{SECRET}/v1/chat/completions", json={})
        event = await proxy.event()
    assert got.status_code == 200
    assert proxy.provider.heads[0].startswith(b"POST /v1/chat/completions HTTP/1.1")
    assert event.request.target_url.endswith("/v1/chat/completions")


async def test_a_key_is_looked_up_once_however_many_requests_come() -> None:
    async with rig() as proxy, proxy.client() as client:
        proxy.keys.slow_s = 0.05
        responses = await asyncio.gather(*(client.post(CHAT, content=b"x" * 200_000) for _ in range(20)))
        await client.post(CHAT, json={})
        events = await proxy.events(21)
    assert {got.status_code for got in responses} == {200}
    assert {len(event.request.body) for event in events} == {200_000, 2}
    assert proxy.keys.requested == 1


async def test_while_the_key_store_is_unreachable_known_keys_work_and_others_are_asked_to_try_again() -> None:
    async with rig() as proxy, proxy.client() as client:
        await client.post(CHAT, json={})
        proxy.keys.unreachable = True
        known = await client.post(CHAT, json={})
        unknown = await client.post(CHAT, json={}, headers={"Helicone-Auth": "Bearer sk-helicone-somebody"})
        await proxy.events(2)
    assert (known.status_code, unknown.status_code) == (200, 503)
    assert "try again" in unknown.json()["error"]["message"]


@pytest.mark.parametrize("body", [b"{}", b"{"], ids=["a whole request", "half a request"])
async def test_a_key_that_is_not_looked_up_in_time_is_no_silence_of_the_provider(body: bytes) -> None:
    async with rig(first_byte_timeout_s=0.2, idle_timeout_s=0.2) as proxy:
        proxy.keys.slow_s = 1.5
        got = await proxy.raw(head(CHAT, "Content-Length: 2", "Connection: close") + body)
        assert proxy.provider.heads == []
    assert statuses(got) == [503]
    assert b"the key could not be checked" in got


# Requests that are odd, or no requests


WEB_SOCKET = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]

MALFORMED: dict[str, tuple[bytes, int]] = {
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00", 400),
    "another version": (head(CHAT, version="2.0"), 400),
    "two lengths": (head(CHAT, "Content-Length: 1", "Content-Length: 2") + b"x", 400),
    "length and chunks": (head(CHAT, "Content-Length: 1", "Transfer-Encoding: chunked") + b"0\r\n\r\n", 400),
    "negative length": (head(CHAT, "Content-Length: -1"), 400),
    "an absurd length": (head(CHAT, "Content-Length: 99999999999999999999999999"), 400),
    "another transfer coding": (head(CHAT, "Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n", 400),
    "chunks in HTTP/1.0": (head(CHAT, "Transfer-Encoding: chunked", version="1.0") + b"0\r\n\r\n", 400),
    "a space before the colon": (head(CHAT, "X-Bad : 1"), 400),
    "a folded header": (head(CHAT, "X-A: 1", " folded"), 400),
    "bare line feeds": (b"POST /oai/v1/x HTTP/1.1\nHost: x\n\n", 400),
    "dot segments": (head("/oai/v1/../../admin"), 400),
    "hidden dot segments": (head("/anthropic/%2e%2e/admin"), 400),
    "dots behind a hidden slash": (head("/oai/v1/..%2f..%2fadmin"), 400),
    "backslashes": (head("/oai\\..\\admin"), 404),
    "a host after the route": (head("/oai//evil.example/v1"), 400),
    "another scheme as target": (head("ftp://evil.example/oai/v1"), 404),
    "a target without a host": (head("http:///oai/v1"), 400),
    "dot segments behind a host": (head("http://evil.example/oai/v1/../../admin"), 400),
    "a tunnel": (head("evil.example:443", method="CONNECT"), 501),
    "an echo": (head("/oai/v1/models", method="TRACE"), 501),
    "an echo of no provider": (head("/healthz", method="TRACE"), 501),
    "no host": (head("/oai/v1/x").replace(b"Host: proxy\r\n", b""), 400),
    "no host, and no provider": (head("/healthz", method="GET").replace(b"Host: proxy\r\n", b""), 400),
    "two hosts": (head("/oai/v1/x", "host: other"), 400),
    "an empty host": (head("/oai/v1/x").replace(b"Host: proxy", b"Host:"), 400),
    "an empty host, and no provider": (head("/healthz").replace(b"Host: proxy", b"Host: "), 400),
    "a host with a user": (head("/oai/v1/x").replace(b"Host: proxy", b"Host: user@proxy"), 400),
    "a host with a path": (head("/oai/v1/x").replace(b"Host: proxy", b"Host: proxy/oai"), 400),
    "a host with a port that is none": (head("/oai/v1/x").replace(b"Host: proxy", b"Host: proxy:99999"), 400),
    "a WebSocket without a version": (head("/oai/v1/realtime", *WEB_SOCKET, method="GET"), 400),
    "a WebSocket behind a server that takes offers out": (head("/oai/v1/realtime", WEB_SOCKET[2], method="GET"), 400),
    "a WebSocket of no realtime API": (head("/oai/v1/models", *WEB_SOCKET, method="GET"), 501),
    "a WebSocket of no provider": (head("/realtime", *WEB_SOCKET, method="GET"), 501),
    "an offer in no framing": (head(CHAT, "Connection: Upgrade", "Upgrade: h2c", "Transfer-Encoding: identity"), 400),
    "an offer in another framing": (head(CHAT, "Connection: Upgrade", "Upgrade: h2c", "Transfer-Encoding: gzip"), 400),
    "an offer at too great length": (
        head(CHAT, "Connection: Upgrade", "Upgrade: h2c", f"Content-Length: {9**17}"),
        400,
    ),
    "another method for a page": (head("/metrics", "Content-Length: 0"), 405),
    "another method for a log": (head("/oai/v1/log", method="GET"), 405),
    "too large a head": (head(CHAT, f"X-Large: {'x' * 40_000}"), 431),
    "too large a head without end": (head(CHAT, f"X-Large: {'x' * 20_000}")[:-2] + b"X" * 40_000, 431),
    "too many headers": (head(CHAT, *[f"X-{number}: 1" for number in range(100)]), 431),
    "too large a body": (head(CHAT, "Content-Length: 70000000"), 413),
    "an empty log": (head("/oai/v1/log", "Content-Length: 0"), 400),
    "an unknown path": (head("/nowhere", "Content-Length: 0"), 404),
    "a route that only begins alike": (head("/oaix/v1", "Content-Length: 0"), 404),
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_what_cannot_be_passed_on_is_refused_clearly_and_asks_no_provider(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    sent, status = MALFORMED[name]
    async with rig() as proxy:
        reader, writer = await proxy.connect()
        for start in range(0, len(sent), 16_000):
            writer.write(sent[start : start + 16_000])
            await writer.drain()
            await asyncio.sleep(0.005)
        async with asyncio.timeout(5):
            got = await reader.readuntil(b"}}")
        writer.close()
        assert statuses(got) == [status]
        assert b'"message":' in got
        assert proxy.provider.heads == []
        assert proxy.metrics.get("proxy_refused_total") == 1
    assert not [record for record in caplog.records if record.exc_info], "a traceback for what clients sent"


async def test_a_body_that_was_announced_too_large_leaves_an_event_as_its_key_was_valid() -> None:
    async with rig(max_body_bytes=10) as proxy:
        got = await proxy.raw(head(CHAT, "Content-Length: 11", "Connection: close") + b"x" * 11)
        event = await proxy.event()
    assert statuses(got) == [413]
    assert (event.response.outcome, event.response.status) == (Outcome.REFUSED, 413)


async def test_a_body_that_grows_too_large_is_cut_off_and_leaves_an_event() -> None:
    async with rig(max_body_bytes=10) as proxy:
        got = await proxy.raw(head(CHAT, "Transfer-Encoding: chunked") + b"6\r\n123456\r\n", b"6\r\n123456\r\n")
        event = await proxy.event()
        assert proxy.provider.bodies == []
    assert statuses(got) == [413]
    assert (event.response.outcome, event.request.body_bytes) == (Outcome.REFUSED, 6)


async def test_a_body_that_grows_too_large_while_its_response_arrives_is_no_refusal_as_the_provider_may_bill_it() -> (
    None
):
    async with rig(max_body_bytes=10) as proxy:
        proxy.provider.read_bodies = False
        proxy.provider.script = [chunked(b"begun", end=b""), Do.HANG]
        reader, writer = await proxy.connect()
        writer.write(head(CHAT, "Transfer-Encoding: chunked") + b"6\r\n123456\r\n")
        async with asyncio.timeout(2):
            await reader.readuntil(b"begun")
            writer.write(b"6\r\n123456\r\n")
            assert not (await reader.read(-1)).endswith(b"0\r\n\r\n")
        writer.close()
        event = await proxy.event()
    assert (event.response.outcome, event.response.status, event.response.body) == (
        Outcome.CLIENT_DISCONNECTED,
        200,
        b"begun",
    )


async def test_a_body_in_broken_chunks_is_a_400_and_an_event() -> None:
    async with rig() as proxy:
        got = await proxy.raw(head(CHAT, "Transfer-Encoding: chunked") + b"2\r\nab\r\n", b"nonsense\r\n")
        event = await proxy.event()
        assert proxy.provider.bodies == []
    assert statuses(got) == [400]
    assert (event.response.outcome, event.request.body) == (Outcome.CLIENT_DISCONNECTED, b"ab")


async def test_a_head_that_does_not_come_in_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.3)
    async with rig() as proxy:
        got = await proxy.raw(head(CHAT)[:-2])
    assert statuses(got) == [408]


async def test_chunked_requests_pass_in_chunks_and_their_trailers_end_here() -> None:
    async with rig() as proxy:
        sent = (
            head(CHAT, "Transfer-Encoding: chunked")
            + b"2;ext=1\r\nab\r\n1\r\nc\r\n0\r\nHelicone-User-Id: smuggled\r\n\r\n"
        )
        again = head(CHAT, "Content-Length: 1", "Connection: close") + b"d"
        await proxy.raw(sent + again)
        events = await proxy.events(2)
    assert [event.request.body for event in events] == [b"abc", b"d"]
    assert [event.request.tags.user_id for event in events] == [None, None]
    assert proxy.provider.bodies == [b"abc", b"d"]


async def test_pipelined_requests_get_responses_in_order_whoever_responds() -> None:
    last = head(CHAT, "Content-Length: 1", "Connection: close") + b"3"
    sent = b"".join(
        [
            head(CHAT, "Content-Length: 1") + b"1",
            head("/healthz", method="GET"),
            head("/oai/v1/x", key="sk-helicone-wrong"),
            head(CHAT, "Content-Length: 1") + b"2",
            head("/nowhere", method="GET"),
            last,
        ]
    )
    async with rig() as proxy:
        proxy.provider.script = [0.05, http_response(b"from the provider")]
        got = await proxy.raw(sent)
        events = await proxy.events(3)
    assert statuses(got) == [200, 200, 401, 200, 404, 200]
    assert [event.request.body for event in events] == [b"1", b"2", b"3"]


async def test_a_bad_request_behind_a_good_one_spoils_only_itself() -> None:
    async with rig() as proxy:
        proxy.provider.script = [0.05, http_response(b"ok")]
        got = await proxy.raw(head(CHAT, "Content-Length: 1") + b"1" + b"nonsense\r\n\r\n")
        event = await proxy.event()
    assert statuses(got) == [200, 400]
    assert event.response.outcome == Outcome.COMPLETED


async def test_thousands_of_pipelined_refusals_get_responses_one_by_one() -> None:
    async with rig() as proxy:
        await proxy.raw(head(CHAT, "Connection: close", key="sk-helicone-wrong"))
        many = head(CHAT, key="sk-helicone-wrong") * 2000
        got = await proxy.raw(many + head(CHAT, "Connection: close", key="sk-helicone-wrong"))
    assert statuses(got) == [401] * 2001


CLOSING: dict[str, tuple[Sequence[bytes], Sequence[Step], int]] = {  # what is sent, what the provider does
    "a wrong key": ([head(CHAT, "Content-Length: 9", key="sk-helicone-wrong") + b"half"], [], 401),
    "a wrong key, looked up before": (
        [
            head(CHAT, "Content-Length: 0", key="sk-helicone-wrong"),
            head(CHAT, "Content-Length: 9", key="sk-helicone-wrong") + b"half",
        ],
        [],
        401,
    ),
    "too large a body": ([head(CHAT, "Content-Length: 70000000")], [], 413),
    "a body that does not come": ([head(CHAT, "Content-Length: 9") + b"half"], [], 408),
    "broken chunks": ([head(CHAT, "Transfer-Encoding: chunked") + b"2\r\nab\r\n", b"nonsense\r\n"], [], 400),
    "a provider that breaks": ([head("/oai/v1/x", "Content-Length: 9") + b"half"], [Do.RESET], 502),
    "a provider that knows enough": (
        [head("/oai/v1/x", "Content-Length: 9") + b"half"],
        [http_response(b"enough")],
        200,
    ),
}


@pytest.mark.parametrize("name", CLOSING)
async def test_a_response_before_the_end_of_its_request_says_that_the_connection_closes(name: str) -> None:
    sent, script, status = CLOSING[name]
    async with rig(idle_timeout_s=0.3) as proxy:
        proxy.provider.read_bodies = False
        proxy.provider.script = script
        got = await proxy.raw(*sent)
    *_, last = got.split(b"HTTP/1.1 ")
    assert last.startswith(b"%d " % status)
    assert b"\r\nConnection: close\r\n" in last


async def test_a_client_that_never_stops_writing_is_not_read_without_end() -> None:
    async with rig() as proxy:
        await proxy.raw(head(CHAT, "Connection: close", key="sk-helicone-wrong"))
        reader, writer = await proxy.connect()
        writer.write(head(CHAT, "Content-Length: 99999999999", key="sk-helicone-wrong"))
        assert b"401" in await reader.readuntil(b"}}")
        written = 0
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(4):
                while True:
                    writer.write(bytes(2**20))
                    await writer.drain()
                    written += 2**20
                    await asyncio.sleep(0)
        await asyncio.sleep(0.2)
        assert not proxy.server.connection_count
        writer.close()
    assert written < 32 * 2**20


async def test_a_body_that_was_held_back_is_requested() -> None:
    async with rig() as proxy:
        reader, writer = await proxy.connect()
        writer.write(head(CHAT, "Expect: 100-continue", "Content-Length: 2", "Connection: close"))
        async with asyncio.timeout(2):
            interim = await reader.readuntil(b"\r\n\r\n")
            writer.write(b"{}")
            got = await reader.read(-1)
        writer.close()
        assert b"Expect" not in proxy.provider.heads[0]
    assert statuses(interim + got) == [100, 200]


async def test_a_body_that_was_held_back_is_not_requested_without_a_valid_key() -> None:
    async with rig() as proxy:
        got = await proxy.raw(head(CHAT, "Expect: 100-continue", "Content-Length: 2", key="sk-helicone-wrong"))
    assert statuses(got) == [401]


@pytest.mark.parametrize("target", ["/oai/v1/x", "/custom/v1/log"])
async def test_http_1_0_clients_are_not_asked_to_send_a_body_since_they_know_no_interim_responses(target: str) -> None:
    async with rig() as proxy:
        got = await proxy.raw(head(target, "Expect: 100-continue", "Content-Length: 2", version="1.0"), b"{}")
    assert got.startswith(b"HTTP/1.1 200" if target == "/oai/v1/x" else b"HTTP/1.1 400")


async def test_http_1_0_clients_may_leave_out_the_host() -> None:
    async with rig() as proxy:
        requested = head("/oai/v1/x", "Content-Length: 0", version="1.0").replace(b"Host: proxy\r\n", b"")
        assert statuses(await proxy.raw(requested)) == [200]


@pytest.mark.parametrize("target", ["http://evil.example/oai/v1/models?a=b", "HTTPS://u:p@[::1]:1/oai/v1/models?a=b"])
async def test_a_whole_url_as_target_is_the_path_in_it_wherever_it_points(target: str) -> None:
    async with rig() as proxy:
        got = await proxy.raw(
            head(target, method="GET") + head("http://proxy/healthz", "Connection: close", method="GET")
        )
        event = await proxy.event()
        assert proxy.provider.heads[0].startswith(b"GET /v1/models?a=b HTTP/1.1\r\nHost: 127.0.0.1")
        assert event.request.target_url == f"{proxy.provider.url}/v1/models"
    assert statuses(got) == [200, 200]


async def test_http_1_0_clients_get_no_chunks() -> None:
    async with rig() as proxy:
        proxy.provider.script = [chunked(b"a", b"b")]
        got = await proxy.raw(head(CHAT, "Content-Length: 0", version="1.0"))
    response_head, _, body = got.partition(b"\r\n\r\n")
    assert body == b"ab"
    assert b"Connection: close" in response_head
    assert b"Transfer-Encoding" not in response_head


@pytest.mark.parametrize("framing", ["Content-Length: 2", "Transfer-Encoding: chunked"])
async def test_a_client_that_offers_http_2_goes_on_in_http_1(framing: str) -> None:
    body = b"{}" if "Length" in framing else b"2\r\n{}\r\n0\r\n\r\n"
    offer = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"]
    async with rig() as proxy:
        closing = head(CHAT, "Connection: close", "Content-Length: 0")
        got = await proxy.raw(head(CHAT, *offer, framing) + body + head("/healthz", *offer, method="GET") + closing)
        events = await proxy.events(2)
        assert b"h2c" not in proxy.provider.heads[0]
    assert statuses(got) == [200, 200, 200]
    assert [event.request.body for event in events] == [b"{}", b""]


async def test_an_offer_with_an_empty_body_ends_with_its_head() -> None:
    async with rig() as proxy:
        offer = head(CHAT, "Connection: Upgrade", "Upgrade: h2c", "Content-Length: 0")
        got = await proxy.raw(offer + head(CHAT, "Connection: close", "Content-Length: 0"))
    assert statuses(got) == [200, 200]


async def test_a_log_whose_body_breaks_off_is_refused_at_once() -> None:
    async with rig() as proxy:
        log = head("/oai/v1/log", "Transfer-Encoding: chunked", f"Authorization: Bearer {SECRET}")
        got = await proxy.raw(log + b"2\r\nab\r\n", b"nonsense\r\n")
        await proxy.events(0)
    assert statuses(got) == [400]


async def test_a_provider_may_respond_before_it_has_read_the_request() -> None:
    async with rig() as proxy:
        proxy.provider.read_bodies = False
        proxy.provider.script = [http_response(b"enough", status="413 Too Large"), Do.HANG]
        got = await proxy.raw(head("/oai/v1/files", "Content-Length: 100000") + b"x" * 1000)
        event = await proxy.event()
    assert statuses(got) == [413]
    assert got.endswith(b"enough")
    assert event.response.outcome == Outcome.PROVIDER_ERROR


# Slow peers


async def test_a_client_that_does_not_read_slows_the_provider_down() -> None:
    async with rig() as proxy:
        piece, pieces = b"x" * 2**18, 128
        proxy.provider.script = [chunked(end=b""), *([b"40000\r\n" + piece + b"\r\n"] * pieces), b"0\r\n\r\n"]
        reader, writer = await proxy.connect()
        writer.write(head(CHAT, "Content-Length: 0", "Connection: close"))
        await asyncio.sleep(0.5)
        written = proxy.provider.written_bytes
        assert 0 < written < len(piece) * pieces // 2
        async with asyncio.timeout(20):
            got = await reader.read(-1)
        writer.close()
        event = await proxy.event()
    assert got.count(b"x") >= len(piece) * pieces
    assert (event.response.outcome, event.response.body_bytes) == (Outcome.COMPLETED, len(piece) * pieces)
    assert len(event.response.body) == 4 * 2**20


async def test_a_client_that_does_not_read_its_responses_is_not_given_memory_for_those_to_come() -> None:
    piece, questions = b"x" * 200_000, 300
    async with rig() as proxy:
        proxy.provider.script = [http_response(piece)]
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
            client.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(client, ("127.0.0.1", proxy.server.port))
            await loop.sock_sendall(client, head("/oai/v1/x", "Content-Length: 0") * questions)
            await asyncio.sleep(1)
            written, got = proxy.provider.written_bytes, 0
            async with asyncio.timeout(20):
                while got < len(piece) * questions:
                    got += len(await loop.sock_recv(client, 2**20))
        await proxy.events(questions)
    assert 0 < written < len(piece) * questions // 4


async def test_a_provider_that_does_not_read_slows_the_client_down() -> None:
    async with rig(idle_timeout_s=0.5) as proxy:
        proxy.provider.read_bodies = False
        proxy.provider.script = [30.0]
        _, writer = await proxy.connect()
        writer.write(head(CHAT, "Content-Length: 60000000") + b"x" * 60_000_000)
        event = await proxy.event()
        writer.close()
    assert event.response.outcome == Outcome.TIMED_OUT
    assert event.request.body_bytes < 20_000_000


async def test_above_the_capture_space_bodies_pass_but_are_not_kept() -> None:
    async with rig(capture_total_bytes=1000, capture_bytes=600) as proxy, proxy.client() as client:
        proxy.provider.script = [http_response(b"a" * 700)]
        await client.post(CHAT, content=b"q" * 700)
        proxy.provider.script = [http_response(b"a" * 100)]
        got = await client.post(CHAT, content=b"q" * 100)
        first, second = await proxy.events(2)
        assert proxy.metrics.get("proxy_bodies_dropped_total") == 1
        assert proxy.metrics.get("proxy_bodies_truncated_total") == 1
    assert (len(first.request.body), first.request.body_bytes) == (600, 700)
    assert (first.response.body, first.response.body_bytes) == (b"", 700)
    assert (got.content, second.request.body, second.response.body) == (b"a" * 100, b"q" * 100, b"a" * 100)


# Durability


class HeldSink:
    """A LogSink whose events become durable, or are given up, when the test says so."""

    def __init__(self) -> None:
        self.events: list[ExchangeEvent] = []
        self.ack: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def publish(self, event: LogEntry) -> Awaitable[None]:
        assert isinstance(event, ExchangeEvent)
        self.events.append(event)
        return asyncio.shield(self.ack)

    async def close(self) -> None: ...


STRICT_RESPONSES = {
    "with a length": http_response(b"whole"),
    "in chunks": chunked(b"whole"),
    "of no bytes": http_response(b""),
}


@pytest.mark.parametrize("name", STRICT_RESPONSES)
@pytest.mark.parametrize("durable", [True, False])
async def test_strict_responses_end_only_when_their_event_is_durable(name: str, durable: bool) -> None:
    sink = HeldSink()
    async with rig(sink=sink, durability="strict") as proxy:
        proxy.provider.script = [STRICT_RESPONSES[name]]
        requesting = asyncio.create_task(proxy.raw(head(CHAT, "Content-Length: 0", "Connection: close")))
        await asyncio.sleep(0.15)
        assert len(sink.events) == 1
        assert not requesting.done()
        if durable:
            sink.ack.set_result(None)
        else:
            sink.ack.set_exception(BrokerUnavailable("gone"))
        got = await requesting
    whole = got.endswith((b"whole", b"0\r\n\r\n", b"Content-Length: 0\r\nConnection: close\r\n\r\n"))
    assert whole == durable


@pytest.mark.parametrize("name", STRICT_RESPONSES)
async def test_a_strict_response_is_cut_off_when_its_event_is_not_durable_in_time(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "HOLD_S", 0.3)
    sink = HeldSink()
    async with rig(sink=sink, durability="strict") as proxy:
        proxy.provider.script = [STRICT_RESPONSES[name]]
        got = await proxy.raw(head(CHAT, "Content-Length: 0"), timeout_s=3)
        assert proxy.metrics.get("proxy_strict_cut_total") == 1
        sink.ack.set_result(None)  # the event may be written all the same
        await asyncio.sleep(0.05)
    assert not got.endswith((b"whole", b"0\r\n\r\n", b"Content-Length: 0\r\n\r\n"))
    assert len(sink.events) == 1


@pytest.mark.parametrize("durability", ["relaxed", "standard"])
async def test_other_responses_never_wait_for_the_log(durability: str) -> None:
    sink = HeldSink()
    async with rig(sink=sink, durability=durability) as proxy, proxy.client() as client:
        assert (await client.post(CHAT, json={})).status_code == 200
        assert len(sink.events) == 1


# Stopping


async def test_a_stopping_proxy_lets_exchanges_end_and_takes_no_more() -> None:
    async with rig() as proxy:
        proxy.provider.script = [0.4, http_response(b"in time")]
        requesting = asyncio.create_task(proxy.raw(head(CHAT, "Content-Length: 0")))
        await asyncio.sleep(0.1)
        port = proxy.server.port
        proxy.server.stop()
        got = await requesting
        event = await proxy.event()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
    assert got.endswith(b"in time")
    assert event.response.outcome == Outcome.COMPLETED


async def test_what_does_not_end_in_the_grace_period_still_leaves_its_event() -> None:
    async with rig(grace_s=1) as proxy:
        proxy.provider.script = [chunked(b"half", end=b""), Do.HANG]
        requesting = asyncio.create_task(proxy.raw(head(CHAT, "Content-Length: 0")))
        await asyncio.sleep(0.1)
        proxy.server.stop()
        got = await requesting
        event = await proxy.event()
    assert not got.endswith(b"0\r\n\r\n")
    assert (event.response.outcome, event.response.body) == (Outcome.TIMED_OUT, b"half")


@pytest.mark.parametrize("requested", [True, False], ids=["a provider", "the rest of a body"])
async def test_whoever_a_stopping_proxy_waited_for_is_not_to_blame(requested: bool) -> None:
    async with rig(grace_s=1) as proxy:
        proxy.provider.script = [Do.HANG]
        requesting = asyncio.create_task(proxy.raw(head(CHAT, "Content-Length: 4") + b"half"[: 4 if requested else 2]))
        await asyncio.sleep(0.1)
        proxy.server.stop()
        got = await requesting
        event = await proxy.event()
    assert statuses(got) == [503]
    assert b"the proxy is stopping" in got
    assert (event.response.outcome, event.response.request_sent) == (Outcome.TIMED_OUT, requested)


@pytest.mark.parametrize("responded", [True, False], ids=["responded", "being answered"])
async def test_a_client_that_takes_nothing_does_not_hold_up_a_stopping_proxy(responded: bool) -> None:
    async with rig(grace_s=1) as proxy:
        proxy.provider.script = [http_response(b"x" * 2**23)[: None if responded else -1], 9.0]
        _, writer = await proxy.connect()
        writer.write(head(CHAT, "Content-Length: 0"))
        await asyncio.sleep(0.2)
        stopping_s = time.monotonic()
    assert time.monotonic() - stopping_s < 3
    assert not proxy.server.connection_count
    assert len(await proxy.events(1)) == 1
    writer.close()


# SDKs, and everything at once


async def test_the_openai_sdk_works_plain_and_streamed() -> None:
    async with rig() as proxy:
        client = openai.AsyncOpenAI(
            base_url=f"{proxy.url}/oai/v1", api_key="k", default_headers={"Helicone-Auth": f"Bearer {SECRET}"}
        )
        proxy.provider.script = [http_response(chat_response())]
        plain = await client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "Hi"}])
        delta = (
            b'data: {"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
        )
        proxy.provider.script = [chunked(delta, delta, b"data: [DONE]\n\n")]
        stream = await client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "Hi"}], stream=True
        )
        said = [chunk.choices[0].delta.content async for chunk in stream]
        await proxy.events(2)
        await client.close()
    assert plain.choices[0].message.content == "Hello!"
    assert said == ["Hi", "Hi"]


async def test_the_anthropic_sdk_shows_our_errors_to_people() -> None:
    async with rig() as proxy:
        client = anthropic.AsyncAnthropic(base_url=f"{proxy.url}/anthropic", api_key="k", max_retries=0)
        with pytest.raises(anthropic.AuthenticationError, match="Helicone-Auth is missing"):
            await client.messages.create(model="m", max_tokens=1, messages=[{"role": "user", "content": "Hi"}])
        await client.close()


async def _some_exchange(proxy: Rig, number: int) -> None:
    body = b"x" * (number * 37 % 5000)
    reader, writer = await proxy.connect()
    writer.write(head(CHAT, f"Content-Length: {len(body)}", f"Helicone-User-Id: {number}", "Connection: close") + body)
    if number % 5:
        await reader.read(-1)
    writer.close()


async def test_many_exchanges_with_all_kinds_of_endings_leave_exactly_one_event_each() -> None:
    async with rig(first_byte_timeout_s=0.5, idle_timeout_s=0.5, max_connections=20) as proxy:
        scripts: list[list[Step]] = [
            [http_response(b"ok")],
            [0.02, chunked(b"a", b"b")],
            [Do.RESET],
            [chunked(b"h", end=b""), Do.CLOSE],
        ]
        for number in range(0, 200, 50):
            proxy.provider.script = scripts[number // 50]
            async with asyncio.timeout(20):
                await asyncio.gather(
                    *(_some_exchange(proxy, each) for each in range(number, number + 50)), return_exceptions=True
                )
        await asyncio.sleep(0.6)
        requested = proxy.metrics.get("proxy_requests_total")
        events = await proxy.events(requested)
    assert requested >= 160
    assert len({event.request.tags.user_id for event in events}) == requested
