"""The first-byte timeout as a decorator: it ends what is awaited too long, and is out of the way otherwise."""

import pytest

from schemas.errors import UpstreamTimedOut, UpstreamUnavailable
from schemas.origin import Origin
from services.domain.exchange.routes import origin_of
from services.ports.upstream import Headers, ResponseReceiver
from services.proxy.upstream import first_byte_timeout as timeouts
from services.proxy.upstream.first_byte_timeout import FirstByteTimeout, TimedCall

ORIGIN = origin_of("http://provider")
Record = list[tuple[object, ...]]


class Next:
    """The upstream behind the decorator, its one call, and a record of what was called."""

    receiver: ResponseReceiver
    waited_s = 0.0

    def __init__(self) -> None:
        self.record: Record = []
        self.begun = True
        self.sweeps = 0

    def call(self, origin: Origin, receiver: ResponseReceiver) -> "Next":  # noqa: ARG002
        self.receiver = receiver
        return self

    def sweep(self) -> None:
        self.sweeps += 1

    async def close(self) -> None: ...

    def send_head(self, method: bytes, target: bytes, headers: Headers, body_bytes: int | None) -> None:
        self.record.append(("send_head", method, target, headers, body_bytes))

    def send_chunk(self, chunk: bytes) -> None:
        self.record.append(("send_chunk", chunk))

    def finish(self) -> None:
        self.record.append(("finish",))

    def flush(self) -> None:
        self.record.append(("flush",))

    def pause_response(self) -> None:
        self.record.append(("pause_response",))

    def resume_response(self) -> None:
        self.record.append(("resume_response",))

    def hand_over(self, receiver: ResponseReceiver) -> None:
        self.receiver = receiver

    def abort(self) -> None:
        self.record.append(("abort",))


class Receiver:
    """Whoever sent the request."""

    def __init__(self) -> None:
        self.record: Record = []

    def response_head(self, status: int, reason: bytes, headers: Headers) -> None:
        self.record.append(("head", status, reason, headers))

    def response_chunk(self, chunk: bytes) -> None:
        self.record.append(("chunk", chunk))

    def response_end(self) -> None:
        self.record.append(("end",))

    def response_flush(self) -> None:
        self.record.append(("flush",))

    def upstream_failed(self, error: UpstreamUnavailable) -> None:
        self.record.append(("failed", type(error)))

    def upstream_slow(self) -> None:
        self.record.append(("slow",))

    def upstream_ready(self) -> None:
        self.record.append(("ready",))


class Rig:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        monkeypatch.setattr(timeouts, "monotonic", lambda: self.now_s)
        self.next, self.receiver = Next(), Receiver()
        self.upstream = FirstByteTimeout(self.next, timeout_s=10)
        self.call = self.upstream.call(ORIGIN, self.receiver)

    def rest(self, seconds: float) -> Record:
        """What the receiver gets while nothing happens for so long."""
        self.receiver.record.clear()
        self.now_s += seconds
        self.upstream.sweep()
        return self.receiver.record


@pytest.fixture
def one(monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(monkeypatch)


TIMED_OUT: Record = [("failed", UpstreamTimedOut)]


def test_a_response_that_does_not_begin_in_time_fails_and_its_call_is_aborted_once(one: Rig) -> None:
    one.call.finish()
    assert one.rest(9) == []
    assert one.rest(2) == TIMED_OUT
    assert one.rest(20) == []
    assert one.next.record.count(("abort",)) == 1
    assert one.next.sweeps == 3


def test_a_request_that_is_not_whole_is_not_timed(one: Rig) -> None:
    one.call.send_chunk(b"half")
    one.call.resume_response()
    one.next.receiver.upstream_ready()
    assert one.rest(1000) == []


@pytest.mark.parametrize("held_up_by", ["client", "provider"])
def test_what_holds_up_the_request_restarts_the_clock(one: Rig, held_up_by: str) -> None:
    one.call.finish()
    one.now_s += 8
    if held_up_by == "client":
        one.call.resume_response()
    else:
        one.next.receiver.upstream_ready()
    assert one.rest(8) == []
    assert one.rest(3) == TIMED_OUT


@pytest.mark.parametrize("finished", [True, False])
def test_a_response_that_has_begun_has_all_the_time_and_passes_by_the_decorator(one: Rig, finished: bool) -> None:
    if finished:
        one.call.finish()
    one.next.receiver.response_head(200, b"OK", [])
    assert one.receiver.record == [("head", 200, b"OK", [])]
    assert one.next.receiver is one.receiver
    if not finished:
        one.call.finish()
    assert one.rest(1000) == []


def test_a_call_that_was_aborted_handed_over_or_has_failed_is_not_timed(one: Rig) -> None:
    def fail(call: TimedCall) -> None:
        call.upstream_failed(UpstreamUnavailable("broken"))

    for end in (TimedCall.abort, lambda call: call.hand_over(Receiver()), fail):
        call = one.upstream.call(ORIGIN, one.receiver)
        call.finish()
        end(call)
        assert one.rest(1000) == []


def test_what_the_exchange_calls_arrives_behind_the_decorator_in_order(one: Rig) -> None:
    one.call.send_head(b"POST", b"/x", [(b"A", b"b")], 3)
    one.call.send_chunk(b"ask")
    one.call.pause_response()
    one.call.finish()
    one.call.flush()
    expected = [("send_head", b"POST", b"/x", [(b"A", b"b")], 3), ("send_chunk", b"ask"), ("pause_response",)]
    assert one.next.record == [*expected, ("finish",), ("flush",)]
    assert one.call.begun
