"""Cutting a byte stream elsewhere changes neither its events nor its usage; nor does compressing it."""

import gzip
import re
import zlib
from collections.abc import Sequence
from itertools import pairwise

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.event import Outcome
from schemas.price import CostState
from schemas.usage import USAGE_CLASSES, UsageSource
from services.domain.enrich import to_record
from services.domain.exchange.captured_body import CapturedBody, CaptureSpace
from services.domain.exchange.decompress import MAX_BYTES, MAX_MEMBERS, decompressed
from services.domain.exchange.sse import events_of, looks_like_events
from services.domain.usage.parse import parse_response
from services.zstd import zstd
from tests.golden.cases import GOLDEN_CASES, GoldenCase

streams = st.lists(
    st.sampled_from(
        [
            b"data: one",
            b"data:{}",
            b"data",
            b"event: x",
            b": no",
            b"",
            b"\xef\xbb\xbf",
            b"\n",
            b"\r",
            b"\r\n",
            b"\n\n",
            b" ",
        ]
    ),
    max_size=20,
).map(b"".join)

STREAMED = [case for case in GOLDEN_CASES if case.streamed]
EVENT_STREAMS = [case for case in STREAMED if looks_like_events(case.body)]
# What they put out is no text, or comes with its usage in a single event: cut off, there is nothing to estimate from.
WORDLESS = (
    "openai_image_stream",
    "openai_image_edit_stream",
    "openai_speech_stream",
    "openai_realtime_transcription",
    "openai_realtime_transcription_by_duration",
)
WRITERS = {
    "gzip": gzip.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
    "deflate": zlib.compress,
}


def _line_by_line(stream: bytes) -> list[bytes]:
    """The events as the standard's own steps find them; a last one may lack its blank line."""
    events: list[bytes] = []
    data: list[bytes] = []
    for line in [*re.split(rb"\r\n|\n|\r", stream.removeprefix(b"\xef\xbb\xbf")), b""]:
        if line == b"data" or line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line and data:
            events.append(b"\n".join(data))
            data = []
    return events


@given(streams)
def test_the_events_of_a_stream_are_those_that_the_standard_finds_in_it(stream: bytes) -> None:
    assert events_of(stream) == _line_by_line(stream)


@pytest.mark.parametrize("case", EVENT_STREAMS, ids=lambda case: case.name)
def test_the_events_of_a_real_stream_are_those_that_the_standard_finds_in_it(case: GoldenCase) -> None:
    assert events_of(case.body) == _line_by_line(case.body) != []


def _captured(stream: bytes, places: Sequence[int], *, limit: int, tail: int) -> tuple[bytes, bytes]:
    """What is kept of a stream that comes in the pieces between `places`."""
    space = CaptureSpace(2**30)
    body = CapturedBody(limit, space, tail)
    for start, end in pairwise([0, *places, len(stream)]):
        body.add(stream[start:end])
    kept = body.take()
    assert space.free_bytes == 2**30
    return kept


@given(
    st.binary(max_size=100),
    st.lists(st.integers(0, 100), max_size=12),
    st.integers(0, 60),
    st.integers(0, 20),
)
def test_cutting_a_stream_anywhere_keeps_the_same_of_it(stream: bytes, cuts: list[int], limit: int, tail: int) -> None:
    places = sorted(cut % (len(stream) + 1) for cut in cuts)
    rest = stream[limit:]
    assert _captured(stream, places, limit=limit, tail=tail) == (stream[:limit], rest[max(0, len(rest) - tail) :])


@pytest.mark.parametrize("case", STREAMED, ids=lambda case: case.name)
@pytest.mark.parametrize("piece_bytes", [1, 7, 1400])
def test_a_real_stream_says_the_same_however_its_bytes_came(case: GoldenCase, piece_bytes: int) -> None:
    kept, rest = _captured(case.body, range(piece_bytes, len(case.body), piece_bytes), limit=2**20, tail=64)
    assert (kept, rest) == (case.body, b"")
    assert parse_response(kept, case.provider) == parse_response(case.body, case.provider)


@pytest.mark.parametrize("case", STREAMED, ids=lambda case: case.name)
def test_a_stream_that_ends_at_any_byte_says_what_it_said_whole_or_that_it_does_not_know(case: GoldenCase) -> None:
    whole = parse_response(case.body, case.provider)
    for cut in range(len(case.body)):
        ended = parse_response(case.body[:cut], case.provider)
        assert not ended.final or ended.usage in (None, whole.usage)


@pytest.mark.parametrize("case", STREAMED, ids=lambda case: case.name)
@pytest.mark.parametrize("outcome", [Outcome.UPSTREAM_ERROR, Outcome.CLIENT_DISCONNECTED, Outcome.TIMED_OUT])
def test_a_stream_that_breaks_off_at_any_byte_is_charged_in_full_or_estimated_and_never_nothing(
    case: GoldenCase, outcome: Outcome
) -> None:
    prices = case.price_book()
    sources = set()
    for cut in range(0, len(case.body), 1 if outcome is Outcome.UPSTREAM_ERROR else 7):
        row = to_record(case.event(response_body=case.body[:cut], outcome=outcome), prices)[0]
        used = sum(getattr(row, name) for name in USAGE_CLASSES)
        sources.add(row.usage_source)
        match row.usage_source:
            case UsageSource.PROVIDER:
                assert (row.cost_usd, row.cost_state) == (case.charged_usd, case.state)
            case UsageSource.ESTIMATED:
                assert (row.cost_usd, row.cost_state, used > 0) == (None, CostState.PARTIAL, True)
            case _:
                assert (row.cost_usd, row.cost_state, used) == (None, CostState.NO_USAGE, 0)
    assert (UsageSource.ESTIMATED in sources) == (case.name not in WORDLESS)


@pytest.mark.parametrize("case", STREAMED, ids=lambda case: case.name)
@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
def test_a_compressed_stream_that_breaks_off_is_charged_in_full_or_not_known(case: GoldenCase, encoding: str) -> None:
    prices, packed = case.price_book(), WRITERS[encoding](case.body)
    for cut in range(0, len(packed), 29):
        event = case.event(response_body=packed[:cut], content_encoding=encoding, outcome=Outcome.UPSTREAM_ERROR)
        row = to_record(event, prices)[0]
        expected = case.cost_usd if row.usage_source is UsageSource.PROVIDER else None
        assert row.cost_usd == expected


@pytest.mark.parametrize("case", STREAMED, ids=lambda case: case.name)
def test_line_ends_do_not_change_the_usage(case: GoldenCase) -> None:
    lines = case.body.replace(b"\r\n", b"\n")
    for end in (b"\n", b"\r", b"\r\n"):
        assert parse_response(lines.replace(b"\n", end), case.provider) == parse_response(case.body, case.provider)


@pytest.mark.parametrize("encoding", WRITERS)
@given(body=st.binary(max_size=2000))
def test_what_was_compressed_is_read_as_it_was(encoding: str, body: bytes) -> None:
    assert decompressed(WRITERS[encoding](body), encoding) in ((body,) if body else (b"", None))


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd", "br"])
@given(data=st.data())
def test_a_compressed_body_that_was_cut_gives_a_prefix(encoding: str, data: st.DataObject) -> None:
    body = data.draw(st.binary(min_size=500, max_size=4000))
    packed = WRITERS[encoding](body)
    cut = data.draw(st.integers(0, len(packed)))
    assert body.startswith(decompressed(packed[:cut], encoding) or b"")


@pytest.mark.parametrize("encoding", [*WRITERS, "gzip, br", "identity", "zstd,unknown"])
@given(body=st.binary(max_size=300))
def test_bytes_that_were_never_compressed_break_nothing(encoding: str, body: bytes) -> None:
    assert decompressed(body, encoding) is None or isinstance(decompressed(body, encoding), bytes)


@pytest.mark.parametrize("encoding", WRITERS)
def test_a_small_body_cannot_become_a_huge_one(encoding: str) -> None:
    bomb = WRITERS[encoding](bytes(MAX_BYTES + 1))
    unpacked = decompressed(bomb, encoding)
    assert unpacked is not None
    assert len(unpacked) <= max(2**20, 100 * len(bomb), 0)
    assert len(unpacked) <= MAX_BYTES


def test_encodings_are_undone_in_reverse_order() -> None:
    assert decompressed(brotli.compress(gzip.compress(b"twice")), "gzip, br") == b"twice"


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_members_and_frames_that_follow_one_another_are_all_read(encoding: str) -> None:
    pack = WRITERS[encoding]
    assert decompressed(pack(b"one ") + pack(b"two"), encoding) == b"one two"
    assert decompressed(pack(b"") * 3000 + pack(b"x" * 100_000), encoding) == b"x" * 100_000
    members = [f"{turn} ".encode() for turn in range(3000)]
    assert decompressed(b"".join(map(pack, members)), encoding) == b"".join(members)


def test_of_very_many_members_the_first_are_read() -> None:
    assert decompressed(gzip.compress(b"x") * (MAX_MEMBERS + 1000), "gzip") == b"x" * MAX_MEMBERS


def test_deflate_is_read_with_and_without_its_wrapping() -> None:
    bare = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    assert decompressed(bare.compress(b"hello") + bare.flush(), "deflate") == b"hello"
    assert decompressed(zlib.compress(b"hello"), "deflate") == b"hello"
