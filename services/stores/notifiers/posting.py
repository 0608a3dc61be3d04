"""One request by HTTP and the response to it, through the pool that the proxy calls providers with.

So the server's address is checked and connected to, redirects are not followed, and the egress proxy and the
operator's certificates count.
"""

import asyncio
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

import msgspec

from schemas.errors import UpstreamTimedOut, UpstreamUnavailable
from schemas.origin import Origin, Reach
from services.ports.upstream import Headers, Upstream

_MAX_BODY_BYTES: Final = 64 * 2**10  # of a response
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A response, its body cut at 64 KiB."""

    status: int
    retry_after_s: float | None
    body: bytes


class Poster:
    """Posts JSON."""

    def __init__(self, upstream: Upstream, *, timeout_s: float) -> None:
        self._upstream = upstream
        self._timeout_s = timeout_s

    async def post(self, url: str, body: bytes, *, reach: Reach, headers: Headers = ()) -> Reply:
        """Raises: UpstreamUnavailable, which names the server and no more of `url`."""
        origin, target = _place(url, reach)
        receiver = _Receiver()
        call = self._upstream.call(origin, receiver)
        given = [(b"Content-Type", b"application/json"), (b"User-Agent", b"Farebox"), (b"Connection", b"close")]
        call.send_head(b"POST", target, [*given, *headers], len(body))
        call.send_chunk(body)
        call.finish()
        call.flush()
        try:
            async with asyncio.timeout(self._timeout_s):
                return await receiver.reply
        except TimeoutError:
            raise UpstreamTimedOut(f"no response of {origin.authority} within {self._timeout_s:g} s") from None
        finally:
            if not receiver.is_done:
                call.abort()
            self._upstream.sweep()

    async def close(self) -> None:
        await self._upstream.close()


class _Receiver:
    """The ResponseReceiver port: collects one response."""

    def __init__(self) -> None:
        self.reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.is_done = False
        self._status = 0
        self._retry_after_s: float | None = None
        self._body = b""

    def response_head(self, status: int, reason: bytes, headers: Headers) -> None:  # noqa: ARG002  # of the port
        self._status = status
        for name, value in headers:
            if name.lower() == b"retry-after":
                self._retry_after_s = _retry_after_s(value.decode("latin-1"))

    def response_chunk(self, chunk: bytes) -> None:
        self._body += chunk[: _MAX_BODY_BYTES - len(self._body)]

    def response_end(self) -> None:
        self.is_done = True
        if not self.reply.done():
            reply = Reply(status=self._status, retry_after_s=self._retry_after_s, body=self._body)
            self.reply.set_result(reply)

    def response_flush(self) -> None:
        """Nothing waits for it."""

    def upstream_failed(self, error: UpstreamUnavailable) -> None:
        self.is_done = True
        if not self.reply.done():
            self.reply.set_exception(error)

    def upstream_slow(self) -> None:
        """The body is given already."""

    def upstream_ready(self) -> None:
        """As above."""


def _place(url: str, reach: Reach) -> tuple[Origin, bytes]:
    """The server, and what is asked of it. `url` was checked when it was set."""
    parts = urlsplit(url)
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    origin = Origin(
        url=f"{parts.scheme}://{parts.netloc}",
        tls=parts.scheme == "https",
        host=parts.hostname or "",
        port=port,
        path="",
        reach=reach,
    )
    return origin, f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}".encode("ascii")


def _retry_after_s(value: str) -> float | None:
    """Of a Retry-After header: seconds, or a date."""
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (date - datetime.now(UTC)).total_seconds()) if date.tzinfo is not None else None
