"""Responds in a provider's place, where the request brings its response: `__helicone-mock-response`.

Not a byte leaves, so nothing is billed, and the row says so. It is an Upstream for one request.
"""

from schemas.origin import Origin
from services.ports.upstream import Headers, ResponseReceiver

_HEADERS = [(b"Content-Type", b"application/json")]


class MockUpstream:
    """Its calls respond with status 200 and `body` as soon as the request is whole."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def call(self, origin: Origin, receiver: ResponseReceiver) -> "MockCall":  # noqa: ARG002
        return MockCall(self._body, receiver)

    def sweep(self) -> None: ...

    async def close(self) -> None: ...


class MockCall:
    """The UpstreamCall port."""

    begun = False  # nothing reaches a provider
    waited_s = 0.0

    def __init__(self, body: bytes, receiver: ResponseReceiver) -> None:
        self._body = body
        self._receiver: ResponseReceiver | None = receiver
        self._whole = False

    def send_head(self, method: bytes, target: bytes, headers: Headers, body_bytes: int | None) -> None:  # noqa: ARG002
        self._whole = body_bytes is None

    def send_chunk(self, chunk: bytes) -> None: ...

    def finish(self) -> None:
        self._whole = True

    def flush(self) -> None:
        """Nothing more is at hand, so the response may begin: where the request is whole."""
        receiver = self._receiver
        if not self._whole or receiver is None:
            return
        self._receiver = None
        receiver.response_head(200, b"OK", [*_HEADERS, (b"Content-Length", b"%d" % len(self._body))])
        receiver.response_chunk(self._body)
        receiver.response_end()

    def pause_response(self) -> None: ...

    def resume_response(self) -> None: ...

    def hand_over(self, receiver: ResponseReceiver) -> None:
        if self._receiver is not None:
            self._receiver = receiver

    def abort(self) -> None:
        self._receiver = None
