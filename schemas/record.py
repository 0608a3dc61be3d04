"""What is stored: one row per finished request, and its bodies apart. Field order is column order of the table."""

from datetime import datetime
from decimal import Decimal

import msgspec

from schemas.event import Outcome
from schemas.price import CostState
from schemas.usage import UsageSource


class RequestRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `request_response_rmt`, made from an event by one pure function, so it can be made again."""

    organization_id: str
    request_created_at: datetime
    request_id: str
    version: int  # of the event, so that a replay never beats a correction; see schemas/versions.py
    response_created_at: datetime
    provider: str
    model: str  # the billed model; '' when none was named
    request_model: str  # the requested model
    target_url: str
    status: int  # HTTP status, or -2 timed out, -3 client disconnected
    outcome: Outcome
    is_stream: bool
    latency_ms: int
    time_to_first_token_ms: int | None  # streams only
    user_id: str
    session_id: str
    session_name: str
    session_path: str
    prompt_id: str
    properties: dict[str, str]  # names in lower case
    property_spellings: list[str]  # the same names as the client spelled them
    prompt_tokens: int
    prompt_cache_read_tokens: int
    prompt_cache_read_audio_tokens: int
    prompt_cache_read_image_tokens: int
    prompt_cache_write_5m_tokens: int
    prompt_cache_write_1h_tokens: int
    prompt_cache_write_12h_tokens: int
    prompt_audio_tokens: int
    prompt_image_tokens: int
    prompt_video_tokens: int
    prompt_audio_ms: int
    prompt_characters: int
    completion_tokens: int
    reasoning_tokens: int
    completion_audio_tokens: int
    completion_image_tokens: int
    completion_video_tokens: int
    citation_tokens: int
    web_searches: int
    file_searches: int
    document_pages: int
    annotated_pages: int
    usage_source: UsageSource
    usage_mismatch: bool  # the classes are inconsistent with the provider's own totals
    usage_incomplete: bool  # something was used that no class holds
    provider_usage: str  # the provider's own usage object, as JSON text
    service_tier: str  # that the provider reports as billed; '' for the standard one
    cost_usd: Decimal | None  # None exactly when cost_state is unknown
    cost_state: CostState
    price_id: str
    provider_cost_usd: Decimal | None  # reported by the provider, or by the client that logged the call
    calculated_cost_usd: Decimal | None  # by our prices, where the cost is the provider's own bill; None if unknown
    calculated_price_id: str  # the price that was calculated by; '' where the cost is no bill
    other_models: str  # JSON: what other models used for this one, in the classes too, and what of the cost is theirs
    reprice_id: str  # of the re-pricing that changed this row last; '' for a row as it was charged at first
    original_cost_usd: (
        Decimal | None
    )  # what the row cost before any re-pricing; None when that was unknown, or is current
    cache_enabled: bool
    cache_reference_id: str | None  # set exactly when the response came from the response cache
    cache_saved_usd: Decimal | None  # what a cached response would have cost; None when not cached or unknown
    budget_reserved_usd: Decimal | None  # that budgets held for it: what it counts as in them while its cost is unknown
    attempt_of: str | None  # of an attempt that another one followed: the id of the client's request
    request_bytes: int
    response_bytes: int
    key_id: str  # of the Farebox key that sent or logged it; '' in older events
    provider_key_hash: str  # keyed hash of the credential sent to the provider; '' where none was seen
    provider_organization: str  # whose account it was, as the response shows it, else the request
    provider_project: str
    provider_request_id: str  # of the response's headers, else of its body
    provider_response_id: str  # of the response's body
    request_fingerprint: str  # keyed hash of the body without its volatile members; '' where it was not whole
    response_model: str  # that the response names, whatever was billed
    proxy_id: str  # which process recorded it
    first_logged_us: int  # unix microseconds when its client logged it first; 0 for what passed the proxy
    logged_us: int  # when the log in this row was recorded, unchanged by repricing; 0 for what passed the proxy
    replaced: str  # JSON: the rows before the same call was logged again, the oldest first; '' for none


class RequestBodies(msgspec.Struct, frozen=True, kw_only=True):
    """The prompt and the response of one row, as text. Same identity as the record; its own lifetime."""

    organization_id: str
    request_created_at: datetime
    request_id: str
    version: int
    request_body: str
    response_body: str
