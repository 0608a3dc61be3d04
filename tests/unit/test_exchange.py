"""Exchanges without sockets: the real parser, pool connection, relay and reply, on transports in memory."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import pairwise
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.event import ExchangeEvent, Outcome, decode_event
from services.proxy.exchange.deadlines import HOLD_S
from tests.servers.scripted_provider import chunked, http_response
from tests.support.exchange_line import Line


async def exchanged(pieces: list[bytes], *, ends: bool) -> tuple[bytes, ExchangeEvent]:
    """What the client gets, and the event, when the provider's bytes come in `pieces` and the connection then ends."""
    line = Line()
    line.ask()
    provider = line.upstream
    assert provider.wire.written == b"POST /v1/x HTTP/1.1\r\nHost: provider\r\nContent-Length: 3\r\n\r\nask"
    for piece in pieces:
        provider.connection.data_received(piece)
    if ends:
        provider.connection.connection_lost(None)
    (entry,) = line.log.entries
    return line.client.written, decode_event(entry)


def unframed(said: bytes) -> tuple[bytes, bytes]:
    """Head and body of a response, without chunks."""
    head, _, rest = said.partition(b"\r\n\r\n")
    if b"Transfer-Encoding: chunked" not in head:
        return head, rest
    body = b""
    while size := int(rest.partition(b"\r\n")[0] or b"0", 16):
        rest = rest.partition(b"\r\n")[2]
        body, rest = body + rest[:size], rest[size + 2 :]
    return head, body


RESPONSES = {
    "length": (http_response(b'{"id": "x", "usage": {}}'), False),
    "chunks": (chunked(b"data: 1\n\n", b"data: 2\n\n", b"data: [DONE]\n\n", end=b"0\r\nX-T: 1\r\n\r\n"), False),
    "interim": (b"HTTP/1.1 103 Early\r\nLink: <x>\r\n\r\nHTTP/1.1 200 Fine\r\nContent-Length: 2\r\n\r\nok", False),
    "close": (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end", True),
    "error": (http_response(b"slow down", status="429 Too Many Requests", more="Retry-After: 1\r\n"), False),
    "nothing": (b"HTTP/1.1 204 No Content\r\n\r\n", False),
    "broken off": (http_response(b"twelve bytes")[:-4], True),
}


def _cuts(data: bytes, places: list[int]) -> Iterator[bytes]:
    edges = [0, *sorted({place % len(data) for place in places} - {0}), len(data)]
    return (data[start:stop] for start, stop in pairwise(edges))


@pytest.mark.parametrize("name", RESPONSES)
@given(places=st.lists(st.integers(0, 10_000), max_size=40))
@settings(max_examples=60, deadline=None)
def test_however_the_providers_bytes_are_cut_client_and_event_get_the_same(name: str, places: list[int]) -> None:
    data, ends = RESPONSES[name]
    whole, whole_event = asyncio.run(exchanged([data], ends=ends))
    cut, cut_event = asyncio.run(exchanged(list(_cuts(data, places)), ends=ends))
    assert unframed(cut) == unframed(whole)
    assert (cut_event.response.outcome, cut_event.response.status) == (
        whole_event.response.outcome,
        whole_event.response.status,
    )
    assert (cut_event.request, cut_event.response.body) == (whole_event.request, whole_event.response.body)


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["length", "chunks", "close", "error", "nothing"])
async def test_the_end_of_a_response_leaves_after_its_event(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    line, (data, ends) = Line(), RESPONSES[name]
    published: list[int] = []
    write = line.client.write

    def watched(data: bytes) -> None:
        published.append(len(line.log.entries))
        write(data)

    monkeypatch.setattr(line.client, "write", watched)
    line.ask()
    for place in range(len(data)):
        line.upstream.connection.data_received(data[place : place + 1])
    if ends:
        line.upstream.connection.connection_lost(None)
    assert line.responses == 1
    assert published[-1] == 1


def test_what_does_not_end_well_is_distinguished() -> None:
    endings = {
        name: asyncio.run(exchanged([data], ends=ends))[1].response.outcome for name, (data, ends) in RESPONSES.items()
    }
    odd = {"error": Outcome.PROVIDER_ERROR, "broken off": Outcome.UPSTREAM_ERROR}
    assert endings == dict.fromkeys(RESPONSES, Outcome.COMPLETED) | odd


@pytest.mark.anyio
async def test_the_time_that_a_client_took_is_not_held_against_the_provider() -> None:
    line = Line()
    line.ask()
    line.upstream.connection.data_received(http_response(b"twelve bytes")[:-4])
    answered_s = monotonic()
    line.exchange.client_slow()
    assert line.upstream.wire.paused
    await asyncio.sleep(0.1)
    line.exchange.client_ready()
    assert not line.upstream.wire.paused
    line.exchange.check(answered_s + 1.05)
    assert not line.log.entries
    line.exchange.check(monotonic() + 1.05)
    assert decode_event(line.log.entries[0]).response.outcome is Outcome.TIMED_OUT


@pytest.mark.anyio
async def test_for_a_client_that_still_takes_an_earlier_response_the_provider_is_not_read() -> None:
    line = Line()
    line.exchange.client_slow()
    line.ask()
    assert line.upstream.wire.paused
    line.exchange.client_ready()
    assert not line.upstream.wire.paused


@pytest.mark.parametrize(
    "leave", [lambda line: line.exchange.client_disconnected(), lambda line: line.exchange.upstream_ready()]
)
def test_a_kept_body_has_its_room_until_its_provider_takes_it_or_nobody_waits_for_that(
    leave: Callable[[Line], None],
) -> None:
    line = Line(b"/oai/v1/chat/completions")
    line.exchange.upstream_slow()
    line.ask()
    assert line.buffer_memory.free_bytes == 10_000 - len(b"ask")
    leave(line)
    assert line.buffer_memory.free_bytes == 10_000


class HeldSink:
    """An EventSink whose events become durable when the test says so."""

    def __init__(self) -> None:
        self.ack: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def publish(self, event: ExchangeEvent) -> Awaitable[None]:  # noqa: ARG002
        return self.ack

    async def close(self) -> None: ...


@pytest.mark.anyio
async def test_a_response_that_was_cut_off_for_want_of_a_receipt_is_over_once_though_the_receipt_comes_late() -> None:
    sink = HeldSink()
    line = Line(strict_sink=sink)
    line.ask()
    line.upstream.connection.data_received(http_response(b"whole"))
    late_s = monotonic() + HOLD_S + 1
    for _ in range(2):
        line.exchange.check(late_s)
        assert (line.responses, line.client.closed) == (1, True)
    sink.ack.set_result(None)
    await asyncio.sleep(0)
    assert line.responses == 1
