"""Bodies and responses of the HTTP API. Unknown fields are refused; amounts of money are exact JSON numbers."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import msgspec
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, StrictBool, WithJsonSchema
from pydantic.alias_generators import to_camel

from schemas.price import CostState
from schemas.usage import UsageSource

T = TypeVar("T")


def _plain(amount: Decimal | None) -> msgspec.Raw | None:
    """Digits as they are, without an exponent and without the trailing zeros of the column's scale."""
    if amount is None:
        return None
    digits = f"{amount:f}"
    return msgspec.Raw(digits.rstrip("0").rstrip(".") if "." in digits else digits)


def instant(timestamp: datetime) -> str:
    """`timestamp` as all responses show it: UTC, to the millisecond."""
    return timestamp.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{timestamp.microsecond // 1000:03d}Z"


def _figure(value: object) -> object:
    if isinstance(value, Decimal):
        return _plain(value)
    return instant(value) if isinstance(value, datetime) else value


Usd = Annotated[Decimal, PlainSerializer(_plain, return_type=Any), WithJsonSchema({"type": "number"})]
MaybeUsd = Annotated[
    Decimal | None,
    PlainSerializer(_plain, return_type=Any),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "null"}]}),
]
Timestamp = Annotated[datetime, PlainSerializer(instant), WithJsonSchema({"type": "string", "format": "date-time"})]
Figure = Annotated[
    object,
    PlainSerializer(_figure, return_type=Any),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}, {"type": "null"}]}),
]

MAX_OTHERS = 100
OthersCreatedAt = Annotated[
    list[Timestamp] | None,
    Field(
        description=f"Of other requests with this id, the newest {MAX_OTHERS}: `created_at` asks for one. Each is a "
        "charge of its own. Null where `created_at` was given"
    ),
]

FILTER_HELP = (
    'A filter is `"all"`, `{}`, a branch `{"left": filter, "operator": "and"|"or", "right": filter}`, or a leaf '
    '`{"request_response_rmt": {column: {operator: value}, "properties": {name: {operator: value}}}}`. '
    "All conditions of a leaf must hold. Unknown names are refused."
)
FILTER_EXAMPLE = {
    "request_response_rmt": {
        "request_created_at": {"gte": "2024-01-01T00:00:00Z"},
        "properties": {"UserTier": {"equals": "premium"}},
    }
}

RAW_EVENTS_HELP = (
    "Of streamed responses the events as the provider sent them, as text. Otherwise the one JSON response that they "
    "make, with `farebox_truncated` where the stream broke off"
)
RawEvents = Annotated[bool, Field(description=RAW_EVENTS_HELP)]

FilterJson = Annotated[Any, Field(description=FILTER_HELP, examples=[FILTER_EXAMPLE])]


class Body(BaseModel):
    """What clients send: in camel case, and nothing that is not named here."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


class View(BaseModel):
    """What clients are shown."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Envelope(View, Generic[T]):
    """Helicone's, around the data of a response."""

    data: T
    error: None = None


class QueryRequest(Body):
    filter: FilterJson
    offset: int = Field(0, strict=True, ge=0, le=2**53)
    limit: int = Field(10, strict=True, ge=0, le=1000)
    sort: dict[str, Any] = Field(
        default_factory=dict,
        description="One key and its direction. By default the newest requests come first.",
        examples=[{"created_at": "desc"}, {"properties": {"Feature": "asc"}}, {"random": True}],
    )
    is_cached: StrictBool | None = Field(
        None,
        description="Accepted and without effect, as in Helicone, whose clients always send it: filter by `cached`",
    )
    include_inputs: StrictBool = Field(False, description="With the bodies of request and response")
    raw_events: StrictBool = Field(False, description=RAW_EVENTS_HELP)
    is_scored: StrictBool | None = Field(None, description="Only requests with scores, or without; none has any")
    is_part_of_experiment: StrictBool | None = Field(None, description="Accepted and without effect, as in Helicone")


class IdsRequest(Body):
    request_ids: list[UUID] = Field(max_length=1000)


class ReplacedView(View):
    """What a row held before the same key logged its call again."""

    written_at: Timestamp = Field(description="When it was logged, or re-priced since")
    user_id: str
    model: str
    cost_usd: MaybeUsd
    cost_state: CostState


class RequestView(View):
    """One request, under the names and in the order of Helicone, and then our own."""

    response_id: str = Field(description="A UUID, made from the request's identity; the provider's is in the body")
    response_body: Any = Field(None, description="With `includeInputs`: JSON where the text is JSON, or a stream")
    response_created_at: Timestamp
    response_status: int = Field(description="HTTP status; -2 timed out, -3 the client disconnected")
    request_id: str
    request_body: Any = None
    request_created_at: Timestamp
    request_user_id: str
    request_properties: dict[str, str]
    provider: str
    delay_ms: int
    request_model: str = Field(description="The requested model")
    ai_gateway_body_mapping: str = ""
    time_to_first_token: int | None
    total_tokens: int | None = Field(
        description="Prompt, completion, reasoning and citations. Null when unknown, as all counts"
    )
    completion_tokens: int | None
    reasoning_tokens: int | None
    prompt_cache_read_tokens: int | None
    prompt_cache_write_tokens: int | None
    prompt_tokens: int | None
    prompt_audio_tokens: int | None
    completion_audio_tokens: int | None
    country_code: str | None = None
    scores: dict[str, int] = Field(default_factory=dict)
    properties: dict[str, str]
    asset_ids: list[str] = Field(default_factory=list)
    target_url: str
    cache_reference_id: str = Field(description="The nil UUID when the response was not cached")
    request_referrer: str = ""
    cache_enabled: bool
    cost: MaybeUsd = Field(description="US dollars; null when unknown, see cost_state")
    cost_alias: MaybeUsd = Field(serialization_alias="costUSD")
    cost_usd: MaybeUsd
    cost_state: CostState
    cache_saved_usd: MaybeUsd
    usage_source: UsageSource
    outcome: str
    is_stream: bool
    price_id: str
    prompt_id: str
    prompt_version: str = ""
    updated_at: Timestamp
    storage_location: str = "clickhouse"
    size_bytes: int
    model: str = Field(description="The model that was billed")
    feedback_created_at: Timestamp | None = None
    signed_body_url: str = Field(
        description='Both bodies as `{"request", "response"}`, without a key: for 30 minutes, and for whoever has it'
    )
    prompt_image_tokens: int | None = Field(description="Of prompt_tokens, as prompt_audio_tokens are")
    completion_image_tokens: int | None = Field(description="Of completion_tokens, as completion_audio_tokens are")
    prompt_cache_read_audio_tokens: int | None = Field(description="Of prompt_cache_read_tokens")
    prompt_cache_write_5m_tokens: int | None = Field(description="Of prompt_cache_write_tokens; kept five minutes")
    prompt_cache_write_1h_tokens: int | None = Field(description="Of prompt_cache_write_tokens; kept an hour")
    prompt_audio_seconds: int | None = Field(description="Where audio is counted by its length")
    citation_tokens: int | None
    web_searches: int | None
    file_searches: int | None
    usage_mismatch: bool = Field(description="The provider's figures do not add up to its own totals")
    usage_incomplete: bool = Field(description="Something was used that has no figure here")
    service_tier: str = Field(description="That the provider says it billed; empty for the standard one")
    provider_cost_usd: MaybeUsd = Field(description="What the provider itself says that it costs")
    reprice_id: str = Field(description="Of the re-pricing that changed the cost last; empty when none did")
    original_cost_usd: MaybeUsd = Field(
        description="With a reprice_id: the cost before any re-pricing; null when unknown"
    )
    key_id: str = Field(description="Of the key that sent or logged the request; empty where that was not kept")
    is_logged: bool = Field(description="The client logged the call afterwards: it did not pass the proxy")
    replaced: list[ReplacedView] = Field(description="What stood here before the call was logged again, oldest first")


class OneRequestView(RequestView):
    """What an id names."""

    also_created_at: OthersCreatedAt


class BodiesView(View):
    """What is behind a `signed_body_url`, without the envelope of other responses."""

    request: Any = Field(description="JSON where the text is JSON; null when none is stored")
    response: Any = Field(description="Likewise; of a stream the one response that its events make")
