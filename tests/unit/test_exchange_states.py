"""The life of an exchange, whatever happens in whatever order on either side of it."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from schemas.errors import BrokerUnavailable, Unauthenticated, UpstreamUnavailable
from schemas.event import ExchangeEvent
from schemas.key import KeyOwner
from schemas.origin import Origin
from services.domain.exchange.captured_body import CaptureSpace
from services.domain.exchange.headers import parse_head
from services.domain.exchange.routes import Routes, origin_of
from services.ports.upstream import Headers, ResponseReceiver
from services.proxy.admission.admission import Admission, AdmissionCallback
from services.proxy.errors import MalformedRequest
from services.proxy.exchange.context import ProxyContext
from services.proxy.exchange.deadlines import Limits
from services.proxy.exchange.drain import DrainLimits, Drains
from services.proxy.exchange.exchange import TRANSITIONS, Exchange, State
from services.proxy.exchange.paced_work import PacedWork
from services.proxy.exchange.recorder import EventRecorder, Request
from services.proxy.exchange.request_ids import RequestIds
from services.stores.clock import SystemClock
from services.telemetry.metrics import Metrics
from tests.builders.records import ORGANIZATION, TIMESTAMP
from tests.servers.proxy_rig import an_attribution

OWNER = KeyOwner(organization_id=ORGANIZATION, key_id="key-1")
STREAM = [(b"Content-Type", b"text/event-stream")]
MEMORY_BYTES = 40  # for two bodies of the largest kind, not for three chunks more
state_of: Any = vars(Exchange)["state"]


class CheckedExchange(Exchange):
    """Allows what the table of transitions does."""

    __slots__ = ()

    @property
    def state(self) -> State:
        return State(state_of.__get__(self))

    @state.setter
    def state(self, new: State) -> None:
        old = stored_state(self)
        assert old is None or new in TRANSITIONS[old], f"{old!r} -> {new!r}"
        state_of.__set__(self, new)


def stored_state(exchange: Exchange) -> State | None:
    """None before it has a state."""
    try:
        return State(state_of.__get__(exchange))
    except AttributeError:
        return None


class Gate:
    """Calls back when the test says so."""

    by_header = False
    callback: AdmissionCallback | None = None

    def check(self, request: Request, owner: KeyOwner | None, callback: AdmissionCallback) -> None:  # noqa: ARG002
        self.callback = callback


class Client:
    """A Downstream that gets one response, in the right order, and nothing behind its end."""

    def __init__(self) -> None:
        self.heads = 0
        self.over = False

    def close_after(self) -> None:
        assert not self.heads

    def change_protocol(self, headers: Headers, stop: Callable[[], None]) -> bool:
        raise NotImplementedError

    def send_head(self, status: int, reason: bytes, headers: Headers, body_bytes: int | None) -> None:  # noqa: ARG002
        assert not self.over
        self.heads += 1
        assert self.heads == 1

    def send_chunk(self, chunk: bytes) -> None:  # noqa: ARG002
        assert self.heads
        assert not self.over

    def flush(self) -> None:
        assert not self.over

    def finish(self) -> None:
        assert self.heads
        assert not self.over
        self.over = True

    def cut(self) -> None:
        assert not self.over
        self.over = True

    def proceed(self) -> None: ...

    def pause_request(self) -> None: ...

    def resume_request(self) -> None: ...


class Provider:
    """The Upstream of one call, and that call."""

    receiver: ResponseReceiver | None = None  # while the call is open
    waited_s = 0.0

    def __init__(self) -> None:
        self.calls = 0
        self.begun = False
        self.finished = False
        self.headed = False

    def call(self, origin: Origin, receiver: ResponseReceiver) -> "Provider":  # noqa: ARG002
        self.receiver = receiver
        self.calls += 1
        return self

    def sweep(self) -> None: ...

    async def close(self) -> None: ...

    def send_head(self, method: bytes, target: bytes, headers: Headers, body_bytes: int | None) -> None: ...

    def send_chunk(self, chunk: bytes) -> None:  # noqa: ARG002
        assert not self.finished

    def finish(self) -> None:
        assert not self.finished
        self.finished = True

    def flush(self) -> None:
        assert self.receiver is not None
        self.begun = True

    def pause_response(self) -> None:
        assert self.receiver is not None

    def resume_response(self) -> None:
        assert self.receiver is not None

    def hand_over(self, receiver: ResponseReceiver) -> None:
        self.receiver = receiver

    def abort(self) -> None:
        self.receiver = None


class Sink:
    """An EventSink whose events become durable, or are lost, when the test says so."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.durable: asyncio.Future[None] | None = None
        self.events: list[ExchangeEvent] = []

    def publish(self, event: ExchangeEvent) -> Awaitable[None]:
        self.events.append(event)
        self.durable = self.loop.create_future()
        return self.durable

    async def close(self) -> None: ...


class Life(RuleBasedStateMachine):
    @initialize(
        chat=st.booleans(),
        strict=st.booleans(),
        drains=st.booleans(),
        memory=st.sampled_from([5, MEMORY_BYTES]),
        calm=st.integers(0, 12),
        admitted=st.booleans(),
    )
    def arrives(self, chat: bool, strict: bool, drains: bool, memory: int, calm: int, admitted: bool) -> None:
        """`calm` steps pass before anything breaks off, or else few exchanges would come far."""
        self.calm = calm
        metrics = Metrics()
        self.gate, self.client, self.provider, self.sink = Gate(), Client(), Provider(), Sink()
        self.memory, self.all_memory = CaptureSpace(memory), memory
        self.owned = self.connected = True
        self.complete = False
        recorder = EventRecorder(
            sink=self.sink,
            metrics=metrics,
            draw_id=RequestIds(bytes).draw,
            attribution=an_attribution(),
            capture_bytes=10_000,
            capture_total_bytes=10_000,
        )
        limits = DrainLimits(timeout_s=1, max_bytes=10_000, max_drains=1)
        context = ProxyContext(
            upstream=self.provider,
            admission=Admission([self.gate]),
            recorder=recorder,
            metrics=metrics,
            drains=Drains(recorder=recorder, metrics=metrics, limits=limits, by_default=drains),
            buffer_memory=self.memory,
            realtime_memory=CaptureSpace(10_000),
            paced=PacedWork(),
            clock=SystemClock(),
            strict=strict,
            limits=Limits(max_body_bytes=30, first_byte_timeout_s=1, idle_timeout_s=1, total_timeout_s=1e9),
        )
        target = Routes({"OPENAI": origin_of("http://provider")}).resolve(
            b"/oai/v1/chat/completions" if chat else b"/oai/v1/x"
        )
        assert target is not None
        head = parse_head([(b"Helicone-Auth", b"Bearer k"), (b"Content-Length", b"30")])
        request = Request(method=b"POST", target=target, head=head, created_at=TIMESTAMP, began_s=monotonic())
        self.exchange = CheckedExchange(context, self.client, request)
        if admitted:
            self.begins()
            self.gate_responses(OWNER)

    def teardown(self) -> None:
        if hasattr(self, "sink"):
            self.sink.loop.close()

    # The client

    @precondition(lambda self: self.exchange.state is State.QUEUED)
    @rule()
    def begins(self) -> None:
        self.exchange.begin()

    @precondition(lambda self: self.connected and not self.complete)
    @rule(body=st.sampled_from([b"{", b'{"stream":true}']))
    def sends_body(self, body: bytes) -> None:
        self.exchange.body(body)
        self.exchange.request_flush()

    @precondition(lambda self: self.connected and not self.complete)
    @rule()
    def ends_request(self) -> None:
        self.complete = True
        self.exchange.request_end()
        self.exchange.request_flush()

    @precondition(lambda self: self.connected)
    @rule(slow=st.booleans())
    def reads(self, slow: bool) -> None:
        if slow:
            self.exchange.client_slow()
        else:
            self.exchange.client_ready()

    # What breaks off, from either side

    @precondition(lambda self: not self.calm and self.connected and self.exchange.state is not State.QUEUED)
    @rule(broken=st.booleans())
    def breaks_off(self, broken: bool) -> None:
        if broken and not self.complete:
            self.complete = True
            self.exchange.request_broken(MalformedRequest("broken"))
        else:
            self.connected = False
            self.exchange.client_disconnected()

    @precondition(lambda self: not self.calm and self.exchange.state is not State.QUEUED)
    @rule(stops=st.booleans())
    def is_given_up(self, stops: bool) -> None:
        if stops:
            self.exchange.stop()
        else:
            self.exchange.check(monotonic() + 100)

    @precondition(lambda self: not self.calm and self.provider.receiver is not None)
    @rule()
    def fails(self) -> None:
        receiver, self.provider.receiver = self.provider.receiver, None
        assert receiver is not None
        receiver.upstream_failed(UpstreamUnavailable("failed"))

    # The proxy

    @precondition(lambda self: self.gate.callback is not None)
    @rule(result=st.sampled_from([OWNER] * 6 + [None, Unauthenticated("no")]))
    def gate_responses(self, result: Any) -> None:
        callback, self.gate.callback = self.gate.callback, None
        assert callback is not None
        self.owned = result is OWNER and self.exchange.state is State.ADMISSION
        callback(result)

    @precondition(lambda self: self.sink.durable is not None and not self.sink.durable.done())
    @rule(lost=st.booleans())
    def settles(self, lost: bool) -> None:
        assert self.sink.durable is not None
        if lost:
            self.sink.durable.set_exception(BrokerUnavailable("lost"))
            self.sink.durable.exception()
        else:
            self.sink.durable.set_result(None)
        self.sink.loop.run_until_complete(asyncio.sleep(0))

    # The provider

    @precondition(lambda self: self.provider.receiver is not None and not self.provider.headed)
    @rule(status=st.sampled_from([200, 200, 429]))
    def responds(self, status: int) -> None:
        self.provider.headed = True
        assert self.provider.receiver is not None
        self.provider.receiver.response_head(status, b"", STREAM)

    @precondition(lambda self: self.provider.receiver is not None and self.provider.headed)
    @rule(chunk=st.sampled_from([b"data: 1\n\n", b"data: [DONE]\n\n", b"da"]))
    def sends_response(self, chunk: bytes) -> None:
        assert self.provider.receiver is not None
        self.provider.receiver.response_chunk(chunk)
        if self.provider.receiver is not None:
            self.provider.receiver.response_flush()

    @precondition(lambda self: self.provider.receiver is not None and self.provider.headed)
    @rule()
    def ends_response(self) -> None:
        receiver, self.provider.receiver = self.provider.receiver, None
        assert receiver is not None
        receiver.response_end()

    @precondition(lambda self: self.provider.receiver is not None)
    @rule(slow=st.booleans())
    def takes_request(self, slow: bool) -> None:
        assert self.provider.receiver is not None
        if slow:
            self.provider.receiver.upstream_slow()
        else:
            self.provider.receiver.upstream_ready()

    # What is always true

    @invariant()
    def time_passes(self) -> None:
        self.calm = max(0, self.calm - 1)

    @invariant()
    def a_call_is_open_exactly_while_the_exchange_is_with_its_provider(self) -> None:
        assert self.provider.calls <= 1
        is_open = self.provider.receiver is self.exchange
        assert is_open == (self.exchange.state in (State.SENDING, State.RESPONDING))

    @invariant()
    def the_client_has_its_end_exactly_when_the_exchange_has(self) -> None:
        if self.connected:
            assert self.client.over == (self.exchange.state is State.ENDED)

    @invariant()
    def an_exchange_with_a_key_has_one_event_once_it_is_over(self) -> None:
        state, passed = self.exchange.state, self.gate.callback is None and self.exchange.state is not State.QUEUED
        if state < State.HOLDING or not passed or not self.owned:
            assert not self.sink.events
        elif self.provider.receiver is None:
            assert len(self.sink.events) == 1
        else:
            assert len(self.sink.events) <= 1  # of a drain, it comes at its end

    @invariant()
    def memory_is_reserved_for_live_exchanges_only(self) -> None:
        if self.exchange.state is State.ENDED:
            assert self.memory.free_bytes == self.all_memory


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=200, stateful_step_count=25, deadline=None)


def test_every_state_is_reached_and_left_as_the_table_says() -> None:
    assert set(TRANSITIONS) == set(State)
    assert {after for afters in TRANSITIONS.values() for after in afters} == set(State) - {State.QUEUED}
