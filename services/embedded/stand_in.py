"""Responds on the query service's socket while accounting restarts, so that clients get the reason and do not wait."""

import asyncio
import contextlib
import socket
from typing import Final

import msgspec

_MAX_HEAD_BYTES: Final = 64 * 2**10
_TIMEOUT_S: Final = 2.0  # for a request's head, and for the client to take the response
_MAX_CONNECTIONS: Final = 64


class StandIn:
    """Responds with 503 and `reason` to every request."""

    def __init__(self, reason: str) -> None:
        body = msgspec.json.encode({"data": None, "error": reason})
        self._response = (
            b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
            b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        ) + body
        self._server: asyncio.Server | None = None
        self._connections = 0

    async def start(self, listening: socket.socket) -> None:
        """`listening` stays open, and belongs to its owner."""
        with contextlib.suppress(OSError):  # no descriptors now: connections wait until accounting takes them
            self._server = await asyncio.start_server(self._serve, sock=listening.dup(), limit=_MAX_HEAD_BYTES)

    def close(self) -> None:
        if self._server:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            if self._connections <= _MAX_CONNECTIONS:
                async with asyncio.timeout(_TIMEOUT_S):
                    await self._respond(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client has disconnected, or sends no request
        finally:
            self._connections -= 1
            writer.close()

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self._response)
        await writer.drain()
        writer.write_eof()
        # Closing before the rest of the request is read would reset the connection, and lose the response.
        while await reader.read(_MAX_HEAD_BYTES):
            pass
