"""The worker's own address: `/healthz`, 200 while it works, and `/metrics` for Prometheus. Two pages, read only."""

import asyncio
import contextlib
from collections.abc import Collection
from typing import Final

from schemas.errors import Rejected
from services.domain.host import check_trusted
from services.telemetry import Metrics

_MAX_HEAD_BYTES: Final = 16 * 2**10
_PATIENCE_S: Final = 5.0


async def serve_health(
    metrics: Metrics, *, host: str, port: int, hosts: Collection[str] = frozenset()
) -> asyncio.Server:
    """A listening server; its owner closes it. `hosts` are names under which metrics are shown too.

    Raises: OSError when the address is taken.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _PATIENCE_S)
            writer.write(_answer(head, metrics, hosts))
            await asyncio.wait_for(writer.drain(), _PATIENCE_S)
        writer.close()

    return await asyncio.start_server(answer, host, port, limit=_MAX_HEAD_BYTES)


def _answer(head: bytes, metrics: Metrics, hosts: Collection[str]) -> bytes:
    method, _, rest = head.partition(b" ")
    path = rest.partition(b" ")[0].partition(b"?")[0]
    if method not in (b"GET", b"HEAD"):
        return _page(b"405 Method Not Allowed", "only GET\n", "text/plain")
    if path == b"/metrics":
        try:
            check_trusted(_host(head), hosts)
        except Rejected as error:
            return _page(b"403 Forbidden", f"{error}\n", "text/plain")
        return _page(b"200 OK", metrics.exposition(), "text/plain; version=0.0.4")
    if path == b"/healthz":
        status = b"503 Service Unavailable" if metrics.trouble else b"200 OK"
        return _page(status, metrics.health(), "application/json")
    return _page(b"404 Not Found", "/healthz or /metrics\n", "text/plain")


def _host(head: bytes) -> bytes | None:
    fields = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return next((value.strip() for name, _, value in fields if name.lower() == b"host"), None)


def _page(status: bytes, text: str, content_type: str) -> bytes:
    body = text.encode()
    head = b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    return head % (status, content_type.encode(), len(body)) + body
