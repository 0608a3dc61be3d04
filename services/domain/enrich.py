"""ExchangeEvent -> RequestRecord and RequestBodies: the one place where the parts meet."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from schemas.event import ExchangeEvent, Outcome, RequestEvent, RequestTags, ResponseEvent
from schemas.price import Charge, PriceBook
from schemas.record import RequestBodies, RequestRecord
from schemas.timestamps import unix_us
from schemas.usage import ParsedResponse, RequestInfo, Usage, UsageSource
from schemas.versions import version_of
from services.domain.exchange.body import Body
from services.domain.parsed_bodies import read_request, read_response
from services.domain.pricing.billable import request_generates
from services.domain.pricing.charge import FREE
from services.domain.pricing.cost import charge_of
from services.domain.usage.numbers_only import without_text
from services.domain.usage.request.info import MAX_NAME_CHARACTERS, parse_request
from services.domain.usage.response.reported_cost import storable_usd
from services.domain.usage.service_tier import with_region, with_requested_tier
from services.domain.usage.source import ResolvedUsage, resolve_usage

TIMED_OUT_STATUS: Final = -2
CLIENT_GONE_STATUS: Final = -3
BROKEN_STATUS: Final = 502
FAILED_STREAM_STATUS: Final = 500

_LAST_MOMENT: Final = datetime(9999, 12, 31, tzinfo=UTC)
_MAX_MS: Final = 2**32 - 1  # of the columns
_MAX_STATUS: Final = 2**15 - 1
_MAX_BYTES: Final = 2**63 - 1
_NOTHING_USED: Final = Usage()


def recorded_at_of(event: ExchangeEvent) -> datetime:
    """When `event` was handed to the event log, aware UTC. Those of older writers were as their answers ended."""
    if event.recorded_at is not None:
        return _aware(event.recorded_at)
    return _later(_aware(event.request.created_at), _within(event.response.latency_ms, _MAX_MS))


def to_record(event: ExchangeEvent, prices: PriceBook) -> tuple[RequestRecord, RequestBodies | None]:
    """The row of `event` and its bodies; None when there is nothing to keep of them. Any event has a row.

    The same event and prices give the same row, so that a row can be made again.
    """
    event = _in_utc(event)
    request = event.request
    hints, asked_body = read_request(request)
    reading, answer_body = read_response(event, hints)
    if request.tags.omit_response:
        reading = without_text(reading)
    asked = parse_request(request, hints.asked)
    consumption = resolve_usage(event, reading, hints)
    bill = _bill(event, asked, reading, consumption, prices)
    record = _record(event, asked, reading, bill)
    return record, _bodies(record, request.tags, asked_body, answer_body)


class _Bill(NamedTuple):
    """What an exchange used and what it costs. What comes from a cache uses nothing, and saves what was paid before."""

    model: str
    tier: str
    usage: Usage
    usage_source: UsageSource
    charge: Charge
    told_usd: Decimal | None = None
    saved_usd: Decimal | None = None


def _bill(
    event: ExchangeEvent, asked: RequestInfo, reading: ParsedResponse, consumption: ResolvedUsage, prices: PriceBook
) -> _Bill:
    model = _model(event.request, asked, reading)
    tier = with_region(with_requested_tier(reading, asked.tier), event.request.target_url, model)
    charge = charge_of(event, model, tier, reading, consumption, prices)
    if event.response.outcome is Outcome.CACHED:
        return _Bill(model, tier, _NOTHING_USED, consumption.source, FREE, saved_usd=charge.cost_usd)
    if not request_generates(event.request, reading):  # it may show the usage of an older answer
        return _Bill(model, tier, _NOTHING_USED, consumption.source, charge)
    usage = consumption.usage or _NOTHING_USED
    return _Bill(model, tier, usage, consumption.source, charge, _told_cost_usd(event.response, reading))


def _record(event: ExchangeEvent, asked: RequestInfo, reading: ParsedResponse, bill: _Bill) -> RequestRecord:
    request, response, tags = event.request, event.response, event.request.tags
    latency_ms = _within(response.latency_ms, _MAX_MS)
    is_stream = asked.stream or reading.streamed
    properties, spellings = _properties(tags.properties)
    logged_us = max(1, unix_us(recorded_at_of(event))) if request.logged else 0
    return RequestRecord(
        organization_id=request.organization_id,
        request_created_at=request.created_at,
        request_id=request.request_id,
        version=version_of(recorded_at_of(event), logged=request.logged),
        response_created_at=_later(request.created_at, latency_ms),
        provider=request.provider,
        model=bill.model,
        request_model=asked.model,
        target_url=request.target_url,
        status=_status(response, reading),
        outcome=response.outcome,
        is_stream=is_stream,
        latency_ms=latency_ms,
        time_to_first_token_ms=_first_token_ms(response, is_stream=is_stream),
        user_id=tags.user_id or asked.user,
        session_id=tags.session_id or "",
        session_name=tags.session_name or "",
        session_path=tags.session_path or "",
        prompt_id=tags.prompt_id or "",
        properties=properties,
        property_spellings=spellings,
        **msgspec.structs.asdict(bill.usage),  # its columns have the names of its classes
        usage_source=bill.usage_source,
        usage_mismatch=not reading.consistent,
        usage_incomplete=not reading.complete,
        provider_usage=reading.usage_block,
        service_tier=bill.tier,
        cost_usd=bill.charge.cost_usd,
        cost_state=bill.charge.state,
        price_id=bill.charge.price_id,
        provider_cost_usd=bill.told_usd,
        reprice_id="",
        original_cost_usd=None,
        cache_enabled=tags.cache_enabled,
        cache_reference_id=response.cache_reference_id if response.outcome is Outcome.CACHED else None,
        cache_saved_usd=bill.saved_usd,
        request_bytes=_within(request.body_bytes, _MAX_BYTES),
        response_bytes=_within(response.body_bytes, _MAX_BYTES),
        key_id=request.key_id,
        first_logged_us=logged_us,
        logged_us=logged_us,
        replaced="",
    )


def _model(request: RequestEvent, asked: RequestInfo, reading: ParsedResponse) -> str:
    """A step beside the model goes by its own name, unless it turns out that a model was used for it."""
    step = request.step if reading.usage is None else ""
    answered = asked.billed_model or reading.model or asked.model
    name = request.tags.model_override or step or answered or request.step
    return name[:MAX_NAME_CHARACTERS]


def _status(response: ResponseEvent, reading: ParsedResponse) -> int:
    if response.outcome is Outcome.TIMED_OUT:
        return TIMED_OUT_STATUS
    if response.outcome is Outcome.CLIENT_DISCONNECTED:
        return CLIENT_GONE_STATUS
    if response.status is None:
        return BROKEN_STATUS
    if reading.failed and response.status < 400:
        return FAILED_STREAM_STATUS
    return _within(response.status, _MAX_STATUS)


def _told_cost_usd(response: ResponseEvent, reading: ParsedResponse) -> Decimal | None:
    """By the provider; else by the client who logged the call."""
    if reading.cost_usd is not None or response.reported_cost_usd is None:
        return reading.cost_usd
    return storable_usd(response.reported_cost_usd)


def _first_token_ms(response: ResponseEvent, *, is_stream: bool) -> int | None:
    if not is_stream or response.first_byte_ms is None:
        return None
    return _within(response.first_byte_ms, _MAX_MS)


def _properties(tags: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """The properties by lower case name, and the names as spelled. Of two spellings of one name the first counts."""
    properties: dict[str, str] = {}
    spellings = []
    for name, value in tags.items():
        lowered = name.lower()
        if lowered not in properties:
            properties[lowered] = value
            spellings.append(name)
    return properties, spellings


def _bodies(record: RequestRecord, tags: RequestTags, asked: Body, answer: Body) -> RequestBodies | None:
    request_body = "" if tags.omit_request else asked.text()
    response_body = "" if tags.omit_response else answer.text()
    # Empty ones take the place of those of a log that this row may replace.
    may_replace = record.logged_us or tags.omit_request or tags.omit_response
    if not (request_body or response_body or may_replace):
        return None
    return RequestBodies(
        organization_id=record.organization_id,
        request_created_at=record.request_created_at,
        request_id=record.request_id,
        version=record.version,
        request_body=request_body,
        response_body=response_body,
    )


def _in_utc(event: ExchangeEvent) -> ExchangeEvent:
    request = event.request
    if request.created_at.tzinfo is not None:
        return event
    return replace(event, request=replace(request, created_at=_aware(request.created_at)))


def _aware(timestamp: datetime) -> datetime:
    return timestamp if timestamp.tzinfo is not None else timestamp.replace(tzinfo=UTC)


def _later(timestamp: datetime, by_ms: int) -> datetime:
    try:
        return timestamp + timedelta(milliseconds=by_ms)
    except OverflowError:
        return _LAST_MOMENT


def _within(value: int, most: int) -> int:
    return min(max(value, 0), most)
