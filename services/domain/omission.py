"""Removes omitted bodies from an event before it is stored, and puts what decides the charge in their place.

The bodies are parsed by the same rules as in the worker, so the charge is the same. No text of them is left but the
names that a row has anyway: models, users, service tiers.
"""

from msgspec.structs import replace

from schemas.event import ExchangeEvent, RequestEvent, ResponseEvent
from schemas.omission import Omission
from schemas.usage import ParsedResponse, RequestHints
from services.domain.exchange.body import Body, read_body
from services.domain.exchange.bounded import bounded_request, bounded_response
from services.domain.parsed_bodies import read_request, read_response
from services.domain.usage.numbers_only import without_text
from services.domain.usage.request.fingerprint import fingerprint_of
from services.domain.usage.request.hints import stored_hints


def with_omission(event: ExchangeEvent, omission: Omission) -> ExchangeEvent:
    """`event` with tags that omit what the operator omits, in addition to what the client omits."""
    tags = event.request.tags
    omit_request = tags.omit_request or omission in (Omission.REQUEST, Omission.BOTH)
    omit_response = tags.omit_response or omission in (Omission.RESPONSE, Omission.BOTH)
    if (omit_request, omit_response) == (tags.omit_request, tags.omit_response):
        return event
    tags = replace(tags, omit_request=omit_request, omit_response=omit_response)
    return replace(event, request=replace(event.request, tags=tags))


def omits(event: ExchangeEvent) -> bool:
    """Whether `event` has a body that its tags omit."""
    request, response = event.request, event.response
    return (request.tags.omit_request and request.hints is None) or (
        request.tags.omit_response and response.parsed is None
    )


def without_bodies(event: ExchangeEvent, hash_key: bytes = b"") -> ExchangeEvent:
    """`event` without the bodies that its tags omit, and with what was parsed of them.

    Its charge is the same, and by the same `hash_key` its fingerprint. Of bodies that take long to parse only the
    beginning and the end are read: where these do not suffice, the charge is that of a truncated body.
    """
    request, response = event.request, event.response
    hints, _ = read_request(bounded_request(request))
    may_be_estimated = True
    if request.tags.omit_response:
        parsed, _ = read_response(replace(event, response=bounded_response(response)), hints)
        may_be_estimated = not parsed.final
        response = _of_response(response, without_text(parsed))
    if request.tags.omit_request:
        found = stored_hints(hints, counts_text=may_be_estimated)
        fingerprint = fingerprint_of(request, _body_of(request), hash_key)
        request = _of_request(request, replace(found, fingerprint=fingerprint))
    return replace(event, request=request, response=response)


def unread(event: ExchangeEvent) -> ExchangeEvent:
    """`event` without the bodies that its tags omit, where they could not be parsed. Its cost is unknown."""
    request, response = event.request, event.response
    if request.tags.omit_response:
        response = _of_response(response, ParsedResponse(final=False, truncated=True))
    if request.tags.omit_request:
        request = _of_request(
            request,
            RequestHints(may_use_hour_cache=True, may_use_cache=True, may_run_paid_tools=True, annotates_pages=None),
        )
    return replace(event, request=request, response=response)


def _body_of(request: RequestEvent) -> Body:
    return read_body(request.body, request.content_type, request.content_encoding, request.body_bytes)


def _of_request(request: RequestEvent, hints: RequestHints) -> RequestEvent:
    return replace(request, body=b"", content_type="", content_encoding="", hints=hints)


def _of_response(response: ResponseEvent, parsed: ParsedResponse) -> ResponseEvent:
    return replace(response, body=b"", body_tail=b"", content_type="", content_encoding="", parsed=parsed)
