"""OpenAI streams report their usage only if the request says so: the proxy says so, and strips the extra chunk.

How that looks in bytes is in `services/domain/exchange/usage_injection.py`. Only a whole body can be changed, so bodies
that may have to be are collected first; those that are large, compressed or of unknown length pass as they are.
"""

from collections.abc import Sequence
from typing import Final

from services.domain.exchange.headers import Head, Pair, header_option
from services.domain.exchange.usage_injection import UsageRemoval, uncompressed, with_usage_requested
from services.proxy.exchange.recorder import Request

MAX_BODY_BYTES: Final = 4 * 2**20  # of a body that is collected
STREAM_USAGE: Final = b"Helicone-Stream-Usage"


def may_inject(request: Request, *, by_default: bool) -> bool:
    """Whether the body has to be looked at. `by_default` holds for requests that do not say."""
    head = request.head
    return (
        request.target.stream_usage_on_request
        and request.method == b"POST"
        and head.body_bytes is not None
        and head.body_bytes <= MAX_BODY_BYTES
        and b"content-encoding" not in head.framing_headers
        and (by_default or header_option(head.helicone_headers, STREAM_USAGE) != b"")
    )


class UsageInjection:
    """Of one exchange."""

    __slots__ = ("_by_default", "_head", "_removal")

    def __init__(self, head: Head, *, by_default: bool) -> None:
        self._head = head
        self._by_default = by_default
        self._removal: UsageRemoval | None = None

    @property
    def strips(self) -> bool:
        """Whether the response holds usage that the client did not request, as far as is known."""
        return self._removal is not None

    def inject(self, body: bytes) -> tuple[bytes, Sequence[Pair]]:
        """Which body is sent for `body`, and with which headers.

        `true` is what Helicone's clients send, who want to see the usage themselves.
        """
        headers = self._head.forwarded
        changed = with_usage_requested(body)
        if changed is None:
            return body, headers
        option = header_option(self._head.helicone_headers, STREAM_USAGE)
        if option == b"true":
            return changed, headers
        if option == b"off" or (option != b"inject" and not self._by_default):
            return body, headers
        self._removal = UsageRemoval()
        return changed, uncompressed(headers)

    def strip(self, chunk: bytes) -> bytes:
        """What the client gets of the response so far, and has not got yet. Often nothing."""
        return chunk if self._removal is None else self._removal.feed(chunk)

    def rest(self) -> bytes:
        """What was held back, where the response ends."""
        return b"" if self._removal is None else self._removal.close()


def can_be_stripped(status: int, head: Head) -> bool:
    """Whether a response is a stream of events that is not compressed."""
    if status != 200 or b"content-encoding" in head.framing_headers:
        return False
    return head.framing_headers.get(b"content-type", b"").lower().startswith(b"text/event-stream")
