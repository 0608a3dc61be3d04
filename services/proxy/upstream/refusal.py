"""A response of Farebox's own in a provider's place, from a call that never began."""

from collections.abc import Mapping
from typing import Any

import msgspec

from schemas.errors import FareboxError
from services.ports.upstream import Headers
from services.proxy.errors import REASONS, error_body, status_of
from services.proxy.upstream.held_request import HeldRequest


def refuse(
    request: HeldRequest, error: FareboxError, headers: Headers = (), details: Mapping[str, Any] | None = None
) -> None:
    """Responds to `request` with `error`, with `headers` beside those of its body, and `details` beside its error."""
    status = status_of(error)
    # Helicone's clients look for `message` at the top.
    members = {"message": str(error), **msgspec.json.decode(error_body(error), type=dict), **(details or {})}
    body = msgspec.json.encode(members)
    request.receiver.response_head(
        status,
        REASONS[status],
        [(b"Content-Type", b"application/json"), (b"Content-Length", b"%d" % len(body)), *headers],
    )
    if request.head[0] != b"HEAD":
        request.receiver.response_chunk(body)  # which may be another one by now
    request.receiver.response_end()
