"""Frames of a WebSocket that is passed on: however they are cut, what matters is seen and what is invalid is found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.exchange.captured_body import CaptureSpace
from services.domain.realtime.frames import PEEK_BYTES, FrameReader, InvalidFrame, close_frame, ping_frame
from tests.servers.web_socket import BINARY, CLOSE, CONTINUATION, PING, TEXT, frame

SPACE_BYTES = 10 * 2**20


class Seen:
    """An Observer of all messages that begin with a y."""

    def __init__(self) -> None:
        self.starts: list[bytes] = []
        self.messages: list[bytes] = []
        self.left_out_count = 0

    def wants(self, start: bytes) -> bool:
        self.starts.append(start)
        return start.startswith(b"y")

    def message(self, message: bytes) -> None:
        self.messages.append(message)

    def left_out(self) -> None:
        self.left_out_count += 1


def reader(seen: Seen, *, masked: bool = True, space: CaptureSpace | None = None) -> FrameReader:
    return FrameReader(seen, masked=masked, max_message_bytes=8 * 2**20, space=space or CaptureSpace(SPACE_BYTES))


@given(
    payloads=st.lists(st.binary(max_size=3 * PEEK_BYTES), max_size=4),
    cuts=st.lists(st.integers(1, 700), min_size=1, max_size=20),
    pieces=st.integers(1, 3),
    mask=st.sampled_from([b"", b"abcd", b"\x00\xff\x01\x80"]),
)
def test_however_a_stream_is_cut_the_wanted_messages_are_seen_whole(
    payloads: list[bytes], cuts: list[int], pieces: int, mask: bytes
) -> None:
    messages = [b"y" + payload for payload in payloads]
    stream = b""
    for message in messages:
        size = len(message) // pieces + 1
        parts = [message[start : start + size] for start in range(0, len(message), size)]
        for number, part in enumerate(parts):
            opcode, final = (TEXT if number == 0 else CONTINUATION), number == len(parts) - 1
            stream += frame(opcode, part, final=final, mask=mask) + frame(PING, b"?", mask=mask)
        stream += frame(TEXT, b"not this", mask=mask) + frame(BINARY, b"y", mask=mask)
    stream += frame(CLOSE, b"\x03\xe8", mask=mask)
    seen, space = Seen(), CaptureSpace(SPACE_BYTES)
    followed = reader(seen, masked=bool(mask), space=space)
    position, number = 0, 0
    while position < len(stream):
        followed.feed(stream[position : position + cuts[number % len(cuts)]])
        position += cuts[number % len(cuts)]
        number += 1
    assert seen.messages == messages
    assert all(len(start) <= PEEK_BYTES for start in seen.starts)
    assert (followed.closed, followed.at_boundary, space.free_bytes) == (True, True, SPACE_BYTES)


INVALID: dict[str, tuple[bytes, int]] = {
    "an unmasked frame of a client": (frame(TEXT, b"hi"), 1002),
    "an opcode that is none": (frame(3, b"", mask=b"abcd"), 1002),
    "a control opcode that is none": (frame(11, b"", mask=b"abcd"), 1002),
    "an extension that was not agreed on": (frame(TEXT, b"", mask=b"abcd", first_bits=0x40), 1002),
    "a long ping": (frame(PING, b"x" * 126, mask=b"abcd"), 1002),
    "a ping in pieces": (frame(PING, b"x", final=False, mask=b"abcd"), 1002),
    "half a close code": (frame(CLOSE, b"\x03", mask=b"abcd"), 1002),
    "a message that goes on without a beginning": (frame(CONTINUATION, b"x", mask=b"abcd"), 1002),
    "a message within a message": (frame(TEXT, b"x", final=False, mask=b"abcd") * 2, 1002),
    "an impossible length": (b"\x81\xff" + b"\xff" * 8 + b"abcd", 1002),
    "too large a frame": (b"\x82\xff" + (9 * 2**20).to_bytes(8) + b"abcd", 1009),
    "too large a message": (
        frame(BINARY, bytes(5 * 2**20), final=False, mask=bytes(4))
        + frame(CONTINUATION, bytes(4 * 2**20), final=False, mask=bytes(4)),
        1009,
    ),
}


@pytest.mark.parametrize("name", INVALID)
def test_what_is_invalid_is_found_with_its_code(name: str) -> None:
    stream, code = INVALID[name]
    with pytest.raises(InvalidFrame) as found:
        reader(Seen()).feed(stream)
    assert found.value.code == code


def test_a_message_that_is_not_wanted_is_not_kept_and_one_without_memory_is_left_out() -> None:
    seen, space = Seen(), CaptureSpace(1000)
    followed = reader(seen, masked=False, space=space)
    followed.feed(frame(TEXT, b"n" * 500_000, final=False))
    assert space.free_bytes == 1000
    followed.feed(frame(CONTINUATION, b"n") + frame(TEXT, b"y" * 5000) + frame(TEXT, b"y"))
    assert (seen.messages, seen.left_out_count, space.free_bytes) == ([b"y"], 1, 1000)


def test_memory_of_half_a_message_is_given_back_at_the_end() -> None:
    space = CaptureSpace(SPACE_BYTES)
    followed = reader(Seen(), masked=False, space=space)
    followed.feed(frame(TEXT, b"y" * 5000, final=False))
    assert space.free_bytes < SPACE_BYTES
    followed.release()
    assert space.free_bytes == SPACE_BYTES


def test_own_frames_are_as_those_of_each_side_have_to_be() -> None:
    for masked, frames in (
        (False, [ping_frame(), close_frame(1001, "x" * 200)]),
        (True, [close_frame(1002, "", b"abcd")]),
    ):
        followed = reader(Seen(), masked=masked)
        for one in frames:
            followed.feed(one)
        assert followed.closed
    assert close_frame(1001, "bye") == b"\x88\x05\x03\xe9bye"
