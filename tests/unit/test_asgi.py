"""Requests to an ASGI application, with a Downstream in memory: whatever the app does, its client has a response."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from services.ports.upstream import Headers
from services.proxy.errors import MalformedRequest
from services.proxy.http.asgi import WAITING_BYTES, App, AppRequest, scope_of
from services.proxy.http.parser import RequestHead

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

START = {"type": "http.response.start", "status": 200, "headers": [(b"x", b"1"), (b"content-length", b"2")]}
BODY = {"type": "http.response.body", "body": b"ok"}


class Client:
    """A Downstream that writes down what it is called with."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def send_head(self, status: int, reason: bytes, headers: Headers, body_bytes: int | None) -> None:
        self.calls.append((status, reason, list(headers), body_bytes))

    def change_protocol(self, headers: Headers, stop: Callable[[], None]) -> bool:
        raise NotImplementedError

    def send_chunk(self, chunk: bytes) -> None:
        self.calls.append(chunk)

    def flush(self) -> None: ...

    def finish(self) -> None:
        self.calls.append("finish")

    def cut(self) -> None:
        self.calls.append("cut")

    def close_after(self) -> None:
        self.calls.append("close after")

    def proceed(self) -> None:
        self.calls.append("proceed")

    def pause_request(self) -> None:
        self.calls.append("pause")

    def resume_request(self) -> None: ...


def head(method: bytes = b"POST", url: bytes = b"/a%20b?c") -> RequestHead:
    return RequestHead(method, url, [(b"Host", b"x"), (b"X-Spelled", b"1")], "1.1", keep_alive=True)


def run(app: App, *steps: Callable[[AppRequest], None], method: bytes = b"POST", waits: bool = False) -> list[Any]:
    """What the client got, when `steps` happen one after the other while the app runs."""
    client = Client()

    async def story() -> None:
        tasks: set[asyncio.Task[None]] = set()
        request = AppRequest(app, scope_of(head(method)), client, expects_continue=waits, tasks=tasks)
        request.begin()
        for step in steps:
            await asyncio.sleep(0)
            step(request)
        async with asyncio.timeout(2):
            await asyncio.gather(*tasks)

    asyncio.run(story())
    return client.calls


async def echo(scope: dict[str, Any], receive: Receive, send: Send) -> None:  # noqa: ARG001
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", message["type"].encode()), message.get("more_body", False)
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def silent(scope: dict[str, Any], receive: Receive, send: Send) -> None: ...


async def faulty(scope: dict[str, Any], receive: Receive, send: Send) -> None:  # noqa: ARG001
    raise ZeroDivisionError


async def half(scope: dict[str, Any], receive: Receive, send: Send) -> None:  # noqa: ARG001
    await send(START)


async def streaming(scope: dict[str, Any], receive: Receive, send: Send) -> None:  # noqa: ARG001
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send(BODY | {"more_body": True})
    await send(BODY)


async def plain(scope: dict[str, Any], receive: Receive, send: Send) -> None:  # noqa: ARG001
    await send(START)
    await send(BODY)


def test_a_body_reaches_the_app_however_it_comes() -> None:
    steps = [lambda one: one.body(b"a"), lambda one: one.body(b"b"), lambda one: one.request_end()]
    assert run(echo, *steps) == [(404, b"Not Found", [], 2), b"ab", "finish"]


def test_a_body_that_was_held_back_is_requested_when_the_app_wants_it() -> None:
    steps = [lambda one: one.body(b"ab"), lambda one: one.request_end()]
    assert run(echo, *steps, waits=True)[0] == "proceed"
    assert "proceed" not in run(plain, waits=True)


def test_a_body_that_the_app_does_not_take_pauses_its_client() -> None:
    def flood(one: AppRequest) -> None:
        one.body(b"x" * (WAITING_BYTES + 1))
        one.request_end()

    assert "pause" in run(echo, flood)


def test_a_body_that_breaks_off_is_a_disconnected_client_to_the_app_which_may_respond() -> None:
    calls = run(echo, lambda one: one.request_broken(MalformedRequest("broken")))
    assert calls == ["close after", (404, b"Not Found", [], 15), b"http.disconnect", "finish"]


def test_nothing_is_sent_to_a_client_that_has_disconnected() -> None:
    assert run(echo, lambda one: one.client_disconnected()) == []


def test_a_slow_client_is_waited_for() -> None:
    calls = run(plain, lambda one: one.client_slow(), lambda one: one.client_ready())
    assert calls == [(200, b"OK", [(b"x", b"1")], 2), b"ok", "finish"]


def test_a_response_without_a_length_is_of_unknown_length() -> None:
    (_, _, headers, length), *rest = run(streaming)
    assert (headers, length, rest) == ([], -1, [b"ok", b"ok", "finish"])


def test_a_response_to_head_has_the_length_and_no_body() -> None:
    assert run(plain, method=b"HEAD") == [(200, b"OK", START["headers"], None), "finish"]


@pytest.mark.parametrize("app", [silent, faulty])
def test_an_app_that_does_not_respond_is_a_500(app: App) -> None:
    (status, *_), _, last = run(app)
    assert (status, last) == (500, "finish")


def test_a_response_that_the_app_does_not_finish_is_cut() -> None:
    assert run(half)[-1] == "cut"


def test_the_scope_has_the_path_decoded_and_the_headers_in_both_spellings() -> None:
    scope = scope_of(head())
    assert (scope["method"], scope["path"], scope["query_string"]) == ("POST", "/a b", b"c")
    assert scope["headers"][1] == (b"x-spelled", b"1")
    assert scope["extensions"]["farebox"]["headers"][1] == (b"X-Spelled", b"1")


@pytest.mark.parametrize("url", [b"a:b:c", b"\xff"])
def test_a_target_that_is_no_path_is_malformed(url: bytes) -> None:
    with pytest.raises(MalformedRequest):
        scope_of(head(url=url))
