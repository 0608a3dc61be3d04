"""Upstream: HTTP/1.1 to the providers on pooled connections, driven by sockets, without a task per request.

A request is written at most once. Providers charge for what they read, so a broken connection is an error for the
client to judge and never a reason to send again. What makes stale connections rare instead: idle ones are
closed after `IDLE_S`, at once when the provider closes them, and checked before each use.
"""

import asyncio
import socket
import ssl
from collections import OrderedDict
from time import monotonic
from typing import Final

from schemas.errors import UpstreamTimedOut, UpstreamUnavailable
from schemas.origin import Origin, Reach
from services.ports.upstream import OTHER_PROTOCOL, UNKNOWN_LENGTH, Headers, ResponseReceiver
from services.stores.upstream.connection import Connection
from services.stores.upstream.dial import Dialer

IDLE_S: Final = 15.0  # for which a connection may be idle
_ANY: Final = Reach.ANY  # looked up for every call, which is dearer on the class
HELD_BYTES: Final = 64 * 2**10  # of a request that cannot be sent yet; above it the client is paused


class UpstreamPool:
    """The Upstream port."""

    def __init__(self, *, max_connections: int, connect_timeout_s: float, dialer: Dialer) -> None:
        self._max_connections = max_connections
        self._connect_timeout_s = connect_timeout_s
        self._dialer = dialer
        self._pools: dict[str, OriginPool] = {}
        # Of servers that others chose. A connection that was opened for one reach is not used for another.
        self._checked: dict[tuple[Reach, str], OriginPool] = {}

    def call(self, origin: Origin, receiver: ResponseReceiver) -> "Call":
        if origin.reach is _ANY:
            pool = self._pools.get(origin.url)
            if pool is None:
                pool = self._pools[origin.url] = self._new_pool(origin)
        else:
            pool = self._checked.setdefault((origin.reach, origin.url), self._new_pool(origin))
        call = Call(receiver, pool)
        pool.place(call)
        return call

    def sweep(self) -> None:
        for pool in (*self._pools.values(), *self._checked.values()):
            pool.close_idle()
        for key in [key for key, pool in self._checked.items() if pool.is_empty]:
            del self._checked[key]  # there may be any number of them

    async def close(self) -> None:
        for pool in (*self._pools.values(), *self._checked.values()):
            await pool.close()

    def _new_pool(self, origin: Origin) -> "OriginPool":
        return OriginPool(origin, self._max_connections, self._connect_timeout_s, self._dialer)


class OriginPool:
    """The connections to one origin, and the calls that wait for one."""

    def __init__(self, origin: Origin, max_connections: int, connect_timeout_s: float, dialer: Dialer) -> None:
        self.request_line_end = b" HTTP/1.1\r\nHost: %b" % origin.authority.encode("ascii")
        self._origin = origin
        self._max_connections = max_connections
        self._connect_timeout_s = connect_timeout_s
        self._dialer = dialer
        self._idle: list[Connection] = []  # the last used is used next, so that the others become idle and are closed
        self._open: set[Connection] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._waiting: OrderedDict[Call, None] = OrderedDict()  # in order; any of them may be aborted

    def place(self, call: "Call") -> None:
        """Gives `call` a connection, now or as soon as there is one."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable():
                connection.carry(call)
                return
            connection.close()
        self._waiting[call] = None
        self._connect_for_waiting()

    def _connect_for_waiting(self) -> None:
        wanted = len(self._waiting) - len(self._connecting)
        room = self._max_connections - len(self._open) - len(self._connecting)
        for _ in range(min(wanted, room)):
            task = asyncio.get_running_loop().create_task(self._connect())
            self._connecting.add(task)
            task.add_done_callback(self._connected)

    def _connected(self, task: asyncio.Task[None]) -> None:
        self._connecting.discard(task)
        if not task.cancelled():
            self._connect_for_waiting()  # whether it worked or not: there is room for another try

    async def _connect(self) -> None:
        origin = self._origin
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                connection = await self._dialer.connect(origin, lambda: Connection(self))
        except TimeoutError as error:
            self._fail_next(UpstreamTimedOut(f"no connection to {origin.authority} in time"), error)
        except UpstreamUnavailable as error:
            self._fail_next(error, error.__cause__)
        except (OSError, ssl.SSLError, UnicodeError) as error:
            self._fail_next(UpstreamUnavailable(f"no connection to {origin.authority}: {_reason(error)}"), error)
        else:
            self._open.add(connection)
            self._use(connection)

    def _fail_next(self, error: UpstreamUnavailable, cause: BaseException | None) -> None:
        error.__cause__ = cause
        call = self._next_waiting()
        if call is not None:
            call.receiver.upstream_failed(error)

    def _next_waiting(self) -> "Call | None":
        return self._waiting.popitem(last=False)[0] if self._waiting else None

    def forget(self, call: "Call") -> None:
        """`call` waits no longer."""
        self._waiting.pop(call, None)

    def rest(self, connection: Connection) -> None:
        """`connection` is free again. Where a call waits, it is checked as `place` does."""
        if self._waiting and not connection.usable():
            connection.close()
        else:
            self._use(connection)

    def _use(self, connection: Connection) -> None:
        """For the call that waits longest, or for later."""
        call = self._next_waiting()
        if call is not None:
            connection.carry(call)
        else:
            self._idle.append(connection)

    def lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if self._waiting:
            self._connect_for_waiting()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is connected, and nothing waits to be."""
        return not (self._open or self._connecting or self._waiting)

    def close_idle(self) -> None:
        limit_s = monotonic() - IDLE_S
        for connection in [one for one in self._idle if one.idle_since_s < limit_s]:
            self._idle.remove(connection)
            connection.close()

    async def close(self) -> None:
        for task in list(self._connecting):
            task.cancel()
        for connection in list(self._open):
            connection.close()
        await asyncio.gather(*self._connecting, return_exceptions=True)


class Call:
    """The UpstreamCall port: one request, buffered until it has a connection, then written as it comes."""

    waited_s = 0.0  # the decorators see to that

    __slots__ = (
        "_chunked",
        "_held",
        "_out",
        "_paused",
        "_pool",
        "_slow",
        "begun",
        "connection",
        "is_head",
        "offers_protocol",
        "receiver",
        "sent",
    )

    def __init__(self, receiver: ResponseReceiver, pool: OriginPool) -> None:
        self.receiver = receiver
        self.connection: Connection | None = None
        self.begun = False
        self.sent = False  # the whole request
        self.is_head = False
        self.offers_protocol = False
        self._pool = pool
        self._out: list[bytes] = []
        self._held = 0
        self._slow = False
        self._paused = False
        self._chunked = False

    def send_head(self, method: bytes, target: bytes, headers: Headers, body_bytes: int | None) -> None:
        self.is_head = method == b"HEAD"
        lines = [b"%b %b%b" % (method, target, self._pool.request_line_end), *map(b": ".join, headers)]
        if body_bytes == UNKNOWN_LENGTH:
            self._chunked = True
            lines.append(b"Transfer-Encoding: chunked")
        elif body_bytes == OTHER_PROTOCOL:
            self.offers_protocol = True
        elif body_bytes is not None:
            lines.append(b"Content-Length: %d" % body_bytes)
        lines.append(b"\r\n")
        self._out.append(b"\r\n".join(lines))

    def send_chunk(self, chunk: bytes) -> None:
        self._held += len(chunk)
        if self._chunked:
            self._out += (b"%x\r\n" % len(chunk), chunk, b"\r\n")
        else:
            self._out.append(chunk)

    def finish(self) -> None:
        self.sent = True
        if self._chunked:
            self._out.append(b"0\r\n\r\n")

    def flush(self) -> None:
        if self.connection is not None:
            if self._out:
                self.begun = True
                self.connection.write(b"".join(self._out))
                self._out.clear()
        elif self._held > HELD_BYTES and not self._slow:
            self._slow = True
            self.receiver.upstream_slow()

    def attach(self, connection: Connection) -> None:
        self.connection = connection
        if self._paused:
            connection.pause_reading()
        if self._out:
            self.flush()
        if self._slow:
            self._slow = False
            if connection.writable:  # or else it calls this itself when it is
                self.receiver.upstream_ready()

    def pause_response(self) -> None:
        self._paused = True
        if self.connection is not None:
            self.connection.pause_reading()

    def resume_response(self) -> None:
        self._paused = False
        if self.connection is not None:
            self.connection.resume_reading()

    def hand_over(self, receiver: ResponseReceiver) -> None:
        self.receiver = receiver

    def abort(self) -> None:
        self._out.clear()  # the exchange may go on, to send an error to its client
        if self.connection is None:
            self._pool.forget(self)
        else:
            self.connection.abort(self)


def _reason(error: Exception) -> str:
    """Short, and without addresses that change from call to call."""
    if isinstance(error, socket.gaierror):
        return "the name does not resolve"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    return type(error).__name__
