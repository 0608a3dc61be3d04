"""The bodies of an event -> what was parsed of them, the same whether they were stored or omitted."""

from msgspec.structs import replace

from schemas.event import ExchangeEvent, RequestEvent
from schemas.usage import ParsedResponse
from services.domain.exchange.body import Body, read_body
from services.domain.usage.folded_cache import flag_folded_cache
from services.domain.usage.request.hints import BodyHints, Hints
from services.domain.usage.request_hints import apply_request_hints, with_spoken_text
from services.domain.usage.response.response_id import response_id_in
from services.domain.usage.truncated import parse_truncated


def read_request(request: RequestEvent) -> tuple[Hints, Body]:
    """The hints that decide the charge, and the body, which is empty where it was omitted."""
    body = read_body(request.body, request.content_type, request.content_encoding, request.body_bytes)
    return request.hints or BodyHints(body, request.provider), body


def read_response(event: ExchangeEvent, hints: Hints) -> tuple[ParsedResponse, Body]:
    """The parsed response to a request with `hints`, and the body, which is empty where it was omitted."""
    response = event.response
    body = read_body(
        response.body, response.content_type, response.content_encoding, response.body_bytes, response.body_tail
    )
    if response.parsed is not None:
        return response.parsed, body
    parsed = replace(parse_truncated(event, hints, body), response_id=response_id_in(body.content))
    parsed = apply_request_hints(parsed, event.request.provider, hints)
    parsed = with_spoken_text(parsed, event, hints, body.content_type)
    return flag_folded_cache(parsed, hints, body) if event.request.logged else parsed, body
