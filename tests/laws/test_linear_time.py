"""Eight times as many bytes take about eight times as long to read, whatever a client or a provider makes of them."""

import gzip
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import thread_time

import brotli
import pytest
from msgspec.structs import replace

from schemas.errors import InvalidRequest
from schemas.event import Outcome
from services.domain.enrich import to_record
from services.domain.exchange.decompress import MAX_ENCODINGS, decompressed
from services.domain.exchange.headers import parse_head, parse_helicone_headers
from services.domain.exchange.routes import Routes, origin_of
from services.domain.exchange.usage_injection import UsageRemoval, with_usage_requested
from services.domain.logging_api.payload import decode_payload_steps
from services.settings.processes import ProxySettings
from services.stores.shipped_prices.book import ShippedPrices
from services.zstd import zstd
from tests.builders.records import an_event

PRICES = ShippedPrices()
SIZE_BYTES = 64 * 2**10
TIMES = 8
SLACK = 3  # the square of eight is far above three times eight
NOISE_S = 0.1

FORM = "multipart/form-data; boundary=x"
ATOMS = [
    *(
        b"name=model\n",
        b'name="model"\r\nx\r\n',
        b"--x\r\n",
        b"--x; name=model\n\n",
        b"-",
        b"--",
        b'--x\r\nname="model"',
    ),
    *(b"\n", b"\r", b"\r\n", b" ", b"\x00", b"\xff", b"\xed\xa0", b"\\", b'"', b"[", b"{", b'{"a":', b"[],", b"{},"),
    *(b'"model" ', b'"stream" ', b'"usage": ', b"\\ud800", b"\\\\\\ud8", b"%25", b"/.", b"/model/", b"..;/", b"a=b&"),
    *(b"data:\n", b"data:{}\n\n", b": c\n", b"event: x\n", b'{"usage":{}}\n', b'{"bytes":"', b'data: {"error":'),
    b'data: {"usage":{"prompt_tokens":1,"completion_tokens":1},"choices":[{"index":1}]}\n\n',
    b'data: {"choices":[{"index":1,"delta":{"content":"x"}}]}\n\n',
    b'data: {"type":"message_start","message":{"usage":{"input_tokens":1}}}\n\n',
    *(b'"}]},', b',"usage":', b'{"model":"m",', b'"model":"x",', b", ", b"https://"),
    bytes.fromhex("00000010 00000000 00000000 00000000"),
]
WRITERS = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstd.compress, "br": brotli.compress}
ROUTES = Routes({"OPENAI": origin_of("https://api.openai.com")})


def record(text: bytes, content_type: str) -> None:
    event = an_event(
        request_body=text, response_body=text, outcome=Outcome.CLIENT_DISCONNECTED, content_type=content_type
    )
    to_record(replace(event, request=replace(event.request, content_type=content_type)), PRICES)


def record_of_cut(text: bytes) -> None:
    event = an_event(request_body=text, response_body=b"")
    to_record(replace(event, request=replace(event.request, body_bytes=len(text) + 1)), PRICES)


def record_of_cut_response(text: bytes) -> None:
    event = an_event(request_body=text, response_body=b'{"model":"m",%b' % text, body_tail=b'%b"usage":{}}' % text)
    to_record(replace(event, response=replace(event.response, body_bytes=10**9)), PRICES)


def ask_usage(text: bytes) -> None:
    with_usage_requested(b'{"stream":true,%b}' % text)


def take_out_usage(text: bytes) -> None:
    removal = UsageRemoval()
    for start in range(0, len(text), 64):
        removal.feed(text[start : start + 64])
    removal.close()


def logged(text: bytes) -> None:
    list(decode_payload_steps(b'{"providerRequest":{"json":"%b' % text))


def routed(text: bytes) -> None:
    ROUTES.resolve(b"/oai/" + text)


def labelled(text: bytes) -> None:
    pieces = [text[start : start + 20] for start in range(0, len(text), 20)]
    head = parse_head([(b"Helicone-Property-A", piece) for piece in pieces])
    parse_helicone_headers(head.helicone_headers)


READERS: dict[str, Callable[[bytes], None]] = {
    "JSON": partial(record, content_type="application/json"),
    "form": partial(record, content_type=FORM),
    "cut JSON": record_of_cut,
    "truncated response": record_of_cut_response,
    "body to ask in": ask_usage,
    "stream to take usage out of": take_out_usage,
    "logged call": logged,
    "path": routed,
}


def seconds(read: Callable[[bytes], object], text: bytes) -> float:
    """Of processor time, whatever comes of it."""
    began_s = thread_time()
    with suppress(InvalidRequest):
        read(text)
    return thread_time() - began_s


def assert_linear(read: Callable[[bytes], object], atom: bytes, size_bytes: int) -> None:
    small = atom * (size_bytes // len(atom))
    # Once more before it is called a fault: other threads may have been in the way.
    for _ in range(3):
        allowed_s = SLACK * TIMES * seconds(read, small) + NOISE_S
        taken_s = seconds(read, small * TIMES)
        if taken_s <= allowed_s:
            return
    pytest.fail(f"{TIMES} times {len(small)} bytes of {atom[:40]!r} take {taken_s:.2f} s, and not {allowed_s:.2f} s")


@pytest.mark.parametrize("name", READERS)
def test_no_text_takes_more_than_its_size(name: str) -> None:
    for atom in ATOMS:
        assert_linear(READERS[name], atom, SIZE_BYTES)


def test_no_head_that_is_let_in_takes_more_than_its_size() -> None:
    for atom in ATOMS:
        assert_linear(labelled, atom, ProxySettings.from_environ({}).max_head_bytes // TIMES)


@pytest.mark.parametrize("encoding", WRITERS)
@pytest.mark.parametrize("empty", [True, False])
def test_no_number_of_compressed_pieces_takes_more_than_its_size(encoding: str, empty: bool) -> None:
    member = WRITERS[encoding](b"" if empty else b"x")
    assert_linear(lambda body: decompressed(body, encoding), member, 2**19)


def test_what_was_compressed_again_and_again_is_not_read() -> None:
    body = b"text"
    for _ in range(MAX_ENCODINGS):
        body = gzip.compress(body)
    assert decompressed(body, ",".join(["gzip"] * MAX_ENCODINGS)) == b"text"
    assert decompressed(gzip.compress(body), ",".join(["gzip"] * (MAX_ENCODINGS + 1))) is None
