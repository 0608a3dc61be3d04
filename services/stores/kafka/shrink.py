"""An event that is larger than a message may be -> the same one with less of its bodies, for as little as it takes."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from schemas.event import ExchangeEvent, RequestEvent, ResponseEvent, encode_event
from schemas.log_entry import decode_entry
from schemas.undecodable import UNDECODABLE
from services.stores.kafka.client import Entry
from services.telemetry.metrics import Metrics

BEGINNING_BYTES: Final = 64 * 2**10  # of a request's body, and as many of the end of a form or a response
_MAX_NAME_CHARACTERS: Final = 512


class _Members(msgspec.Struct):
    model: Any = ""
    stream: Any = False


_members = msgspec.json.Decoder(_Members)


def shortened(metrics: Metrics, entry: Entry, max_bytes: int) -> Entry:
    """`entry` with the first form of its event that has `max_bytes` at most; the smallest where none has.

    Bodies that are not kept whole are counted. Their sizes stay as they were, so readers know.
    """
    event = decode_entry(entry.payload)
    if not isinstance(event, ExchangeEvent):
        return entry  # an amendment, which is small: what a client sets at once is bounded
    payload, smaller = entry.payload, event
    for smaller in _smaller_forms(event, max_bytes):
        payload = encode_event(smaller)
        if len(payload) <= max_bytes:
            break
    cut = (smaller.request.body != event.request.body, smaller.response.body != event.response.body)
    metrics.add("proxy_bodies_dropped_total", sum(cut))
    return entry._replace(payload=payload)


def _smaller_forms(event: ExchangeEvent, max_bytes: int) -> Iterator[ExchangeEvent]:
    """What is worth most goes last: the response, and of that its end, which states what was used.

    A whole request is worth something beside a truncated response: it shows that nothing was used that the end leaves
    out.
    """
    request, response = _beginning_of(event.request), _ends_of(event.response, max_bytes // 2)
    yield replace(event, request=request)
    yield replace(event, response=response)
    yield replace(event, request=request, response=response)
    yield replace(event, request=replace(request, body=b""), response=replace(response, body=b"", body_tail=b""))


def _beginning_of(request: RequestEvent) -> RequestEvent:
    """The beginning of the body, in which the model can be found where it could be found before."""
    body = request.body
    if len(body) <= 2 * BEGINNING_BYTES:
        return request
    if "multipart/form-data" in request.content_type.lower():
        return replace(request, body=body[:BEGINNING_BYTES] + body[-BEGINNING_BYTES:])  # fields may stand behind files
    return replace(request, body=_model_first(body)[:BEGINNING_BYTES])


def _model_first(body: bytes) -> bytes:
    """The same object with its model before the long members, behind which many clients write it."""
    try:
        members = _members.decode(body)
    except UNDECODABLE:
        return body
    is_named = isinstance(members.model, str) and 0 < len(members.model) <= _MAX_NAME_CHARACTERS
    first: dict[str, object] = {"model": members.model} if is_named else {}
    if members.stream is True:
        first["stream"] = True
    return msgspec.json.encode(first)[:-1] + b"," + body.lstrip()[1:] if first else body


def _ends_of(response: ResponseEvent, beginning_bytes: int) -> ResponseEvent:
    """Beginning and end of the response. Of one that lacks something already, the end is what was kept as such."""
    body, end = response.body, response.body_tail
    if len(body) + len(end) >= response.body_bytes:
        body += end
        end = body[max(beginning_bytes, len(body) - BEGINNING_BYTES) :]
    return replace(response, body=body[:beginning_bytes], body_tail=end)
