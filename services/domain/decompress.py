"""Bodies as they travelled -> bodies as they were meant. Bounded: a small body may hold a very large one."""

import zlib
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import brotli
from backports import zstd

MOST_BYTES: Final = 64 * 2**20
MOST_RATIO: Final = 100
_ALWAYS_ALLOWED_BYTES: Final = 2**20  # small bodies may be as repetitive as they like
_STEP_BYTES: Final = 64 * 2**10


class _Decoder(Protocol):
    """One compressed body, read step by step."""

    def read(self, piece: bytes, most_bytes: int) -> bytes:
        """About `most_bytes` of what `piece` and the pieces before it say; '' when more input is needed."""
        ...


class _Gzip:
    def __init__(self) -> None:
        self._member = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self._waiting = b""

    def read(self, piece: bytes, most_bytes: int) -> bytes:
        text = self._member.decompress(self._waiting + piece, most_bytes)
        self._waiting = self._member.unconsumed_tail
        if self._member.eof:  # another member may follow
            self._waiting = self._member.unused_data
            self._member = zlib.decompressobj(16 + zlib.MAX_WBITS)
        return text


class _Deflate:
    def __init__(self, window_bits: int) -> None:
        self._stream = zlib.decompressobj(window_bits)

    def read(self, piece: bytes, most_bytes: int) -> bytes:
        if self._stream.eof:
            return b""
        return self._stream.decompress(self._stream.unconsumed_tail + piece, most_bytes)


class _Brotli:
    def __init__(self) -> None:
        self._stream = brotli.Decompressor()
        self._waiting = b""

    def read(self, piece: bytes, most_bytes: int) -> bytes:
        self._waiting += piece
        given = b""
        if self._stream.can_accept_more_data():
            given, self._waiting = self._waiting, b""
        text: bytes = self._stream.process(given, output_buffer_limit=most_bytes)
        return text


class _Zstandard:
    def __init__(self) -> None:
        self._frame = zstd.ZstdDecompressor()
        self._waiting = b""

    def read(self, piece: bytes, most_bytes: int) -> bytes:
        self._waiting += piece
        given, self._waiting = self._waiting, b""
        text = self._frame.decompress(given, most_bytes)
        if self._frame.eof:
            self._waiting = self._frame.unused_data
            self._frame = zstd.ZstdDecompressor()
        return text


def _deflate(body: bytes) -> _Decoder:
    """The standard means zlib's wrapping; some servers send the bare stream."""
    wrapped = len(body) >= 2 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
    return _Deflate(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)


_DECODERS: Final[Mapping[str, Callable[[bytes], _Decoder]]] = {
    "gzip": lambda _body: _Gzip(),
    "x-gzip": lambda _body: _Gzip(),
    "deflate": _deflate,
    "br": lambda _body: _Brotli(),
    "zstd": lambda _body: _Zstandard(),
}


def decompressed(body: bytes, encoding: str) -> bytes | None:
    """What `body` says under the Content-Encoding `encoding`; as much of it as could be read when it was cut.

    At most 64 MiB and a hundred times its size. None when the encoding is not known or nothing could be read.
    """
    if not encoding or not body:
        return body
    for name in reversed(encoding.lower().split(",")):
        if name.strip() in ("identity", ""):
            continue
        decoder = _DECODERS.get(name.strip())
        if decoder is None:
            return None
        body = _read_all(decoder(body), body)
        if not body:
            return None
    return body


def _read_all(decoder: _Decoder, body: bytes) -> bytes:
    allowed = min(MOST_BYTES, max(_ALWAYS_ALLOWED_BYTES, MOST_RATIO * len(body)))
    read: list[bytes] = []
    total, position = 0, 0
    while total < allowed:
        piece = body[position : position + _STEP_BYTES]
        position += len(piece)
        try:
            text = decoder.read(piece, min(_STEP_BYTES * 16, allowed - total))
        except (zlib.error, brotli.error, zstd.ZstdError, EOFError):
            break  # what came before the damage is good
        if not text and not piece:
            break
        read.append(text)
        total += len(text)
    return b"".join(read)[:allowed]
