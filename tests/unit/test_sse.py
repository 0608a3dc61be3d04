"""Bytes -> server-sent events."""

import pytest

from services.domain.exchange.sse import events_of, json_lines, looks_like_events


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: one\n\ndata: two\n\n", [b"one", b"two"]),
        (b"data: one\r\n\r\ndata: two\r\n\r\n", [b"one", b"two"]),
        (b"data: one\r\rdata: two\r\r", [b"one", b"two"]),
        (b"data: one\r\n\ndata: two\n\r\n", [b"one", b"two"]),
        (b"data:one\n\n", [b"one"]),
        (b"data:  one\n\n", [b" one"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data\n\n", [b""]),
        (b"\xef\xbb\xbfdata: one\n\n", [b"one"]),
        (b": a comment\n\ndata: one\n\n", [b"one"]),
        (b": OPENROUTER PROCESSING\ndata: one\n\n", [b"one"]),
        (b"event: ping\nid: 7\nretry: 10\ndata: one\n\n", [b"one"]),
        (b"event: nothing\n\n", []),
        (b"\n\n\n\ndata: one\n\n\n\n", [b"one"]),
        (b"data: cut off", [b"cut off"]),
        (b"", []),
    ],
)
def test_an_event_stream_is_parsed_as_the_standard_says(stream: bytes, events: list[bytes]) -> None:
    assert events_of(stream) == events


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"data: {}\n\n", True),
        (b"event: message_start\ndata: {}\n\n", True),
        (b": comment\n\n", True),
        (b"\xef\xbb\xbfdata: {}\n\n", True),
        (b"\n\ndata: {}\n\n", True),
        (b'{"data": 1}', False),
        (b"<html>data: x</html>", False),
        (b"", False),
    ],
)
def test_an_event_stream_is_known_by_its_beginning(body: bytes, expected: bool) -> None:
    assert looks_like_events(body) is expected


def test_objects_on_lines_of_their_own_are_a_stream_too() -> None:
    assert json_lines(b'{"a":1}\n\n{"b":2}\r\n[3]\n') == [b'{"a":1}', b'{"b":2}']
