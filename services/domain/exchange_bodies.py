"""The bodies of an event -> what is said in them, the same whether they are at hand or were omitted."""

from schemas.event import ExchangeEvent, RequestEvent
from schemas.usage import Reading
from services.domain.body_text import Body, read_body
from services.domain.cut_answer import reading_of
from services.domain.folded_cache import with_cache_unfolded
from services.domain.hints import Hints
from services.domain.request_hints import HintsInBody
from services.domain.untold import as_asked


def read_request(request: RequestEvent) -> tuple[Hints, Body]:
    """What decides the charge, and the body, which is empty where it was omitted."""
    body = read_body(request.body, request.content_type, request.content_encoding, request.body_bytes)
    return request.hints or HintsInBody(body, request.provider), body


def read_response(event: ExchangeEvent, hints: Hints) -> tuple[Reading, Body]:
    """What the response to a request with `hints` says, and the body, which is empty where it was omitted."""
    response = event.response
    body = read_body(
        response.body, response.content_type, response.content_encoding, response.body_bytes, response.body_tail
    )
    if response.reading is not None:
        return response.reading, body
    reading = as_asked(reading_of(event, hints, body), event.request.provider, hints)
    return with_cache_unfolded(reading, hints, body) if event.request.logged else reading, body
