"""The Downstream of one connection: responses in HTTP/1.1 framing, one write for what is at hand."""

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from typing import Final

from services.ports.upstream import UNKNOWN_LENGTH, Headers
from services.proxy.http.flow_control import FlowControl

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER for zero seconds


class ResponseWriter:
    """Used for one response after the other; `on_over` is called when one is complete or was cut, `on_relay` when one
    changes the protocol: whether that is possible."""

    __slots__ = (
        "_chunked",
        "_chunks",
        "_flow",
        "_http_1_0",
        "_on_over",
        "_on_relay",
        "_out",
        "_transport",
        "_unframed",
        "keep_alive",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        flow: FlowControl,
        on_over: Callable[[], None],
        on_relay: Callable[[Callable[[], None]], bool],
    ) -> None:
        self._transport = transport
        self._flow = flow
        self._on_over = on_over
        self._on_relay = on_relay
        self._out: list[bytes] = []
        self._chunks: list[bytes] = []
        self._http_1_0 = False
        self._chunked = False
        self._unframed = False
        self.keep_alive = False

    def begin(self, *, keep_alive: bool, http_1_0: bool) -> None:
        """`http_1_0` for clients that speak it: they know no chunks."""
        self.keep_alive = keep_alive
        self._http_1_0 = http_1_0
        self._chunked = False
        self._unframed = False

    def close_after(self) -> None:
        self.keep_alive = False

    def send_head(self, status: int, reason: bytes, headers: Headers, body_bytes: int | None) -> None:
        lines = [b"HTTP/1.1 %d %b" % (status, reason), *map(b": ".join, headers)]
        if body_bytes == UNKNOWN_LENGTH:
            if self._http_1_0:
                self._unframed = True
                self.keep_alive = False
            else:
                self._chunked = True
                lines.append(b"Transfer-Encoding: chunked")
        elif body_bytes is not None:
            lines.append(b"Content-Length: %d" % body_bytes)
        lines.append(b"\r\n" if self.keep_alive else b"Connection: close\r\n\r\n")
        self._out.append(b"\r\n".join(lines))

    def change_protocol(self, headers: Headers, stop: Callable[[], None]) -> bool:
        if not self._on_relay(stop):
            return False
        self.keep_alive = False
        self._out += (b"HTTP/1.1 101 Switching Protocols\r\n", *[b"%b: %b\r\n" % pair for pair in headers], b"\r\n")
        return True

    def send_chunk(self, chunk: bytes) -> None:
        if self._chunked:
            self._chunks.append(chunk)
        else:
            self._out.append(chunk)

    def flush(self) -> None:
        if self._chunks:
            self._frame_chunks()
        if self._out:
            self._transport.write(b"".join(self._out))
            self._out.clear()

    def _frame_chunks(self) -> None:
        """All chunks at hand become one."""
        self._out.append(b"%x\r\n" % sum(map(len, self._chunks)))
        self._out += self._chunks
        self._out.append(b"\r\n")
        self._chunks.clear()

    def finish(self) -> None:
        if self._chunked:
            if self._chunks:
                self._frame_chunks()
            self._out.append(b"0\r\n\r\n")
        self.flush()
        self._on_over()

    def cut(self) -> None:
        """Ends the connection behind what was flushed; by the framing the client sees that the end is missing.

        Where there is no framing, only a reset shows it.
        """
        self.keep_alive = False
        self._out.clear()
        self._chunks.clear()
        if self._unframed:
            self._reset()
        else:
            self._transport.close()
        self._on_over()

    def _reset(self) -> None:
        number = self._transport.get_extra_info("socket").fileno()
        with socket.socket(fileno=os.dup(number)) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    def proceed(self) -> None:
        if not self._http_1_0:  # to HTTP/1.0 clients it would be the response
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def pause_request(self) -> None:
        self._flow.pause_reading()

    def resume_request(self) -> None:
        self._flow.resume_reading()
