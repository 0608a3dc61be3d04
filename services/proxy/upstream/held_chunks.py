"""Chunks of one body that is held, within the memory that all such bodies share."""

from typing import Final

from services.domain.exchange.captured_body import CaptureSpace

UNCOUNTED_BYTES: Final = 64 * 2**10  # of a small one, which a connection may hold anyway


class HeldChunks:
    __slots__ = ("_chunks", "_counted_bytes", "_limit_bytes", "_memory", "size_bytes")

    def __init__(self, memory: CaptureSpace, limit_bytes: int) -> None:
        self._chunks: list[bytes] = []
        self._memory = memory
        self._limit_bytes = limit_bytes
        self._counted_bytes = 0
        self.size_bytes = 0

    def add(self, chunk: bytes) -> bool:
        """Holds `chunk` in any case. False when the body is too large, or all of those that are not small are."""
        self._chunks.append(chunk)
        self.size_bytes += len(chunk)
        if self.size_bytes <= UNCOUNTED_BYTES:
            return self.size_bytes <= self._limit_bytes
        self._memory.free_bytes -= self.size_bytes - self._counted_bytes
        self._counted_bytes = self.size_bytes
        return self.size_bytes <= self._limit_bytes and self._memory.free_bytes >= 0

    def held(self) -> list[bytes]:
        """All chunks, which stay held."""
        return self._chunks.copy()

    def take(self) -> list[bytes]:
        """All chunks. None are held any more, and their memory is given back."""
        chunks, self._chunks = self._chunks, []
        self._memory.free_bytes += self._counted_bytes
        self._counted_bytes = self.size_bytes = 0
        return chunks
