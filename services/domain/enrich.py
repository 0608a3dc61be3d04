"""ExchangeEvent -> RequestRecord and RequestBodies: the one place where usage and prices meet."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from schemas.event import ExchangeEvent, Outcome, RequestEvent, RequestTags, ResponseEvent
from schemas.price import Charge, ModelCharge, PriceBook
from schemas.record import RequestBodies, RequestRecord
from schemas.timestamps import unix_us
from schemas.usage import ParsedResponse, RequestInfo, Usage, UsageSource, usage_of_all
from schemas.versions import version_of
from services.domain.attribution.account import project_in
from services.domain.budgets.amounts import usd_of
from services.domain.exchange.body import Body
from services.domain.parsed_bodies import read_request, read_response
from services.domain.pricing.billable import request_generates
from services.domain.pricing.charge import FREE, spans_tiers
from services.domain.pricing.cost import charge_of
from services.domain.pricing.other_models import charge_models, encode_parts
from services.domain.usage.numbers_only import without_text
from services.domain.usage.request.fingerprint import fingerprint_of
from services.domain.usage.request.info import MAX_NAME_CHARACTERS, RESOURCE, parse_request
from services.domain.usage.response.reported_cost import storable_usd
from services.domain.usage.service_tier import with_region, with_requested_tier
from services.domain.usage.source import ResolvedUsage, resolve_usage

TIMED_OUT_STATUS: Final = -2
DISCONNECTED_STATUS: Final = -3
BROKEN_STATUS: Final = 502
FAILED_STREAM_STATUS: Final = 500

_LAST_TIMESTAMP: Final = datetime(9999, 12, 31, tzinfo=UTC)
_MAX_MS: Final = 2**32 - 1  # of the columns
_MAX_STATUS: Final = 2**15 - 1
_MAX_BYTES: Final = 2**63 - 1
_NOTHING_USED: Final = Usage()


def recorded_at_of(event: ExchangeEvent) -> datetime:
    """When `event` was handed to the event log, aware UTC. In events of older writers, when the response ended."""
    if event.recorded_at is not None:
        return _aware(event.recorded_at)
    return _later(_aware(event.request.created_at), _within(event.response.latency_ms, _MAX_MS))


def to_record(
    event: ExchangeEvent, prices: PriceBook, hash_key: bytes = b""
) -> tuple[RequestRecord, RequestBodies | None]:
    """The row of `event` and its bodies; None when there are none to store. Any event has a row.

    The same event, prices and key give the same row, so that a replay changes nothing. Without a `hash_key` requests
    have no fingerprint.
    """
    event = _in_utc(event)
    request = event.request
    hints, request_body = read_request(request)
    parsed, response_body = read_response(event, hints)
    if request.tags.omit_response:
        parsed = without_text(parsed)
    info = parse_request(request, hints.info)
    parsed = _of_one_context_tier(parsed, request, _model(request, info, parsed), prices)
    resolved = resolve_usage(event, parsed, hints)
    bill = _bill(event, info, parsed, resolved, prices)
    record = _record(event, info, parsed, bill, fingerprint_of(request, request_body, hash_key))
    return record, _bodies(record, request.tags, request_body, response_body)


class _Bill(NamedTuple):
    """What an exchange used and what it costs. A cached response uses nothing, and saves what the first one cost."""

    model: str
    tier: str
    usage: Usage
    usage_source: UsageSource
    charge: Charge
    others: tuple[ModelCharge, ...] = ()
    reported_usd: Decimal | None = None
    saved_usd: Decimal | None = None


def _bill(
    event: ExchangeEvent, info: RequestInfo, parsed: ParsedResponse, resolved: ResolvedUsage, prices: PriceBook
) -> _Bill:
    model = _model(event.request, info, parsed)
    request = event.request
    stated_tier = with_requested_tier(parsed, info.tier)

    def tier_of(name: str) -> str:
        return with_region(stated_tier, request.provider, request.target_url, name)

    tier = tier_of(model)
    others = charge_models(resolved.other_models, prices, request.provider, request.created_at, tier_of)
    charge = charge_of(event, model, tier, parsed, resolved, prices, others)
    if event.response.outcome is Outcome.CACHED:
        return _Bill(model, tier, _NOTHING_USED, resolved.source, FREE, saved_usd=charge.cost_usd)
    if not request_generates(event.request, parsed):  # it may repeat the usage of an earlier response
        return _Bill(model, tier, _NOTHING_USED, resolved.source, charge)
    usage = resolved.usage or _NOTHING_USED
    others = (charge.calculated or charge).others
    if others:
        usage = usage_of_all(usage, (part.usage for part in others))
    reported_usd = _reported_cost_usd(event.response, parsed)
    return _Bill(model, tier, usage, resolved.source, charge, others, reported_usd)


def _of_one_context_tier(
    parsed: ParsedResponse, request: RequestEvent, model: str, prices: PriceBook
) -> ParsedResponse:
    """`parsed`, marked as incomplete where its turns may be billed at different tiers, and are counted together."""
    usage, largest = parsed.usage, parsed.largest_prompt_tokens
    price = prices.price_at(request.provider, model, request.created_at) if usage is not None and largest else None
    if usage is None or price is None or not spans_tiers(usage, largest, price):
        return parsed
    return replace(parsed, complete=False)


def _record(
    event: ExchangeEvent, info: RequestInfo, parsed: ParsedResponse, bill: _Bill, fingerprint: str
) -> RequestRecord:
    request, response, tags = event.request, event.response, event.request.tags
    latency_ms = _within(response.latency_ms, _MAX_MS)
    is_stream = info.stream or parsed.streamed
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
        request_model=info.model,
        target_url=request.target_url,
        status=_status(response, parsed),
        outcome=response.outcome,
        is_stream=is_stream,
        latency_ms=latency_ms,
        time_to_first_token_ms=_first_token_ms(response, is_stream=is_stream),
        user_id=tags.user_id or info.user or tags.default_user_id or "",
        session_id=tags.session_id or "",
        session_name=tags.session_name or "",
        session_path=tags.session_path or "",
        prompt_id=tags.prompt_id or "",
        properties=properties,
        property_spellings=spellings,
        **msgspec.structs.asdict(bill.usage),  # its columns have the names of its classes
        usage_source=bill.usage_source,
        usage_mismatch=not parsed.consistent,
        usage_incomplete=not parsed.complete,
        provider_usage=parsed.usage_block,
        service_tier=bill.tier,
        cost_usd=bill.charge.cost_usd,
        cost_state=bill.charge.state,
        price_id=bill.charge.price_id,
        provider_cost_usd=bill.reported_usd,
        calculated_cost_usd=None if bill.charge.calculated is None else bill.charge.calculated.cost_usd,
        calculated_price_id="" if bill.charge.calculated is None else bill.charge.calculated.price_id,
        other_models=encode_parts(bill.others),
        reprice_id="",
        original_cost_usd=None,
        cache_enabled=tags.cache_enabled,
        cache_reference_id=response.cache_reference_id if response.outcome is Outcome.CACHED else None,
        cache_saved_usd=bill.saved_usd,
        budget_reserved_usd=usd_of(request.reserved_nano) if request.reserved_nano else None,
        attempt_of=request.attempt_of,
        request_bytes=_within(request.body_bytes, _MAX_BYTES),
        response_bytes=_within(response.body_bytes, _MAX_BYTES),
        key_id=request.key_id,
        provider_key_hash=request.account.key_hash,
        provider_organization=response.account.organization or request.account.organization,
        provider_project=_project(event),
        provider_request_id=response.provider_request_id or parsed.response_id,
        provider_response_id=parsed.response_id,
        request_fingerprint=fingerprint,
        response_model=parsed.model[:MAX_NAME_CHARACTERS],
        proxy_id=request.proxy_id,
        first_logged_us=logged_us,
        logged_us=logged_us,
        replaced="",
    )


def _model(request: RequestEvent, info: RequestInfo, parsed: ParsedResponse) -> str:
    """A non-LLM step has its own name, unless its response shows that a model was used."""
    step = request.step if parsed.usage is None else ""
    billed = info.billed_model or parsed.model or request.sent_model or info.model.removeprefix(RESOURCE)
    name = request.tags.model_override or step or billed or request.step
    return name[:MAX_NAME_CHARACTERS]


def _project(event: ExchangeEvent) -> str:
    request = event.request
    named = event.response.account.project or request.account.project
    return named or project_in(request.target_url, request.provider)


def _status(response: ResponseEvent, parsed: ParsedResponse) -> int:
    if response.outcome is Outcome.TIMED_OUT:
        return TIMED_OUT_STATUS
    if response.outcome is Outcome.CLIENT_DISCONNECTED:
        return DISCONNECTED_STATUS
    if response.status is None:
        return BROKEN_STATUS
    if parsed.failed and response.status < 400:
        return FAILED_STREAM_STATUS
    return _within(response.status, _MAX_STATUS)


def _reported_cost_usd(response: ResponseEvent, parsed: ParsedResponse) -> Decimal | None:
    """Reported by the provider; else by the client that logged the call."""
    if parsed.cost_usd is not None or response.reported_cost_usd is None:
        return parsed.cost_usd
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


def _bodies(record: RequestRecord, tags: RequestTags, request: Body, response: Body) -> RequestBodies | None:
    request_body = "" if tags.omit_request else request.text()
    response_body = "" if tags.omit_response else response.text()
    # Empty bodies replace those of an earlier log of the same call.
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
        return _LAST_TIMESTAMP


def _within(value: int, most: int) -> int:
    return min(max(value, 0), most)
