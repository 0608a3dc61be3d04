"""Captures: what is captured of an exchange, and that it becomes one event."""

import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.event import Outcome, ProviderAccount, RequestTags
from services.domain.exchange.capture import Capture
from services.domain.exchange.captured_body import MAX_LOOSE, CapturedBody, CaptureSpace
from services.domain.exchange.headers import parse_head
from services.domain.exchange.routes import Routes, origin_of
from tests.builders.records import ORGANIZATION, REQUEST_ID


def a_capture(*, limit: int = 1000, space: CaptureSpace | None = None) -> Capture:
    target = Routes({"OPENAI": origin_of("https://api.openai.com")}).resolve(b"/oai/v1/embeddings?key=secret")
    assert target is not None
    return Capture(
        organization_id=ORGANIZATION,
        key_id="key-1",
        request_id=REQUEST_ID,
        created_at=datetime(2026, 11, 1, 12, 0, 0, 123_999, tzinfo=UTC),
        began_s=10.0,
        method=b"POST",
        target=target,
        head=parse_head([(b"Content-Type", b"application/json"), (b"Content-Encoding", b"gzip")]),
        tags=RequestTags(user_id="u"),
        account=ProviderAccount(organization="org-asked"),
        proxy_id="proxy-1",
        limit=limit,
        space=space or CaptureSpace(10_000),
    )


def test_a_finished_capture_is_one_event() -> None:
    capture = a_capture()
    capture.body.add(b"ask")
    capture.response_head(200, {b"content-type": b"text/event-stream", b"content-encoding": b"br"})
    capture.response_began(10.25)
    capture.response.add(b"an")
    capture.response.add(b"swer")
    event = capture.finish(Outcome.COMPLETED, 11.5)
    request, response = event.request, event.response
    assert request.created_at == datetime(2026, 11, 1, 12, 0, 0, 123_000, tzinfo=UTC)
    assert request.target_url == "https://api.openai.com/v1/embeddings"
    assert (request.body, request.body_bytes, request.content_type, request.content_encoding) == (
        *(b"ask", 3, "application/json", "gzip"),
    )
    assert (response.body, response.body_bytes, response.content_type, response.content_encoding) == (
        *(b"answer", 6, "text/event-stream", "br"),
    )
    assert (response.status, response.latency_ms, response.first_byte_ms) == (200, 1500, 250)
    assert event.recorded_at == request.created_at + timedelta(seconds=1.5)


def test_a_capture_finishes_once() -> None:
    capture = a_capture()
    capture.finish(Outcome.CLIENT_DISCONNECTED, 10.0)
    with pytest.raises(AssertionError, match="one event"):
        capture.finish(Outcome.COMPLETED, 10.0)


def test_without_a_response_there_is_no_status_and_no_first_byte() -> None:
    response = a_capture().finish(Outcome.TIMED_OUT, 15.0).response
    assert (response.status, response.first_byte_ms, response.latency_ms, response.body) == (None, None, 5000, b"")


@pytest.mark.parametrize(
    ("framing", "size", "readable"),
    [({}, 1001, True), ({b"content-encoding": b"gzip"}, 1000, True), ({b"content-encoding": b"gzip"}, 100_000, False)],
)
def test_the_end_of_a_compressed_response_above_the_limit_is_not_readable(
    framing: dict[bytes, bytes], size: int, readable: bool
) -> None:
    capture = a_capture(limit=1000, space=CaptureSpace(300_000))
    capture.response_head(200, framing)
    capture.response.add(bytes(size))
    assert capture.has_readable_end == readable


def test_space_is_given_back_when_a_capture_finishes() -> None:
    space = CaptureSpace(100)
    capture = a_capture(space=space)
    capture.body.add(b"x" * 60)
    capture.response.add(b"x" * 30)
    assert space.free_bytes == 10
    capture.finish(Outcome.COMPLETED, 11.0)
    assert space.free_bytes == 100


@given(
    chunks=st.lists(st.binary(max_size=30), max_size=12),
    limit=st.integers(0, 60),
    total=st.integers(0, 200),
    tail_bytes=st.integers(0, 20),
)
@settings(max_examples=500, deadline=None)
def test_a_body_is_captured_up_to_its_limit_or_not_at_all_and_so_is_its_end(
    chunks: list[bytes], limit: int, total: int, tail_bytes: int
) -> None:
    space = CaptureSpace(total)
    body = CapturedBody(limit, space, tail_bytes)
    for chunk in chunks:
        body.add(chunk)
        assert 0 <= space.free_bytes <= total
    whole = b"".join(chunks)
    has_end = body.tail_bytes > 0 and not body.dropped
    assert body.body_bytes == len(whole)
    beginning, end = body.take()
    assert beginning == (b"" if body.dropped else whole[:limit])
    assert end == (whole[max(limit, len(whole) - tail_bytes) :] if has_end else b"")
    assert space.free_bytes == total
    assert body.dropped == (min(len(whole), limit) > total)
    if total >= limit + 2 * tail_bytes + 30:
        assert body.tail_bytes == tail_bytes
    assert body.truncated == (len(whole) > limit + body.tail_bytes)


def test_what_is_held_of_a_large_body_is_bounded_however_large_it_is() -> None:
    space = CaptureSpace(10_000)
    body = CapturedBody(1000, space, 100)
    for _ in range(10_000):
        body.add(b"0123456789")
        assert space.free_bytes >= 10_000 - 1000 - 200
    assert body.take() == (b"0123456789" * 100, b"0123456789" * 10)


def test_a_body_in_tiny_chunks_takes_little_more_memory_than_it_has_bytes() -> None:
    body = CapturedBody(10**6, CaptureSpace(10**6))
    tracemalloc.start()
    for number in range(100_000):
        body.add(b"%02d" % (number % 100))
    held_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert body.body_bytes == 200_000
    assert held_bytes < 1.5 * body.body_bytes


@pytest.mark.parametrize("chunks", [MAX_LOOSE, MAX_LOOSE + 1, MAX_LOOSE + 2, 5 * MAX_LOOSE])
@pytest.mark.parametrize("space_bytes", [10_000, 1000])
def test_a_body_in_many_chunks_is_whole(chunks: int, space_bytes: int) -> None:
    space = CaptureSpace(space_bytes)
    body = CapturedBody(10_000, space)
    for number in range(chunks):
        body.add(b"%04d" % number)
    whole = b"".join(b"%04d" % number for number in range(chunks))
    assert body.take() == (whole if len(whole) <= space_bytes else b"", b"")
    assert space.free_bytes == space_bytes


def test_the_end_of_a_body_gives_way_where_there_is_no_space_for_it() -> None:
    space = CaptureSpace(100)
    body = CapturedBody(90, space, 50)
    body.add(b"x" * 200)
    assert (space.free_bytes, body.dropped, body.truncated) == (10, False, True)
    assert body.take() == (b"x" * 90, b"")
