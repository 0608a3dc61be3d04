"""Bodies and responses of the HTTP API about what is not priced, and about charging again."""

from datetime import date

from pydantic import ConfigDict, Field, StrictBool

from schemas.api.prices import PriceView
from schemas.api.reports import PricedRequestShare, PricedTokenShare, UnpricedRequests, UnpricedRequestsWithoutTokens
from schemas.api.requests import UTC_NAME, Body, MaybeUsd, Timestamp, TimeZone, View
from schemas.price import CostState
from schemas.reprice import RepriceState
from schemas.unpriced import Cause


class UnknownModel(View):
    """Requests of one model whose cost is unknown for one reason, by what helps against it."""

    provider: str
    model: str
    reason: CostState
    cause: Cause
    advice: str = Field(description="What helps, for people")
    price_helps: bool = Field(description="A price, and then a re-pricing, makes the cost known")
    requests: int
    prompt_tokens: int | None = Field(description="All input, cached or not. Null when no usage was reported")
    completion_tokens: int | None = Field(description="All output, reasoning too. Null when no usage was reported")
    first_seen_at: Timestamp
    last_seen_at: Timestamp
    example_request_ids: list[str] = Field(description="The latest few")
    nearest: PriceView | None = Field(
        None,
        description="The price of the known model whose name is most like this one: a hint, which is never applied",
    )


class UnknownModels(View):
    """What the totals of a period leave out, the most requests first."""

    start: Timestamp
    end: Timestamp
    requests: int = Field(description="All of the period, priced or not")
    unpriced_requests: int
    models: list[UnknownModel]
    truncated: bool = Field(description="There are more models than are shown")


class RepriceRequest(Body):
    model_config = ConfigDict(alias_generator=None)

    model: str = Field(
        min_length=1,
        max_length=200,
        description="Model as billed, ignoring case; each * stands for any text",
        examples=["gpt-4o*"],
    )
    provider: str = Field("", max_length=200, description="Ignoring case; by default any")
    since: str = Field(description="90m, 24h, 7d, 4w, or ISO 8601; from this timestamp on", examples=["30d"])
    until: str | None = Field(None, description="ISO 8601; before this timestamp. By default now")
    time_zone: TimeZone = UTC_NAME
    dry_run: StrictBool = Field(description="Say what would change, and change nothing")


class CoverageView(View):
    """How much of some requests is in the sum of their costs."""

    unpriced_requests: UnpricedRequests
    priced_request_share: PricedRequestShare
    priced_token_share: PricedTokenShare
    unpriced_requests_without_tokens: UnpricedRequestsWithoutTokens


class DifferenceView(View):
    requests: int
    changed: int = Field(description="Requests whose cost, or the reason why it is unknown, is another one")
    newly_priced: int
    newly_unknown: int
    before_usd: MaybeUsd = Field(description="Of the requests with a known cost; null when no request had one")
    before_coverage: CoverageView
    after_usd: MaybeUsd = Field(description="Null when no request has a known cost then")
    after_coverage: CoverageView
    difference_usd: MaybeUsd = Field(description="By how much totals move; null when no cost is known before or after")


class DayDifferenceView(DifferenceView):
    model: str
    day: date = Field(description="UTC")


class RepriceView(View):
    """One run. The sums are over the requests whose cost is known."""

    id: str
    state: RepriceState = Field(description="failed: broke off; a second run does the rest, and it can be undone")
    dry_run: bool
    model: str
    provider: str
    since: Timestamp
    until: Timestamp
    started_at: Timestamp
    ended_at: Timestamp | None
    undone_at: Timestamp | None
    rows_total: int
    rows_done: int = Field(description="Of `rows_total`: how far the run is, or its undoing")
    rows_left: int = Field(
        description="Undone: requests that cost something else than before the run, since they were logged again after"
    )
    error: str = Field(description="Why it broke off")
    total: DifferenceView | None = Field(description="Null until it ends")
    days: list[DayDifferenceView] = Field(description="Models and days on which something changes; for one run only")
