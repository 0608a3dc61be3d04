"""The pages of a SQLite file as they lie on the disk, for files that SQLite does not read any more.

Source: https://www.sqlite.org/fileformat2.html
"""

import mmap
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from services.stores.journal.write_ahead_log import scan_log

Value: TypeAlias = int | bytes | str | None
Row: TypeAlias = tuple[int, tuple[Value, ...]]  # its id and its columns

_HEADER_BYTES: Final = 100  # of the file, on its first page
_LOG_HEADER_BYTES: Final = 32
_LEAF: Final = 0x0D
_DEFAULT_PAGE_BYTES: Final = 4096
_INTEGERS: Final[Mapping[int, int]] = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_MAX_FREE_LISTS: Final = 1_000_000


class Broken(Exception):
    """A page or a record that is not what it should be."""


class Pages:
    """The newest state of each page of `path`: in its write-ahead log, else in the file. To be closed.

    Not for files that this process has open by SQLite: closing them here takes its locks away.
    """

    def __init__(self, path: Path) -> None:
        """Raises: OSError."""
        self._file = _mapped(path)
        log = path.with_name(f"{path.name}-wal")
        self._log = _mapped(log)
        self.page_bytes = _page_bytes(self._file, self._log)
        self._frames = scan_log(log, self.page_bytes).pages if self._log else {}
        self.count = max([len(self._file) // self.page_bytes, *self._frames])

    def page(self, number: int) -> bytes:
        """Pages count from 1. Raises: Broken."""
        if number in self._frames:
            start = self._frames[number]
            return self._log[start : start + self.page_bytes]
        page = self._file[(number - 1) * self.page_bytes : number * self.page_bytes] if number > 0 else b""
        if len(page) < self.page_bytes:
            raise Broken(f"page {number} is not there")
        return page

    def rows(self) -> Iterator[Row | None]:
        """Every row of every table, in no order, except of pages that are free; None for one that is broken."""
        free = self._free_pages()
        for number in range(1, self.count + 1):
            if number not in free:
                yield from self._rows_on(number)

    def _rows_on(self, number: int) -> Iterator[Row | None]:
        try:
            page = self.page(number)
        except Broken:
            return
        start = _HEADER_BYTES if number == 1 else 0
        if page[start] != _LEAF:
            return
        (cells,) = struct.unpack_from(">H", page, start + 3)
        for place in range(start + 8, min(start + 8 + 2 * cells, self.page_bytes - 1), 2):
            try:
                yield self._row(page, struct.unpack_from(">H", page, place)[0])
            except (Broken, IndexError, struct.error, UnicodeDecodeError):
                yield None

    def _row(self, page: bytes, at: int) -> Row:
        size_bytes, at = _varint(page, at)
        row_id, at = _varint(page, at)
        return row_id, _columns(self._payload(page, at, size_bytes))

    def _payload(self, page: bytes, at: int, size_bytes: int) -> bytes:
        usable = self.page_bytes
        if size_bytes <= usable - 35:
            return page[at : at + size_bytes]
        least = (usable - 12) * 32 // 255 - 23
        local = least + (size_bytes - least) % (usable - 4)
        local = local if local <= usable - 35 else least
        (following,) = struct.unpack_from(">I", page, at + local)
        return page[at : at + local] + self._overflow(following, size_bytes - local)

    def _overflow(self, number: int, size_bytes: int) -> bytes:
        """What is missing stays missing: what came before it may be all that is needed."""
        chunks: list[bytes] = []
        left_bytes = size_bytes
        try:
            while left_bytes > 0 and number and len(chunks) <= self.count:
                page = self.page(number)
                chunks.append(page[4 : 4 + left_bytes])
                left_bytes -= len(chunks[-1])
                (number,) = struct.unpack_from(">I", page)
        except Broken:
            pass
        return b"".join(chunks)

    def _free_pages(self) -> set[int]:
        """Pages that hold what was deleted; empty where the list of them cannot be read."""
        free: set[int] = set()
        try:
            (number,) = struct.unpack_from(">I", self.page(1), 32)
            while number and number not in free and len(free) < _MAX_FREE_LISTS:
                page = self.page(number)
                following, count = struct.unpack_from(">II", page)
                free |= {number, *struct.unpack_from(f">{min(count, self.page_bytes // 4 - 2)}I", page, 8)}
                number = following
        except Broken:
            pass
        return free

    def close(self) -> None:
        for mapped in (self._file, self._log):
            if isinstance(mapped, mmap.mmap):
                mapped.close()


def _mapped(path: Path) -> mmap.mmap | bytes:
    if not path.exists() or not path.stat().st_size:
        return b""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _page_bytes(file: mmap.mmap | bytes, log: mmap.mmap | bytes) -> int:
    sizes = [_DEFAULT_PAGE_BYTES]
    if file[:16] == b"SQLite format 3\0":
        sizes.insert(0, int.from_bytes(file[16:18]))
    elif len(log) >= _LOG_HEADER_BYTES:
        sizes.insert(0, int.from_bytes(log[8:12]))
    return next(size for size in sizes if 512 <= size <= 32768 and size & (size - 1) == 0)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at `at`, and where the next thing begins. Raises: IndexError."""
    value = 0
    for place in range(at, at + 8):
        value = value << 7 | data[place] & 0x7F
        if data[place] < 0x80:
            return value, place + 1
    return value << 8 | data[at + 8], at + 9


def _columns(record: bytes) -> tuple[Value, ...]:
    """Raises: Broken, IndexError."""
    head_bytes, at = _varint(record, 0)
    kinds = []
    while at < head_bytes:
        kind, at = _varint(record, at)
        kinds.append(kind)
    values: list[Value] = []
    for kind in kinds:
        size_bytes = _size_of(kind)
        values.append(_value(kind, record[at : at + size_bytes]))
        at += size_bytes
    return tuple(values)


def _size_of(kind: int) -> int:
    if kind >= 12:
        return (kind - 12) // 2
    if kind in _INTEGERS:
        return _INTEGERS[kind]
    if kind in (0, 8, 9):
        return 0
    raise Broken(f"no column is of type {kind}")


def _value(kind: int, data: bytes) -> Value:
    if kind == 0:
        return None
    if kind in (8, 9):
        return kind - 8
    if kind < 12:
        return int.from_bytes(data, signed=True)
    return data if kind % 2 == 0 else data.decode()
