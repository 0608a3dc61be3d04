"""What budgets read of a request's body: whose it is, which model, and how large it can become."""

from typing import Final

import msgspec

from schemas.event import RequestEvent
from schemas.usage import RequestInfo
from services.domain.budgets.bound import Size, size_of
from services.domain.budgets.fallback import with_model
from services.domain.exchange.body import read_body
from services.domain.exchange.capture import Capture
from services.domain.exchange.headers import YES, Head, header_option
from services.domain.usage.request.info import RESOURCE, parse_request, parse_request_body
from services.domain.usage.request.options import may_run_paid_tools

STATUS_HEADER: Final = b"Helicone-Budget-Status"


class BudgetReading(msgspec.Struct, frozen=True, kw_only=True):
    info: RequestInfo
    model: str  # by which the request is priced, as far as it says
    size: Size | None  # None where the body does not tell
    content: bytes = b""  # that may name another model; b'' where it may not

    def with_model(self, model: str) -> bytes | None:
        """None where the body does not name its model."""
        return with_model(self.content, model) if self.content else None


def read_request(capture: Capture, method: bytes, body: bytes | None, body_bytes: int) -> BudgetReading:
    """Of the request of `capture`. `body` is None where it is too large to be held."""
    target, framing = capture.target, capture.head.framing_headers
    content_type = framing.get(b"content-type", b"").decode("latin-1")
    encoding = framing.get(b"content-encoding", b"").decode("latin-1")
    read = read_body(body or b"", content_type, encoding, body_bytes)
    info = parse_request_body(read)
    event = RequestEvent(
        organization_id=capture.organization_id,
        request_id=capture.request_id,
        created_at=capture.created_at,
        provider=target.provider,
        method=method.decode("latin-1"),
        target_url=target.url,
    )
    info = parse_request(event, info)
    size = None
    if body is not None and read.whole:
        size = size_of(read.content, may_search=may_run_paid_tools(read.content, target.provider))
    return BudgetReading(
        info=info,
        model=info.billed_model or info.model.removeprefix(RESOURCE),
        size=None if size is None else msgspec.structs.replace(size, tier=info.tier),
        content=b"" if encoding or body is None else body,
    )


def asks_for_status(head: Head) -> bool:
    """Whether the response is to say what is left."""
    return (header_option(head.helicone_headers, STATUS_HEADER) or b"").decode("latin-1") in YES
