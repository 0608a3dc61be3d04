"""Requests that an ASGI application responds to: logs, health, metrics. What it needs of ASGI, and no more."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote

import httptools

from schemas.errors import FareboxError, Rejected
from services.ports.upstream import UNKNOWN_LENGTH, Headers
from services.proxy.errors import Downstream, MalformedRequest, send_error
from services.proxy.http.parser import RequestHead

Message = dict[str, Any]
App = Callable[
    [dict[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]
Tasks = set[asyncio.Task[None]]

WAITING_BYTES: Final = 64 * 2**10  # of a body that the app has not received; above it the client is paused

logger = logging.getLogger(__name__)


def scope_of(head: RequestHead) -> dict[str, Any]:
    """The ASGI scope of a request. Raises: MalformedRequest."""
    try:
        url = httptools.parse_url(head.url)
        path = (url.path or b"").decode("ascii")
    except (httptools.HttpParserInvalidURLError, UnicodeDecodeError):
        raise MalformedRequest("the request's target is not a path") from None
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": head.http_version,
        "method": head.method.decode("ascii"),
        "scheme": "http",
        "path": unquote(path),
        "raw_path": url.path or b"",
        "query_string": url.query or b"",
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in head.headers],
        "extensions": {"farebox": {"headers": head.headers}},  # ASGI would lose the spelling of their names
    }


class _Request(Enum):
    COMING = auto()
    WHOLE = auto()
    BROKEN = auto()  # nothing more of its body will come


class _Response(Enum):
    AWAITED = auto()
    BEGUN = auto()
    ENDED = auto()  # or there is no client any more


class AppRequest:
    """One request to the app, which runs in a task of its own. It is a Responder."""

    def __init__(
        self, app: App, scope: dict[str, Any], client: Downstream, *, expects_continue: bool, tasks: Tasks
    ) -> None:
        """`tasks` holds the task while it runs."""
        self._app = app
        self._scope = scope
        self._client = client
        self._expects_continue = expects_continue
        self._tasks = tasks
        self._body = bytearray()  # that the app has not received
        self._request = _Request.COMING
        self._response = _Response.AWAITED
        self._received = asyncio.Event()  # something that the app can receive
        self._writable = asyncio.Event()
        self._writable.set()

    def begin(self) -> None:
        task = asyncio.get_running_loop().create_task(self._run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def body(self, chunk: bytes) -> None:
        if self._response is _Response.ENDED:
            return
        self._body += chunk
        if len(self._body) > WAITING_BYTES:
            self._client.pause_request()
        self._received.set()

    def request_end(self) -> None:
        self._request = _Request.WHOLE
        self._received.set()

    def request_broken(self, error: Rejected) -> None:  # noqa: ARG002
        """ASGI can express it as a disconnected client only; the app may still respond."""
        self._client.close_after()
        self._request = _Request.BROKEN
        self._received.set()

    def client_disconnected(self) -> None:
        self._response = _Response.ENDED
        self._received.set()
        self._writable.set()

    def client_slow(self) -> None:
        self._writable.clear()

    def client_ready(self) -> None:
        self._writable.set()

    def turn_came(self, at: datetime) -> None: ...

    def request_flush(self) -> None: ...

    def check(self, now_s: float) -> None:
        """The app sets its own limits."""

    def stop(self) -> None:
        """Its task is cancelled by the server."""

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
        except Exception:
            logger.exception("the app failed at a request")
        if self._response is not _Response.ENDED:
            self._fail()

    def _fail(self) -> None:
        begun = self._response is _Response.BEGUN
        self._response = _Response.ENDED
        if begun:
            self._client.cut()
        else:
            send_error(self._client, FareboxError("internal error"), bodiless=self._is_head_request)

    @property
    def _is_head_request(self) -> bool:
        return bool(self._scope["method"] == "HEAD")

    async def _receive(self) -> Message:
        if self._response is not _Response.ENDED:
            if self._expects_continue:
                self._expects_continue = False
                self._client.proceed()
            self._client.resume_request()
            await self._received.wait()
            self._received.clear()
        if self._response is _Response.ENDED or self._request is _Request.BROKEN:
            return {"type": "http.disconnect"}
        body, self._body = bytes(self._body), bytearray()
        return {"type": "http.request", "body": body, "more_body": self._request is _Request.COMING}

    async def _send(self, message: Message) -> None:
        await self._writable.wait()
        if self._response is _Response.ENDED:
            return
        if message["type"] == "http.response.start":
            self._send_head(message["status"], message["headers"])
        else:
            self._send_body(message["body"], more_body=message.get("more_body", False))

    def _send_head(self, status: int, headers: Headers) -> None:
        self._response = _Response.BEGUN
        self._expects_continue = False
        reason = HTTPStatus(status).phrase.encode("ascii")
        if self._is_head_request or status == HTTPStatus.NO_CONTENT:
            self._client.send_head(status, reason, headers, None)
            return
        length = next((int(value) for name, value in headers if name == b"content-length"), UNKNOWN_LENGTH)
        others = [pair for pair in headers if pair[0] != b"content-length"]
        self._client.send_head(status, reason, others, length)

    def _send_body(self, body: bytes, *, more_body: bool) -> None:
        if body and not self._is_head_request:
            self._client.send_chunk(body)
        if more_body:
            self._client.flush()
        else:
            self._response = _Response.ENDED
            self._client.finish()
