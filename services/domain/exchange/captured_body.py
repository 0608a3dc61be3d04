"""One body in flight, as far as it is captured, within the space that all of them share."""

from typing import Final

MAX_LOOSE: Final = 256  # chunks of a body; more are joined, since each has some forty bytes of overhead


class CaptureSpace:
    """How many bytes all bodies in flight may hold together. Above it bodies are not captured; traffic goes on."""

    __slots__ = ("free_bytes",)

    def __init__(self, total_bytes: int) -> None:
        self.free_bytes = total_bytes


class CapturedBody:
    """One body: its first bytes up to `limit`, or none of it when space ran out, and its true size.

    Of a larger one the last `tail_bytes` are captured too, while there is space for them: responses end with their
    usage.
    """

    __slots__ = ("_chunks", "_joined", "_limit", "_space", "_tail", "body_bytes", "dropped", "tail_bytes")

    def __init__(self, limit: int, space: CaptureSpace, tail_bytes: int = 0) -> None:
        self._limit = limit
        self._space = space
        self._chunks: list[bytes] = []
        self._joined = 0  # this many of the first chunks were joined from loose ones
        self._tail: bytearray | None = None  # few responses need one
        self.tail_bytes = tail_bytes  # 0 also when there was no space for them
        self.body_bytes = 0
        self.dropped = False

    def another(self) -> "CapturedBody":
        """An empty one with the same limits."""
        return CapturedBody(self._limit, self._space, self.tail_bytes)

    def add(self, chunk: bytes) -> None:
        size, rest = len(chunk), b""
        self.body_bytes += size
        if self.body_bytes > self._limit:
            size = max(0, size - (self.body_bytes - self._limit))
            chunk, rest = chunk[:size], chunk[size:]
        if size > self._space.free_bytes:
            self.take()
            self.dropped = True
        elif not self.dropped:
            if size:
                self._space.free_bytes -= size
                self._chunks.append(chunk)
                if len(self._chunks) - self._joined > MAX_LOOSE:
                    self._join_loose()
            if rest and self.tail_bytes:
                self._add_to_tail(rest)

    def _join_loose(self) -> None:
        self._chunks[self._joined :] = [b"".join(self._chunks[self._joined :])]
        self._joined += 1

    def _add_to_tail(self, rest: bytes) -> None:
        """Trimmed only when it has grown to twice its size, so that every byte is moved once at most."""
        tail = self._tail = bytearray() if self._tail is None else self._tail
        before = len(tail)
        tail += rest[-self.tail_bytes :]
        if len(tail) > 2 * self.tail_bytes:
            del tail[: -self.tail_bytes]
        self._space.free_bytes -= len(tail) - before
        if self._space.free_bytes < 0:
            self._take_tail(tail)
            self.tail_bytes = 0

    def end(self, size: int) -> bytes:
        """The last captured bytes, up to `size` or somewhat more. They stay captured."""
        if self._tail is not None:
            return bytes(self._tail[-size:])
        found: list[bytes] = []
        for chunk in reversed(self._chunks):
            if size <= 0:
                break
            found.append(chunk)
            size -= len(chunk)
        return b"".join(reversed(found))

    @property
    def truncated(self) -> bool:
        """Whether something between its first and its last bytes, or all behind the first, was not captured."""
        return self.body_bytes > self._limit + self.tail_bytes

    def held(self) -> bytes:
        """The first bytes, which stay captured."""
        return b"".join(self._chunks)

    def take(self) -> tuple[bytes, bytes]:
        """The first and the last bytes. Their space is given back, and nothing is held any more."""
        body = b"".join(self._chunks)
        self._chunks.clear()
        self._joined = 0
        self._space.free_bytes += len(body)
        return body, b"" if self._tail is None else self._take_tail(self._tail)

    def _take_tail(self, tail: bytearray) -> bytes:
        self._tail = None
        self._space.free_bytes += len(tail)
        return bytes(tail[-self.tail_bytes :])
