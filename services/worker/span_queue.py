"""Spans that wait for their receiver, the oldest first, within a limit of memory."""

import threading
from collections import deque
from typing import Final

MAX_BYTES: Final = 16 * 2**20  # of all that wait
BATCH: Final = 512  # spans of one export
BATCH_BYTES: Final = 2**20


class SpanQueue:
    """Filled in one thread and emptied in another."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._spans: deque[bytes] = deque()
        self._bytes = 0
        self._lock = threading.Lock()

    def add(self, span: bytes) -> int:
        """How many of the oldest were dropped for it."""
        dropped = 0
        with self._lock:
            self._spans.append(span)
            self._bytes += len(span)
            while self._bytes > self._max_bytes:
                self._bytes -= len(self._spans.popleft())
                dropped += 1
        return dropped

    def take(self) -> list[bytes]:
        """The spans of one export: 512 or 1 MiB of them, or a single one that is larger; none when none waits."""
        taken: list[bytes] = []
        room = BATCH_BYTES
        with self._lock:
            while self._spans and len(taken) < BATCH and (not taken or len(self._spans[0]) <= room):
                span = self._spans.popleft()
                room -= len(span)
                taken.append(span)
            self._bytes -= BATCH_BYTES - room
        return taken
