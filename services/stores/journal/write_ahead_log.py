"""SQLite's write-ahead log as it lies on the disk: which frames were committed, also behind a damaged one.

SQLite takes the first frame with a wrong checksum for the end of the log. That is right after a power failure, which
may tear the last transaction. Where further transactions follow, it is damage: SQLite would pass over what they wrote,
and delete the file when it is closed.

Source: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
"""

import struct
import sys
from collections.abc import Iterator, Sequence
from operator import mul
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

_HEADER_BYTES: Final = 32
_FRAME_HEADER_BYTES: Final = 24  # the page follows

_WORD_ORDERS: Final = {b"\x37\x7f\x06\x82": "<", b"\x37\x7f\x06\x83": ">"}
_NATIVE_ORDER: Final = "<" if sys.byteorder == "little" else ">"


class ScannedLog(NamedTuple):
    """What a write-ahead log holds."""

    pages: dict[int, int]  # by number: where in the log the newest committed state of the page begins
    damaged_at: int | None  # where damage begins behind which there are committed transactions


class _Header(NamedTuple):
    is_valid: bool
    word_order: str
    page_bytes: int
    salts: bytes  # which all frames of this log have
    checksum: tuple[int, int]


class _Frame(NamedTuple):
    page: int
    page_at: int
    is_commit: bool
    follows: bool  # its checksum is right, continued from the frame before


def scan_log(path: Path, page_bytes: int | None = None) -> ScannedLog:
    """Reads all frames of the log at `path`; where its header is damaged, only with `page_bytes`.

    SQLite locks the database and its index, never this file: to close it takes no lock away. Raises: OSError.
    """
    with path.open("rb") as log:
        header = _header(log.read(_HEADER_BYTES))
        if header is None:
            return ScannedLog({}, None)
        if header.is_valid:
            return _scan(_frames(log, header))
        if page_bytes is None:
            return ScannedLog({}, 0)
        frames = _frames(log, _header_of_first_frame(log, header, page_bytes))
        return _scan(frames, is_behind_gap=True)._replace(damaged_at=0)


def _scan(frames: Iterator[tuple[int, _Frame | None]], *, is_behind_gap: bool = False) -> ScannedLog:
    pages: dict[int, int] = {}
    pending: dict[int, int] = {}  # that are not known to be committed
    damaged_at = broken_at = None
    commits = 0
    for at, frame in frames:
        if frame is None or not frame.follows:
            commits, broken_at = 0, at if broken_at is None else broken_at
        if frame is not None:
            if frame.follows or is_behind_gap:
                pending[frame.page] = frame.page_at
            commits += frame.is_commit
            # A write that failed may leave frames behind the end of the log, its commit too, but none that continue
            # it: of two commits that continue each other both were there.
            if frame.is_commit and (broken_at is None or commits > 1):
                pages |= pending
                pending = {}
                damaged_at = broken_at
        is_behind_gap = frame is None
    return ScannedLog(pages, damaged_at)


def _header(data: bytes) -> _Header | None:
    """None when there is no log yet."""
    if len(data) < _HEADER_BYTES:
        return None
    order = _WORD_ORDERS.get(data[:4])
    _, _, page_bytes, _, *checksum = struct.unpack_from(">IIII8xII", data)
    is_valid = order is not None and _Checksum(24, order).second(data[:24], (0, 0)) == checksum[1]
    return _Header(is_valid, order or _NATIVE_ORDER, page_bytes, data[16:24], (checksum[0], checksum[1]))


def _header_of_first_frame(log: BinaryIO, damaged: _Header, page_bytes: int) -> _Header:
    """What the first frame says of the log that it is in."""
    salts = log.read(_FRAME_HEADER_BYTES)[8:16]
    log.seek(_HEADER_BYTES)
    return damaged._replace(page_bytes=page_bytes, salts=salts)


def _frames(log: BinaryIO, header: _Header) -> Iterator[tuple[int, _Frame | None]]:
    """Every frame by its offset; None for what is not of this log, as what is left of one that was there before."""
    checksum = _Checksum(8 + header.page_bytes, header.word_order)
    before, at = header.checksum, _HEADER_BYTES
    step = _FRAME_HEADER_BYTES + header.page_bytes
    while len(data := log.read(step)) == step:
        page, pages_then, first, second = struct.unpack_from(">II8xII", data)
        if page and data[8:16] == header.salts:
            follows = checksum.second(data[:8] + data[_FRAME_HEADER_BYTES:], before) == second
            yield at, _Frame(page, at + _FRAME_HEADER_BYTES, bool(pages_then), follows)
        else:
            yield at, None
        before = (first, second)
        at += step


class _Checksum:
    """SQLite's checksum of so many bytes, which is a weighted sum of their words: far faster to compute in Python."""

    def __init__(self, size_bytes: int, word_order: str) -> None:
        self._words = struct.Struct(f"{word_order}{size_bytes // 4}I")
        self._weights = _weights(2 + size_bytes // 4)

    def second(self, data: bytes, before: Sequence[int]) -> int:
        """The second half of the checksum, which is enough to see damage; continued from both halves of `before`."""
        # To continue a checksum is to begin with one more pair of words.
        words: tuple[int, ...] = (before[0], before[1] - before[0], *self._words.unpack(data))
        total: int = sum(map(mul, self._weights, words))
        return total & 0xFFFFFFFF


def _weights(words: int) -> list[int]:
    """By how much each word counts in the second sum of SQLite's: s1 += x0 + s2, s2 += x1 + s1, and so on."""
    s1, s2 = 0, 1
    backwards: list[int] = []
    for _ in range(0, words, 2):
        backwards += (s2, s1 + s2)
        s1, s2 = (s1 + s2) & 0xFFFFFFFF, (s1 + 2 * s2) & 0xFFFFFFFF
    return backwards[::-1]
