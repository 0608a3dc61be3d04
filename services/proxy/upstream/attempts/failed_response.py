"""The response of an attempt that another one follows: read to its end, since it may say what was billed."""

from typing import Final

from schemas.event import Outcome
from services.domain.exchange.capture import FailedAttempt
from services.domain.exchange.headers import Head
from services.ports.upstream import Headers, ResponseReceiver

MAX_BYTES: Final = 256 * 2**10  # errors are short
END_S: Final = 5.0  # for it to end


class FailedResponse:
    """Of one attempt."""

    __slots__ = ("_chunks", "_head", "_parsed", "body_bytes")

    def __init__(self, status: int, reason: bytes, headers: Headers, parsed: Head) -> None:
        """`parsed` are the `headers`."""
        self._head = (status, reason, headers)
        self._parsed = parsed
        self._chunks: list[bytes] = []
        self.body_bytes = 0

    @property
    def status(self) -> int:
        return self._head[0]

    def add(self, chunk: bytes) -> bool:
        """False when there is too much of it."""
        self._chunks.append(chunk)
        self.body_bytes += len(chunk)
        return self.body_bytes <= MAX_BYTES

    def replay(self, receiver: ResponseReceiver) -> None:
        """Gives `receiver` what has come."""
        receiver.response_head(*self._head)
        for chunk in self._chunks:
            receiver.response_chunk(chunk)

    def attempt(self, began_s: float, outcome: Outcome) -> FailedAttempt:
        return FailedAttempt(
            outcome=outcome,
            began_s=began_s,
            status=self._head[0],
            framing_headers=self._parsed.framing_headers,
            account_headers=self._parsed.account_headers,
            body=b"".join(self._chunks),
            body_bytes=self.body_bytes,
        )
