"""A request while it is being parsed, and, behind earlier ones, until it is its turn."""

from datetime import datetime
from time import monotonic

from services.domain.headers import read_request_head
from services.domain.providers import Target
from services.proxy.accounts import Request
from services.proxy.answers import HeadTooLarge, MalformedRequest

MAX_HEADERS = 100


class Incoming:
    """Head and, while it waits, body of one request. It may stand in for its Exchange until that begins."""

    __slots__ = (
        "began_s",
        "created_at",
        "ended",
        "headers",
        "keep_alive",
        "method",
        "pieces",
        "request",
        "url",
        "version",
    )

    request: Request

    def __init__(self, created_at: datetime) -> None:
        self.created_at = created_at
        self.began_s = monotonic()
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.method = b""
        self.version = "1.1"
        self.keep_alive = False
        self.pieces: list[bytes] = []
        self.ended = False

    def body(self, piece: bytes) -> None:
        self.pieces.append(piece)

    def request_end(self) -> None:
        self.ended = True

    def check_head(self, max_bytes: int | None) -> None:
        """Raises: MalformedRequest, HeadTooLarge. `max_bytes` is None when the head is known to be smaller."""
        if self.version not in ("1.0", "1.1"):
            raise MalformedRequest(f"HTTP/{self.version} is not spoken here")
        if len(self.headers) > MAX_HEADERS:
            raise HeadTooLarge(f"the request has more than {MAX_HEADERS} headers")
        if max_bytes is not None:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > max_bytes:
                raise HeadTooLarge(f"the request's head is larger than {max_bytes} bytes")

    def address(self, target: Target) -> None:
        """It goes to `target`. Raises: InvalidRequest, MalformedRequest."""
        head = read_request_head(self.headers)
        if head.chunked and self.version == "1.0":
            raise MalformedRequest("HTTP/1.0 has no Transfer-Encoding")
        self.request = Request(
            method=self.method, target=target, head=head, created_at=self.created_at, began_s=self.began_s
        )
