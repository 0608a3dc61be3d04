"""Events that are not on disk yet, in the operating system's hands: a file that outlives a killed process.

An event is written here when it is published, without waiting for the disk. The page cache survives the process, not
the machine: that is what the log's own `fsync` is for. Whoever opens the log next takes over what was left.
"""

import contextlib
import errno
import fcntl
import logging
import os
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from schemas.log_entry import recorded_since_in
from schemas.seal import Held
from services.stores.private_files import make_private_folder
from services.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

INTAKE_BYTES: Final = 32 * 2**20  # of events that are not durable yet: seconds of the load one process can take
RETRY_S: Final = 1.0  # between attempts to make the file where it could not be made

_MOST: Final = 1000  # processes with one log
_LOOKS: Final = 100  # at a file that somebody writes
_FORMAT: Final = b"farebox1"
# Of the first record that is not durable its number and offset; and when the segment was created that is being
# written, in which it may be durable all the same.
_HEADER: Final = struct.Struct("<8sQQQ")
# Checksum, size and number; the payload follows.
_RECORD: Final = struct.Struct("<IIQ")
_FIRST: Final = 4096  # offset of records: the header has a page of its own


class Mark(NamedTuple):
    """A place between two records: the number of the one that follows, and its offset."""

    number: int
    offset: int


class Left(NamedTuple):
    """What a killed process left. The first of `payloads` may be durable in the segment created at `segment_ms`."""

    payloads: list[bytes]
    segment_ms: int


class Intake:
    """A ring of records in a file of its own beside the log at `path`.

    `add` and `mark` belong to one thread, `begin_segment` and `release` to one, which may be another. A full disk or
    a lack of descriptors costs events their cover, which is counted, and never the events. With `size_bytes` 0 nothing
    is covered: somebody else does it.
    """

    def __init__(self, path: Path, *, metrics: Metrics, size_bytes: int = INTAKE_BYTES) -> None:
        self._path = path
        self._metrics = metrics
        self._size_bytes = size_bytes
        self._descriptor = -1
        self._file = path
        self._retry_at_s = 0.0
        self._segment_ms = 0
        self._next = self._begin = Mark(1, _FIRST)
        self._is_open()

    @property
    def name(self) -> str:
        """Of the file; "" when there is none."""
        return self._file.name if self._descriptor >= 0 else ""

    @property
    def mark(self) -> Mark:
        """Behind the last record."""
        return self._next

    def add(self, payload: bytes) -> bool:
        """Hands `payload` to the operating system; whether it is covered by that, or by somebody else."""
        if not self._size_bytes:
            return True
        number, offset = self._next
        if number == self._begin.number:  # nothing waits: the same pages again
            offset = _FIRST
            self._begin = Mark(number, offset)
        size_bytes = _RECORD.size + len(payload)
        place = self._place(offset, size_bytes)
        if place and self._is_open() and self._write(number, payload, place):
            self._next = Mark(number + 1, place + size_bytes)
            return True
        self._metrics.add("log_uncovered_total")
        return False

    def begin_segment(self, created_ms: int) -> None:
        """The records that are released next are about to be written to the log with this time of creation."""
        self._segment_ms = created_ms
        self._write_header(self._begin)

    def release(self, mark: Mark) -> None:
        """The records before `mark` are durable."""
        if mark.number > self._begin.number and self._write_header(mark):
            self._begin = mark

    def close(self) -> None:
        """What was not released stays for who comes next."""
        if self._descriptor >= 0:
            if self._next.number == self._begin.number:
                with contextlib.suppress(OSError):
                    self._file.unlink()
            os.close(self._descriptor)
            self._descriptor = -1
        self._size_bytes = 0

    def _place(self, offset: int, size_bytes: int) -> int:
        """Where so many bytes are free, behind the last record or again from the beginning; 0 when nowhere."""
        begin = self._begin.offset
        if offset < begin:
            return offset if offset + size_bytes < begin else 0
        if offset + size_bytes <= self._size_bytes:
            return offset
        return _FIRST if _FIRST + size_bytes < begin else 0

    def _write(self, number: int, payload: bytes, place: int) -> bool:
        head = _RECORD.pack(_checksum(number, payload), len(payload), number)
        try:
            return os.pwritev(self._descriptor, (head, payload), place) == len(head) + len(payload)
        except OSError:
            return False

    def _write_header(self, begin: Mark) -> bool:
        if self._descriptor < 0:
            return False
        try:
            os.pwrite(self._descriptor, _HEADER.pack(_FORMAT, *begin, self._segment_ms), 0)
        except OSError:
            return False
        return True

    def _is_open(self) -> bool:
        """Tries to be, but not for every event."""
        if self._descriptor >= 0 or not self._size_bytes:
            return self._descriptor >= 0
        now_s = time.monotonic()
        if now_s < self._retry_at_s:
            return False
        self._retry_at_s = now_s + RETRY_S
        try:
            self._open()
        except OSError as error:
            logger.warning("events are in memory only until they are durable", extra={"reason": str(error)})
        return self._descriptor >= 0

    def _open(self) -> None:
        make_private_folder(self._path.parent)
        for number in range(_MOST):
            self._file = self._path.with_name(f"{self._path.name}.intake-{number}")
            try:
                descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                continue
            if _locked(descriptor):
                self._descriptor = descriptor
                if not self._write_header(self._begin):
                    self.close()
                    raise OSError(f"{self._file} cannot be written")
                return
            os.close(descriptor)


def take_over(path: Path, keep: Callable[[Left], None]) -> None:
    """Has `keep` make durable what killed processes left, and forgets it. Raises: OSError, and what `keep` raises."""
    for file in sorted(path.parent.glob(f"{path.name}.intake-*")):
        try:
            descriptor = os.open(file, os.O_RDWR)
        except FileNotFoundError:  # somebody else was faster
            continue
        with os.fdopen(descriptor, "rb") as opened:
            if not _locked(descriptor):
                continue
            left = _left(opened.read())
            if left.payloads:
                keep(left)
            file.unlink()


def read_held(path: Path) -> Held:
    """The events in the intakes of the log at `path`, of living and of killed processes. Raises: OSError."""
    held = Held()
    for file in sorted(path.parent.glob(f"{path.name}.intake-*")):
        with contextlib.suppress(FileNotFoundError), file.open("rb", buffering=0) as opened:
            held = held.plus(_held(opened.fileno()))
    return held


def _held(descriptor: int) -> Held:
    """Raises: OSError."""
    for _ in range(_LOOKS):
        header = os.pread(descriptor, _HEADER.size, 0)
        if len(header) < _HEADER.size:
            return Held()
        _, number, offset, _ = _HEADER.unpack(header)
        first = _read_record(descriptor, number, offset) or _read_record(descriptor, number, _FIRST)
        # Its owner may have released the record meanwhile, and written another one over it.
        if os.pread(descriptor, _HEADER.size, 0) != header:
            continue
        if first is None:
            return Held()
        return Held(events=_count(descriptor, number, offset), since=recorded_since_in(first))
    raise OSError(errno.EBUSY, "an intake changes too fast to be read")


def _read_record(descriptor: int, number: int, offset: int) -> bytes | None:
    head = os.pread(descriptor, _RECORD.size, offset)
    if len(head) < _RECORD.size:
        return None
    checksum, size_bytes, found = _RECORD.unpack(head)
    if found != number:
        return None
    payload = os.pread(descriptor, size_bytes, offset + _RECORD.size)
    return payload if len(payload) == size_bytes and checksum == _checksum(number, payload) else None


def _count(descriptor: int, number: int, offset: int) -> int:
    """How many records there are from `number` on, by their heads alone: they may hold megabytes."""
    count, may_wrap = 0, True
    while True:
        head = os.pread(descriptor, _RECORD.size, offset)
        found = len(head) == _RECORD.size and _RECORD.unpack(head)[2] == number + count
        if found:
            offset += _RECORD.size + _RECORD.unpack(head)[1]
            count += 1
        elif may_wrap:
            may_wrap, offset = False, _FIRST
        else:
            return count


def _locked(descriptor: int) -> bool:
    """Holds the file for this process, unless another one does, or took it over and away."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(descriptor).st_nlink > 0


def _left(content: bytes) -> Left:
    """The records of a file from the header's mark on. They follow each other by number, and go on at the beginning."""
    payloads: list[bytes] = []
    if len(content) < _HEADER.size:
        return Left(payloads, 0)
    form, number, offset, segment_ms = _HEADER.unpack_from(content)
    if form != _FORMAT:
        return Left(payloads, 0)
    may_wrap = True
    while True:
        payload = _record(content, number, offset)
        if payload is not None:
            payloads.append(payload)
            number, offset = number + 1, offset + _RECORD.size + len(payload)
        elif may_wrap:
            may_wrap, offset = False, _FIRST
        else:
            return Left(payloads, segment_ms)


def _record(content: bytes, number: int, offset: int) -> bytes | None:
    """The payload of the record `number` when it is whole and stands at `offset`."""
    begin = offset + _RECORD.size
    if begin > len(content):
        return None
    checksum, size_bytes, found = _RECORD.unpack_from(content, offset)
    payload = content[begin : begin + size_bytes]
    if found != number or len(payload) != size_bytes or checksum != _checksum(number, payload):
        return None
    return payload


def _checksum(number: int, payload: bytes) -> int:
    return zlib.crc32(payload, number & 0xFFFFFFFF)
