"""All that a process without an API serves: `/healthz` and `/readyz`, 200 while it works, and `/metrics`."""

import asyncio
import contextlib
from collections.abc import Collection
from typing import Final

from schemas.errors import Forbidden, InvalidRequest
from services.domain.exchange.host import check_trusted, parse_host
from services.telemetry.metrics import CONTENT_TYPE, Metrics

_MAX_HEAD_BYTES: Final = 16 * 2**10
_TIMEOUT_S: Final = 5.0


async def serve_health(metrics: Metrics, *, host: str, port: int, hosts: Collection[str] = ()) -> asyncio.Server:
    """A listening server; its owner closes it. `hosts`: names under which `/metrics` is shown, beside local ones.

    Raises: OSError when the address is taken.
    """

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _TIMEOUT_S)
            writer.write(_response(head, metrics, hosts))
            await asyncio.wait_for(writer.drain(), _TIMEOUT_S)
        writer.close()

    return await asyncio.start_server(respond, host, port, limit=_MAX_HEAD_BYTES)


def _response(head: bytes, metrics: Metrics, hosts: Collection[str]) -> bytes:
    method, _, rest = head.partition(b" ")
    path = rest.partition(b" ")[0].partition(b"?")[0]
    if method not in (b"GET", b"HEAD"):
        return _page(b"405 Method Not Allowed", "only GET and HEAD\n", "text/plain", b"Allow: GET, HEAD\r\n")
    try:
        page = _shown(path, _host(head), metrics, hosts)
    except InvalidRequest as error:
        page = _page(b"400 Bad Request", f"{error}\n", "text/plain")
    except Forbidden as error:
        page = _page(b"403 Forbidden", f"{error}\n", "text/plain")
    return page if method == b"GET" else page.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


def _host(head: bytes) -> bytes | None:
    """The value of the only Host header, valid; None where there is none. Raises: InvalidRequest."""
    fields = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    values = [value.strip(b" \t") for name, _, value in fields if name.lower() == b"host"]
    if len(values) > 1:
        raise InvalidRequest("a request has one Host header")
    for value in values:
        parse_host(value)
    return values[0] if values else None


def _shown(path: bytes, host: bytes | None, metrics: Metrics, hosts: Collection[str]) -> bytes:
    """Raises: Forbidden."""
    if path == b"/metrics":
        check_trusted(host, hosts)
        return _page(b"200 OK", metrics.exposition(), CONTENT_TYPE)
    if path in (b"/healthz", b"/readyz"):
        status = b"503 Service Unavailable" if metrics.health.unhealthy_reason else b"200 OK"
        return _page(status, metrics.health.render(), "application/json")
    return _page(b"404 Not Found", "/healthz, /readyz or /metrics\n", "text/plain")


def _page(status: bytes, text: str, content_type: str, more: bytes = b"") -> bytes:
    body = text.encode()
    head = b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n%bConnection: close\r\n\r\n"
    return head % (status, content_type.encode(), len(body), more) + body
