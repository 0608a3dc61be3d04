"""Bodies and responses of what could be saved: repeated prompts, broken prompt caches, and other prices."""

from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import Field

from schemas.api.reports import ByNameRequest, ByRequest, TimeFilter
from schemas.api.requests import TIME_ZONE_HELP, UTC_NAME, Body, Figure, FilterJson, MaybeUsd, Timestamp, Usd, View

WEEK_S: Final = 604_800
YEAR_S: Final = 31_536_000

Assumptions = Annotated[list[str], Field(description="What the figures take for granted, for people")]
By = Annotated[list[Figure], Field(description="One value for each part of `by`; null where a request has none")]
Truncated = Annotated[bool, Field(description="There are more groups than the limit; the total is over all of them")]


class SavingsRequest(Body):
    by: list[ByRequest] = Field(default_factory=list, max_length=4, examples=[[{"property": "Feature"}]])
    filter: FilterJson = "all"
    time_filter: TimeFilter
    time_zone: str = Field(UTC_NAME, description=f"{TIME_ZONE_HELP}; days, weeks and months begin there", max_length=64)
    limit: int = Field(100, strict=True, ge=1, le=1000)


class RepeatsRequest(SavingsRequest):
    max_age_s: int = Field(
        WEEK_S,
        strict=True,
        ge=1,
        le=YEAR_S,
        description="How long a response is served again, in seconds from when it was stored; by default a week, as "
        "`Cache-Control: max-age` in requests that use the response cache",
    )
    scope: list[ByNameRequest] = Field(
        default_factory=list,
        max_length=4,
        description="Whose requests share responses: those with the same values of these; by default all",
        examples=[[{"column": "user_id"}]],
    )
    top: int = Field(20, strict=True, ge=0, le=100, description="How many repeated prompts are listed")


class Repeated(View):
    """Requests whose prompt came more than once, and what a response cache would have saved of them."""

    requests: int
    cost_usd: MaybeUsd = Field(description="Of those with a known cost; null when none has one")
    unpriced_requests: int = Field(description="Requests whose cost is unknown, and so not in it")
    hits: int = Field(description="That the cache would have served")
    saved_usd: MaybeUsd = Field(description="What these cost, where it is known; null when it is known of none")
    unpriced_hits: int = Field(description="Hits whose cost is unknown, and so not in it")


class RepeatedGroup(Repeated):
    by: By


class RepeatedPrompt(Repeated):
    request_fingerprint: str = Field(description="By which its requests are found: a column of filters")
    models: list[str] = Field(description="At most three")
    users: int = Field(description="Different users that are named")
    user_ids: list[str] = Field(description="Ten of them at most")
    features: list[str] = Field(description="Values of the property Feature, ten at most")
    first_request_at: Timestamp
    last_request_at: Timestamp
    example_request_id: str = Field(description="The one that cost most")


class RepeatsView(View):
    """Those that would have saved most come first. Rows and `rest` add up to `total`; so do prompts and `other`."""

    start: Timestamp
    end: Timestamp
    period_cost_usd: MaybeUsd = Field(description="Of all requests that fulfil the filter, for comparison")
    total: Repeated
    rows: list[RepeatedGroup]
    rest: Repeated | None = Field(description="Of the groups beyond the limit")
    truncated: Truncated
    prompts: list[RepeatedPrompt]
    other_prompts: Repeated = Field(description="Of the repeated prompts that are not listed")
    assumptions: Assumptions


class PromptCacheRequest(SavingsRequest):
    pass


class LossView(View):
    certain_usd: MaybeUsd = Field(description="Null when it is known of none of these tokens")
    likely_usd: MaybeUsd = Field(description="Never less; null when it is known of none of these tokens")


class CacheLossView(View):
    """Of requests whose prompt is long enough for a cache. Tokens are of text."""

    requests: int
    other_requests: int = Field(
        description="Left out, since other models took part: which of the cached tokens are theirs is not looked at"
    )
    input_tokens: int = Field(description="All input: neither read nor written, read from the cache, and written to it")
    cache_read_tokens: int
    cache_write_tokens: int
    read_share: float | None = Field(description="Of the input, what was read from the cache; null without input")
    read_saved_usd: MaybeUsd = Field(
        description="What the text that was read would have cost more as plain input; null where no price is known"
    )
    write_extra_usd: MaybeUsd = Field(description="What writing cost beyond plain input; null where no price is known")
    unread_write_tokens_certain: int
    unread_write_tokens_likely: int
    unread_writes: LossView = Field(description="What writing cost beyond plain input, where nobody read it")
    repaid_tokens_certain: int
    repaid_tokens_likely: int
    repaid_input: LossView = Field(description="What input cost beyond reading it, that had been in the cache before")
    lost: LossView = Field(description="Both together")
    unpriced_lost_tokens: int = Field(description="Likely lost tokens without a known price, in none of the amounts")


class CacheLossGroup(CacheLossView):
    by: By


class PromptCacheView(View):
    """The groups that lost most come first. Rows and `rest` add up to `total`."""

    start: Timestamp
    end: Timestamp
    total: CacheLossView
    rows: list[CacheLossGroup]
    rest: CacheLossView | None = Field(description="Of the groups beyond the limit")
    truncated: Truncated
    assumptions: Assumptions


class AlternativeRequest(Body):
    provider: str = Field("", max_length=64, description="Whose price; by default that of each request's provider")
    model: str = Field("", max_length=256, description="By default the model of each request")
    service_tier: str = Field("", max_length=64, description="By default the standard one", examples=["batch", "flex"])


_OTHER_TIERS: Final = tuple(AlternativeRequest.model_validate({"serviceTier": tier}) for tier in ("batch", "flex"))


class WhatIfRequest(SavingsRequest):
    alternatives: list[AlternativeRequest] = Field(
        default_factory=lambda: list(_OTHER_TIERS),
        min_length=1,
        max_length=8,
        description="What all the requests might have been instead; by default the batch and the flex tier of each "
        "request's own model",
        examples=[[{"provider": "OPENAI", "model": "gpt-4o-mini"}, {"serviceTier": "batch"}]],
    )
    input_tokens_within: Decimal = Field(
        Decimal("0.2"), ge=0, le=1, description="How far another model may count the same input apart: 0.2 is 20%"
    )
    output_tokens_within: Decimal = Field(
        Decimal("0.3"), ge=0, le=1, description="How far the output of another model may be longer or shorter"
    )


class RangeUsd(View):
    low_usd: Usd
    high_usd: Usd


class WhatIfFigures(View):
    """Of the requests that can be compared with one alternative."""

    requests: int
    cost_usd: Usd = Field(description="What they cost")
    alternative: RangeUsd = Field(description="What they would have cost")
    saving: RangeUsd = Field(description="The difference; below zero where the alternative costs more")
    exact: bool = Field(description="Both ends are the same: the same tokens at published prices")
    other_requests: int = Field(
        description="That cannot be compared: of several models, or without known cost and usage, or price there"
    )


class Alternative(View):
    provider: str | None = Field(description="Null for that of each request")
    model: str | None = Field(description="Null for that of each request")
    service_tier: str = Field(description="'' for the standard one")
    kind: Literal["model", "service_tier"]


class WhatIfGroup(View):
    by: By
    figures: list[WhatIfFigures] = Field(description="One for each of `alternatives`")


class WhatIfView(View):
    """The groups with the most to save come first. Rows and `rest` add up to `total`."""

    start: Timestamp
    end: Timestamp
    alternatives: list[Alternative]
    total: list[WhatIfFigures] = Field(description="One for each of `alternatives`")
    rows: list[WhatIfGroup]
    rest: list[WhatIfFigures] | None = Field(description="Of the groups beyond the limit")
    truncated: Truncated
    assumptions: Assumptions
