"""Decompress bodies, bounded against bombs."""

import zlib
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import brotli

from services.zstd import zstd

MAX_BYTES: Final = 16 * 2**20  # far above any text; decompressing more would delay all other events
MAX_RATIO: Final = 100
_ALWAYS_ALLOWED_BYTES: Final = 2**20  # small bodies may compress as well as they like
_STEP_BYTES: Final = 8 * 2**10  # of input: the rest of a step is copied when a member ends
_MAX_TEXT_BYTES: Final = 2**20  # of output, in a step
MAX_MEMBERS: Final = 20_000  # of one body: each costs a decoder of its own, however little it holds
MAX_ENCODINGS: Final = 4  # one within the other


class _Decoder(Protocol):
    """One compressed body, decompressed step by step."""

    @property
    def is_hungry(self) -> bool:
        """Whether it needs more input to go on."""
        ...

    def read(self, chunk: bytes, max_bytes: int) -> bytes:
        """About `max_bytes` of output; `chunk` is the next input, empty unless it is hungry."""
        ...


class _Zlib:
    """Streams of zlib or members of gzip, one after another."""

    def __init__(self, window_bits: int) -> None:
        self._window_bits = window_bits
        self._members = 0
        self._waiting = b""
        self._stream = zlib.decompressobj(window_bits)

    @property
    def is_hungry(self) -> bool:
        return not self._waiting

    def read(self, chunk: bytes, max_bytes: int) -> bytes:
        text = self._stream.decompress(self._waiting or chunk, max_bytes)
        self._waiting = self._stream.unconsumed_tail
        if self._stream.eof:
            self._waiting = self._stream.unused_data
            self._members = _one_more(self._members)
            self._stream = zlib.decompressobj(self._window_bits)
        return text


class _Brotli:
    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    @property
    def is_hungry(self) -> bool:
        hungry: bool = self._stream.can_accept_more_data()
        return hungry

    def read(self, chunk: bytes, max_bytes: int) -> bytes:
        text: bytes = self._stream.process(chunk, output_buffer_limit=max_bytes)
        return text


class _Zstandard:
    """Frames, one after another."""

    def __init__(self) -> None:
        self._frames = 0
        self._waiting = b""
        self._frame = zstd.ZstdDecompressor()

    @property
    def is_hungry(self) -> bool:
        return not self._waiting and self._frame.needs_input

    def read(self, chunk: bytes, max_bytes: int) -> bytes:
        text = self._frame.decompress(self._waiting or chunk, max_bytes)
        self._waiting = b""
        if self._frame.eof:
            self._waiting = self._frame.unused_data
            self._frames = _one_more(self._frames)
            self._frame = zstd.ZstdDecompressor()
        return text


def _one_more(members: int) -> int:
    if members >= MAX_MEMBERS:
        raise EOFError
    return members + 1


def _deflate(body: bytes) -> _Decoder:
    """The standard means zlib's wrapping; some servers send the bare stream."""
    wrapped = len(body) >= 2 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
    return _Zlib(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)


_DECODERS: Final[Mapping[str, Callable[[bytes], _Decoder]]] = {
    "gzip": lambda _body: _Zlib(16 + zlib.MAX_WBITS),
    "x-gzip": lambda _body: _Zlib(16 + zlib.MAX_WBITS),
    "deflate": _deflate,
    "br": lambda _body: _Brotli(),
    "zstd": lambda _body: _Zstandard(),
}


def decompressed(body: bytes, encoding: str) -> bytes | None:
    """`body` of the Content-Encoding `encoding`, decompressed; of a truncated one as much as can be.

    At most 16 MiB and a hundred times its size. None when the encoding is unknown or nothing could be decompressed.
    """
    if not encoding or not body:
        return body
    names = [name for part in encoding.lower().split(",") if (name := part.strip()) not in ("identity", "")]
    if len(names) > MAX_ENCODINGS:
        return None
    for name in reversed(names):
        decoder = _DECODERS.get(name)
        if decoder is None:
            return None
        body = _read_all(decoder(body), body)
        if not body:
            return None
    return body


def _read_all(decoder: _Decoder, body: bytes) -> bytes:
    allowed = min(MAX_BYTES, max(_ALWAYS_ALLOWED_BYTES, MAX_RATIO * len(body)))
    read: list[bytes] = []
    total, position = 0, 0
    while total < allowed:
        hungry = decoder.is_hungry
        chunk = body[position : position + _STEP_BYTES] if hungry else b""
        position += len(chunk)
        try:
            text = decoder.read(chunk, min(_MAX_TEXT_BYTES, allowed - total))
        except (zlib.error, brotli.error, zstd.ZstdError, EOFError):
            break  # what came before the damage is valid
        if hungry and not text and not chunk:
            break
        read.append(text)
        total += len(text)
    return b"".join(read)[:allowed]
