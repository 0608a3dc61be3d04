"""A provider on loopback that responds as OpenAI and Anthropic do, and remembers what it sent.

It costs nothing and needs no account: a newcomer watches real traffic, and a test adds up what Farebox must show.
"""

import asyncio
import gzip
import socket
import threading
import time
import uuid
from types import TracebackType
from typing import Any, Self

import msgspec
import orjson
import uvicorn

from schemas.usage import Usage
from services.simulator.replies import Replier, Reply

_FIRST_BYTE_S = 0.4
_BETWEEN_EVENTS_S = 0.02
_WORTH_COMPRESSING = 512


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the provider's own ledger: what its bill would be made from."""

    id: str  # of the response, as the client sees it; of the request where there is no other
    path: str
    status: int
    model: str
    usage: Usage | None  # None when nothing is billed
    control_headers: tuple[str, ...]  # Helicone headers that reached the provider: there should be none


class SimulatedProvider:
    """Listens on loopback, in a thread of its own, from `start` to `stop`.

    `seed` fixes the n-th response; `error_share` of all requests fail with 429, 500 or 529; `latency_scale` 1 takes
    about the time that providers take, 0 none. `ledger` has a line for every response that was begun.
    """

    def __init__(self, *, seed: int = 0, error_share: float = 0.0, latency_scale: float = 0.0, port: int = 0) -> None:
        self.ledger: list[LedgerEntry] = []
        self._replier = Replier(seed=seed, error_share=error_share)
        self._latency_scale = latency_scale
        self._port = port
        self._socket = socket.socket()
        config = uvicorn.Config(
            self._exchange, interface="asgi3", lifespan="off", ws="none", log_config=None, access_log=False
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="simulated-provider", daemon=True
        )

    @property
    def url(self) -> str:
        """Scheme, host and port. The paths of both providers are under it."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def start(self) -> Self:
        """Clients may connect when this returns. Raises: OSError when the port is taken."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", self._port))
        self._socket.listen(2048)
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def _exchange(self, scope: Any, receive: Any, send: Any) -> None:
        """One request and its response, as an ASGI application."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        body = await _body_of(receive)
        reply = self._replier.reply(scope["method"], scope["path"], headers, body, int(time.time()))
        request_id = f"req_{uuid.uuid4().hex}"
        self.ledger.append(
            LedgerEntry(
                id=reply.id or request_id,
                path=scope["path"],
                status=reply.status,
                model=reply.model,
                usage=reply.usage,
                control_headers=tuple(name for name in headers if name.startswith("helicone-")),
            )
        )
        await self._rest(_FIRST_BYTE_S)
        if reply.document is None:
            await self._send_events(reply, request_id, send)
        else:
            await _send_document(reply, request_id, send, gzipped="gzip" in headers.get("accept-encoding", ""))

    async def _send_events(self, reply: Reply, request_id: str, send: Any) -> None:
        await send(_head(reply.status, "text/event-stream; charset=utf-8", request_id))
        for event in reply.events:
            await send({"type": "http.response.body", "body": event, "more_body": True})
            await self._rest(_BETWEEN_EVENTS_S)
        await send({"type": "http.response.body", "body": b""})

    async def _rest(self, seconds: float) -> None:
        if self._latency_scale:
            await asyncio.sleep(seconds * self._latency_scale)


async def _send_document(reply: Reply, request_id: str, send: Any, *, gzipped: bool) -> None:
    """Compressed when the client can read that, as providers do."""
    body = orjson.dumps(reply.document)
    extra = [(b"retry-after-ms", b"20")] if reply.status >= 429 else []
    if gzipped and len(body) > _WORTH_COMPRESSING:
        body = gzip.compress(body, compresslevel=1, mtime=0)
        extra.append((b"content-encoding", b"gzip"))
    extra.append((b"content-length", str(len(body)).encode()))
    await send(_head(reply.status, "application/json", request_id, extra))
    await send({"type": "http.response.body", "body": body})


def _head(
    status: int, content_type: str, request_id: str, extra: list[tuple[bytes, bytes]] | None = None
) -> dict[str, Any]:
    """Both providers' names for the request id, since clients look for either."""
    named = request_id.encode()
    headers = [(b"content-type", content_type.encode()), (b"x-request-id", named), (b"request-id", named)]
    return {"type": "http.response.start", "status": status, "headers": headers + (extra or [])}


async def _body_of(receive: Any) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)
