"""The client's side of an exchange, and the proxy's own errors as JSON responses."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from schemas.errors import FareboxError, Rejected, Unavailable, UpstreamTimedOut, UpstreamUnavailable
from services.ports.upstream import Headers

FAILED = (b"Helicone-Status", b"failed")
SUCCESS = (b"Helicone-Status", b"success")


class MalformedRequest(Rejected):
    code = "malformed_request"
    status = 400


class UnknownMethod(Rejected):
    code = "unknown_method"
    status = 501


class MisdirectedRequest(Rejected):
    code = "misdirected_request"
    status = 421


class MethodNotAllowed(Rejected):
    code = "method_not_allowed"
    status = 405

    def __init__(self, path: str, allowed: str) -> None:
        """`allowed` as the Allow header has it."""
        super().__init__(f"{path} takes {allowed}")
        self.allowed = allowed


class NoWebSocket(Rejected):
    code = "websocket_not_supported"
    status = 501


class HeadTooLarge(Rejected):
    code = "head_too_large"
    status = 431


class RequestTooSlow(Rejected):
    code = "request_too_slow"
    status = 408


REASONS = {
    400: b"Bad Request",
    401: b"Unauthorized",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    409: b"Conflict",
    413: b"Content Too Large",
    421: b"Misdirected Request",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    501: b"Not Implemented",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
}


def status_of(error: FareboxError) -> int:
    match error:
        case UpstreamTimedOut():
            return 504
        case UpstreamUnavailable():
            return 502
        case Unavailable():
            return 503
        case Rejected():
            return 400 if error.status == 422 else error.status
        case _:
            return 500


def error_body(error: FareboxError) -> bytes:
    """JSON that both the OpenAI and the Anthropic SDK can show."""
    return msgspec.json.encode(
        {"type": "error", "error": {"type": "farebox_error", "code": error.code, "message": str(error)}}
    )


class Downstream(Protocol):
    """The client's side of one exchange: what a server binding offers."""

    def close_after(self) -> None:
        """The connection ends with this response, whose head will say so."""
        ...

    def send_head(self, status: int, reason: bytes, headers: Headers, body_bytes: int | None) -> None:
        """`headers` without framing, which follows from `body_bytes` (see ports.UNKNOWN_LENGTH; None: no body)."""
        ...

    def change_protocol(self, headers: Headers, stop: Callable[[], None]) -> bool:
        """Responds that another protocol begins: chunks are sent as they are, and what comes is the request's body.

        False, and nothing is sent, where the client has sent something before it knew, or the server stops. When the
        server stops later, `stop` is called.
        """
        ...

    def send_chunk(self, chunk: bytes) -> None: ...

    def flush(self) -> None:
        """Nothing more is at hand: what was sent so far should be written."""
        ...

    def finish(self) -> None:
        """The response is complete. Nothing follows."""
        ...

    def cut(self) -> None:
        """The response ends behind what was flushed, incomplete, and the client can notice. Nothing follows."""
        ...

    def proceed(self) -> None:
        """Requests a body that was held back (Expect: 100-continue)."""
        ...

    def pause_request(self) -> None: ...

    def resume_request(self) -> None: ...


def send_error(client: Downstream, error: FareboxError, *, request_id: str | None = None, bodiless: bool) -> None:
    """Responds with `error` and finishes; `bodiless` for HEAD, whose responses are heads only."""
    status = status_of(error)
    body = error_body(error)
    headers = [(b"Content-Type", b"application/json"), FAILED]
    if request_id is not None:
        headers.append((b"Helicone-Id", request_id.encode("ascii")))
    client.send_head(status, REASONS.get(status, b""), headers, None if bodiless else len(body))
    if not bodiless:
        client.send_chunk(body)
    client.finish()
