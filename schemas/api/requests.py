"""Bodies and responses of the HTTP API. Unknown fields are refused; amounts of money are exact JSON numbers."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Generic, Literal, TypeVar
from uuid import UUID

import msgspec
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, StrictBool, WithJsonSchema
from pydantic.alias_generators import to_camel

from schemas.price import CostState
from schemas.usage import UsageSource

T = TypeVar("T")


def digits(amount: Decimal) -> str:
    """As they are, without an exponent and without the trailing zeros of the column's scale."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _plain(amount: Decimal | None) -> msgspec.Raw | None:
    return None if amount is None else msgspec.Raw(digits(amount).encode())


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


UTC_NAME: Final = "UTC"
TIME_ZONE_HELP: Final = "IANA name, such as Europe/Berlin: of timestamps without an offset"
TimeZone = Annotated[str, Field(max_length=64, description=TIME_ZONE_HELP)]


class Body(BaseModel):
    """What clients send: in camel case, and nothing that is not named here."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, alias_generator=to_camel)


class View(BaseModel):
    """What clients are shown."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Envelope(View, Generic[T]):
    """Helicone's, around the data of a response."""

    data: T
    error: None = None


class NameWarning(View):
    """A name or value in a request that no request of the organization has, so that what it finds is no true zero.

    `no_value_given`: what is asked for is known of no entry of `POST /v1/value`, so measures of value are null.
    `period_not_over`: value is given until the end of the period, and costs are there until now.
    `unknown_model`: no price is known for the model that usage is to be compared with.
    """

    code: Literal["unknown_property", "unknown_value", "no_value_given", "period_not_over", "unknown_model"]
    message: str = Field(description="For people")
    column: str | None = Field(description="Of which the value was never seen; null for the name of a property")
    name: str = Field(description="What was never seen; names of properties in lower case")
    nearest: str | None = Field(description="What was seen, or has a price, and differs from it by few letters")


class QueryRequest(Body):
    filter: FilterJson
    offset: int = Field(0, strict=True, ge=0, le=2**53)
    limit: int = Field(10, strict=True, ge=0, le=1000)
    cursor: str | None = Field(
        None,
        description="`next_cursor` of the page before, with all other fields as they were. Unlike with `offset`, no "
        "request is left out or shown twice while others come in. Of pages in the order of `created_at`",
    )
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
    time_zone: TimeZone = UTC_NAME
    is_scored: StrictBool | None = Field(None, description="Only requests with scores, or without")
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


class ModelPartView(View):
    """What another model used within a request: in the counts and the cost of the request too."""

    model: str = Field(description="Empty where neither request nor response names it")
    service_tier: str
    usage: dict[str, int] = Field(description="By class; the rest is the billed model's own")
    cost_usd: MaybeUsd
    cost_state: CostState
    price_id: str


class RequestView(View):
    """One request, under the names and in the order of Helicone, and then our own."""

    response_id: str = Field(
        description="A UUID, made from the request's identity; the provider's is `provider_response_id`"
    )
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
    scores: dict[str, int] = Field(default_factory=dict, description="By name; true is 1 and false is 0")
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
    attempt_of: str | None = Field(
        default=None, description="Of an attempt that another one followed: the id of the client's request"
    )
    usage_source: UsageSource
    outcome: str
    is_stream: bool
    price_id: str
    prompt_id: str
    prompt_version: str = ""
    updated_at: Timestamp = Field(description="When it was recorded, charged again or amended last")
    storage_location: str = "clickhouse"
    size_bytes: int
    model: str = Field(description="The model that was billed")
    feedback_created_at: Timestamp | None = Field(None, description="When the response was rated last")
    feedback_rating: bool | None = Field(None, description="Whether it was rated as good")
    signed_body_url: str = Field(
        description='Both bodies as `{"request", "response"}`, without a key: for 30 minutes, and for whoever has it'
    )
    prompt_image_tokens: int | None = Field(description="Of prompt_tokens, as prompt_audio_tokens are")
    prompt_video_tokens: int | None = Field(description="Of prompt_tokens, as prompt_audio_tokens are")
    completion_image_tokens: int | None = Field(description="Of completion_tokens, as completion_audio_tokens are")
    completion_video_tokens: int | None = Field(description="Of completion_tokens, as completion_audio_tokens are")
    prompt_cache_read_audio_tokens: int | None = Field(description="Of prompt_cache_read_tokens")
    prompt_cache_read_image_tokens: int | None = Field(description="Of prompt_cache_read_tokens")
    prompt_cache_write_5m_tokens: int | None = Field(
        description="Of prompt_cache_write_tokens; kept five minutes, or OpenAI's half an hour"
    )
    prompt_cache_write_1h_tokens: int | None = Field(description="Of prompt_cache_write_tokens; kept an hour")
    prompt_cache_write_12h_tokens: int | None = Field(description="Of prompt_cache_write_tokens; kept twelve hours")
    prompt_audio_ms: int | None = Field(description="Where audio is counted by its length: milliseconds")
    prompt_characters: int | None = Field(description="Of a text that was spoken, where the characters are billed")
    citation_tokens: int | None
    web_searches: int | None
    file_searches: int | None
    document_pages: int | None = Field(description="That were read, and not annotated")
    annotated_pages: int | None = Field(description="That were read and annotated")
    usage_mismatch: bool = Field(description="The provider's figures do not add up to its own totals")
    usage_incomplete: bool = Field(description="Something was used that has no figure here")
    service_tier: str = Field(description="That the provider says it billed; empty for the standard one")
    provider_cost_usd: MaybeUsd = Field(
        description="As reported by the provider, or by the client that logged the call"
    )
    calculated_cost_usd: MaybeUsd = Field(
        description="By our prices: the cost, unless that is the provider's own bill (price_id begins with bill/)"
    )
    cost_disputed: bool = Field(description="The reported cost contradicts what we calculate")
    other_models: list[ModelPartView] = Field(
        description="That used something for the billed one: an advisor, or one that draws"
    )
    reprice_id: str = Field(description="Of the re-pricing that changed the cost last; empty when none did")
    original_cost_usd: MaybeUsd = Field(
        description="With a reprice_id: the cost before any re-pricing; null when unknown"
    )
    key_id: str = Field(description="Of the key that sent or logged the request; empty where that was not kept")
    provider_key_hash: str = Field(
        description="Of the credential that was sent to the provider: equal for equal keys, and no key. Empty without "
        "one, as all that follow"
    )
    provider_organization: str = Field(description="At the provider, as its response says, else the request")
    provider_project: str = Field(description="Likewise")
    provider_request_id: str = Field(description="The id in the response's headers, else in its body")
    provider_response_id: str = Field(description="The id in the response's body")
    request_fingerprint: str = Field(
        description="Equal for equal request bodies, whatever their order, whitespace, user, metadata or stream flags"
    )
    response_model: str = Field(description="The model that the response names, whatever was billed")
    proxy_id: str = Field(description="Of the process that recorded the request")
    is_logged: bool = Field(description="The client logged the call afterwards: it did not pass the proxy")
    replaced: list[ReplacedView] = Field(description="What stood here before the call was logged again, oldest first")


class OneRequestView(RequestView):
    """What an id names."""

    also_created_at: OthersCreatedAt


class BodiesView(View):
    """What is behind a `signed_body_url`, without the envelope of other responses."""

    request: Any = Field(description="JSON where the text is JSON; null when none is stored")
    response: Any = Field(description="Likewise; of a stream the one response that its events make")
