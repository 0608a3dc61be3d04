"""A provider that does what it is reported, down to the bytes: responses, dawdles, hangs, breaks off, resets."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from enum import Enum


class Do(Enum):
    """What a script can do besides writing bytes and pausing."""

    CLOSE = "close"
    RESET = "reset"
    HANG = "hang"


Step = bytes | float | Do


def http_response(
    body: bytes, *, status: str = "200 OK", content_type: str = "application/json", more: str = ""
) -> bytes:
    """A whole response with a Content-Length."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


def chunked(
    *pieces: bytes, content_type: str = "text/event-stream", end: bytes = b"0\r\n\r\n", more: str = ""
) -> bytes:
    """A whole response in chunks."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n{more}\r\n"
    return head.encode() + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + end


class ScriptedProvider:
    """Listens on loopback. Every request gets `script`, read anew each time, or the next of `scripts`."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.script: Sequence[Step] = [http_response(b"{}")]
        self.scripts: list[Sequence[Step]] = []  # of the next requests; all behind them get the last one
        self.script_for: Callable[[bytes, bytes], Sequence[Step]] | None = None  # by head and body, in their place
        self.read_bodies = True  # False: responses, or hangs, without having read the request's body
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.open_connections = 0
        self.written_bytes = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["ScriptedProvider"]:
        # The kernel would otherwise take tens of megabytes from a proxy that should feel resistance.
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
        listener.bind(("127.0.0.1", 0))
        server = await asyncio.start_server(self._serve, sock=listener, limit=2**20, backlog=1000, ssl=self._tls)
        self.port = listener.getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_connections += 1
        try:
            while True:
                await self._read_request(reader)
                if self.scripts:
                    self.script = self.scripts.pop(0)
                script = self.script_for(self.heads[-1], self.bodies[-1]) if self.script_for else self.script
                for step in script:
                    if not await self._take(step, reader, writer):
                        return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open_connections -= 1
            writer.close()

    async def _read_request(self, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        if not self.read_bodies:
            return
        fields = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
        }
        body = b""
        if fields.get(b"transfer-encoding") == b"chunked":
            while size := int(await reader.readuntil(b"\n"), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readline()
        else:
            body = await reader.readexactly(int(fields.get(b"content-length", b"0")))
        self.bodies.append(body)

    async def _take(self, step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the script goes on."""
        match step:
            case bytes():
                if writer.transport.is_closing():
                    return False
                writer.write(step)
                await writer.drain()
                self.written_bytes += len(step)
            case float():
                await asyncio.sleep(step)
            case Do.HANG:
                while await reader.read(2**16):
                    pass
                return False
            case Do.RESET:
                sock: socket.socket = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
                return False
            case Do.CLOSE:
                return False
        return True
