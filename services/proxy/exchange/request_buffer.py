"""What has come of a request's body and cannot be forwarded yet."""

from typing import Final

from services.domain.exchange.captured_body import CaptureSpace

MAX_UNCHECKED_BYTES: Final = 64 * 2**10  # held until the request is admitted; above it the client is paused


class RequestBuffer:
    """Chunks in their order. Of bodies that are collected until they are whole, all exchanges share some memory."""

    __slots__ = ("_chunks", "_memory", "complete", "held_bytes", "reserved_bytes")

    def __init__(self, memory: CaptureSpace) -> None:
        self._chunks: list[bytes] = []
        self._memory = memory
        self.reserved_bytes = 0
        self.held_bytes = 0
        self.complete = False  # the whole body has come, whether or not it is still held

    def add(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self.held_bytes += len(chunk)

    def take(self) -> list[bytes]:
        """All chunks; none are held any more. What is reserved for them stays reserved."""
        chunks, self._chunks, self.held_bytes = self._chunks, [], 0
        return chunks

    def reserve(self) -> bool:
        """Reserves memory for what is held. False when all exchanges together hold more than they may."""
        self._memory.free_bytes -= self.held_bytes - self.reserved_bytes
        self.reserved_bytes = self.held_bytes
        return self._memory.free_bytes >= 0

    def release(self) -> None:
        """Gives back what is reserved: the provider has taken the body, or nobody will send it."""
        self._memory.free_bytes += self.reserved_bytes
        self.reserved_bytes = 0
