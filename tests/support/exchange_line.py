"""One exchange without sockets: the real connection to a provider, exchange and reply, on transports in memory."""

import asyncio
import socket
import ssl
from typing import Any

from schemas.key import KeyOwner
from schemas.origin import Origin
from services.domain.exchange.captured_body import CaptureSpace
from services.domain.exchange.headers import parse_head
from services.domain.exchange.routes import Routes, origin_of
from services.domain.routing.address import is_reachable
from services.ports.log import EventSink
from services.ports.upstream import ResponseReceiver
from services.proxy.admission.admission import Admission
from services.proxy.admission.api_key import ApiKeyGate
from services.proxy.exchange.context import ProxyContext
from services.proxy.exchange.deadlines import Limits
from services.proxy.exchange.drain import DrainLimits, Drains
from services.proxy.exchange.exchange import Exchange
from services.proxy.exchange.key_cache import AuthCallback
from services.proxy.exchange.paced_work import PacedWork
from services.proxy.exchange.recorder import EventRecorder, Request
from services.proxy.exchange.request_ids import RequestIds
from services.proxy.http.flow_control import FlowControl
from services.proxy.http.response_writer import ResponseWriter
from services.stores.clock import SystemClock
from services.stores.memory import MemoryLog, MemorySink
from services.stores.upstream.connection import Connection
from services.stores.upstream.dial import Dialer
from services.stores.upstream.pool import Call, OriginPool
from services.telemetry.metrics import Metrics
from tests.builders.records import ORGANIZATION, TIMESTAMP
from tests.servers.proxy_rig import an_attribution

QUIET, _OTHER_END = socket.socketpair()


class Wire(asyncio.Transport):
    """A transport that keeps what is written, and whether it is read from."""

    def __init__(self) -> None:
        super().__init__({"socket": QUIET})
        self.written = b""
        self.closed = False
        self.paused = False

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # the provider is reached without


class OneConnection:
    """The Upstream port over one wire."""

    def __init__(self) -> None:
        self.wire = Wire()
        dialer = Dialer(tls=NO_TLS, is_reachable=is_reachable)
        self.pool = OriginPool(origin_of("http://provider"), 1, 1, dialer)
        self.connection = Connection(self.pool)
        self.connection.connection_made(self.wire)

    def call(self, origin: Origin, receiver: ResponseReceiver) -> Call:  # noqa: ARG002
        call = Call(receiver, self.pool)
        self.connection.carry(call)
        return call

    def sweep(self) -> None: ...

    async def close(self) -> None: ...


class Everyone:
    """Lets every key in."""

    def check(self, auth_header: bytes | None, callback: AuthCallback) -> None:  # noqa: ARG002
        callback(KeyOwner(organization_id=ORGANIZATION, key_id="key-1"))


class Line:
    """One exchange between a client and a provider."""

    def __init__(self, path: bytes = b"/oai/v1/x", *, strict_sink: EventSink | None = None) -> None:
        self.upstream, self.log, self.client, metrics = OneConnection(), MemoryLog(), Wire(), Metrics()
        self.buffer_memory = CaptureSpace(10_000)
        self.responses = 0  # that are over
        recorder = EventRecorder(
            sink=strict_sink or MemorySink(self.log, metrics=metrics),
            metrics=metrics,
            draw_id=RequestIds(bytes).draw,
            attribution=an_attribution(),
            capture_bytes=10_000,
            capture_total_bytes=10_000,
        )
        limits = DrainLimits(timeout_s=1, max_bytes=10_000, max_drains=1)
        context = ProxyContext(
            upstream=self.upstream,
            admission=Admission([ApiKeyGate(Everyone(), pass_unauthenticated=False)]),
            recorder=recorder,
            metrics=metrics,
            drains=Drains(recorder=recorder, metrics=metrics, limits=limits, by_default=True),
            buffer_memory=self.buffer_memory,
            realtime_memory=CaptureSpace(10_000),
            paced=PacedWork(),
            clock=SystemClock(),
            strict=strict_sink is not None,
            limits=Limits(max_body_bytes=100, first_byte_timeout_s=1, idle_timeout_s=1, total_timeout_s=1e9),
        )
        target = Routes({"OPENAI": origin_of("http://provider")}).resolve(path)
        assert target is not None
        head = parse_head([(b"Helicone-Auth", b"Bearer k"), (b"Content-Length", b"3")])
        reply = ResponseWriter(self.client, FlowControl(self.client), self._over, lambda _: False)
        reply.begin(keep_alive=True, http_1_0=False)
        request = Request(method=b"POST", target=target, head=head, created_at=TIMESTAMP, began_s=0.0)
        self.exchange = Exchange(context, reply, request)

    def _over(self) -> None:
        self.responses += 1

    def ask(self) -> None:
        self.exchange.begin()
        self.exchange.body(b"ask")
        self.exchange.request_end()
        self.exchange.request_flush()
