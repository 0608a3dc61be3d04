"""Bodies and responses of the HTTP API about budgets, and about what was spent."""

from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

from pydantic import ConfigDict, Field

from schemas.api.requests import Body, MaybeUsd, Timestamp, Usd, View
from schemas.budget import BudgetAction, BudgetMode, Period, Segment, UnknownCost

MOST_VALUES: Final = 100  # of a budget, those that spent most, whose counters are read

_LIMIT = "US dollars, whole in nanodollars, at most 5,000,000"
_ACTION = (
    "Of a request without room: `notify` lets it pass, `block` refuses it with 429, `fallback` names another model"
)
_MODE = "`shadow`: requests are counted, and what would be done is recorded and not done"
_UNKNOWN = "Of a request whose cost has no upper bound, as its model has no price or its body cannot be read"
_THRESHOLDS = "Percents of the limit that are reported, each once a period"
_WHERE = "Properties that a request must have; names in any case"
_WINDOW = "Length of a rolling period, 60 seconds to 366 days"
_VALUE = "The one key id, user, session or value of the property; '' gives each a counter of its own"
_FALLBACK = "Cheaper model of the same provider, which the body of a request then names"


class _Plain(Body):
    model_config = ConfigDict(alias_generator=None)


class _PlainView(View):
    model_config = ConfigDict(alias_generator=None)


class BudgetRequest(_Plain):
    name: str = Field(max_length=100, description="Unique in the organization; rows name it", examples=["free tier"])
    limit_usd: Decimal = Field(description=_LIMIT, examples=[25])
    segment: Segment = Field(Segment.ORGANIZATION, description="What has a counter of its own")
    property: str = Field("", max_length=512, description="Name of the property, where that is the segment")
    value: str = Field("", max_length=512, description=_VALUE)
    where: dict[str, str] = Field(default_factory=dict, description=_WHERE, examples=[{"UserTier": "free"}])
    period: Period = Field(Period.MONTH, description="When counters begin anew: `rolling` ones never do")
    window_s: int = Field(0, description=_WINDOW)
    time_zone: str = Field("UTC", max_length=64, description="IANA name, for calendar periods")
    action: BudgetAction = Field(BudgetAction.BLOCK, description=_ACTION)
    fallback_model: str = Field("", max_length=512, description=_FALLBACK)
    mode: BudgetMode = Field(BudgetMode.ENFORCED, description=_MODE)
    unknown_cost: UnknownCost = Field(UnknownCost.PASS, description=_UNKNOWN)
    thresholds: list[int] = Field(default_factory=list, max_length=20, description=_THRESHOLDS)
    channel_ids: list[str] = Field(default_factory=list, max_length=20, description="Channels that report thresholds")


class BudgetChange(_Plain):
    """What is given changes; what a budget counts never does: make another one."""

    limit_usd: Decimal | None = Field(None, description=_LIMIT)
    action: BudgetAction | None = Field(None, description=_ACTION)
    fallback_model: str | None = Field(None, max_length=512, description=_FALLBACK)
    mode: BudgetMode | None = Field(None, description=_MODE)
    unknown_cost: UnknownCost | None = Field(None, description=_UNKNOWN)
    thresholds: list[int] | None = Field(None, max_length=20, description=_THRESHOLDS)
    channel_ids: list[str] | None = Field(None, max_length=20, description="Channels that report thresholds")


class OverrideRequest(_Plain):
    limit_usd: Decimal = Field(description="The limit until then, in US dollars")
    until: datetime = Field(description="When the budget's own limit holds again")


class OverrideView(_PlainView):
    limit_usd: Usd
    until: Timestamp


class BudgetView(_PlainView):
    id: str
    name: str
    limit_usd: Usd = Field(description="Its own; an override in force holds instead")
    segment: Segment
    property: str
    value: str
    where: dict[str, str]
    period: Period
    window_s: int
    time_zone: str
    action: BudgetAction
    fallback_model: str
    mode: BudgetMode
    unknown_cost: UnknownCost
    thresholds: list[int]
    channel_ids: list[str]
    override: OverrideView | None = Field(description="Null without one in force")
    created_at: Timestamp
    changed_at: Timestamp


class Freshness(_PlainView):
    source: Literal["counters", "ledger"] = Field(description="Counters hold each request once it has ended")
    rebuilt: bool = Field(description="Whether the ledger is in it; else only what was counted since")
    ledger_until: Timestamp | None = Field(description="Until when the ledger is in it; null where that is unknown")


class OvershootView(_PlainView):
    """By how much the limit can be exceeded as things stand, however many proxies there are: they share each counter.

    For requests of text that set a maximum of tokens; others by what they cost beyond what was reserved for them.
    """

    bound_usd: MaybeUsd = Field(description="Sum of the two below; null where the budget refuses nothing")
    killed_proxies_usd: Usd = Field(
        description="What requests under way may cost at most, and nobody would count were all proxies killed now"
    )
    lost_counters_usd: Usd = Field(
        description="What the ledger does not have yet, and nobody would remember were the counters lost now"
    )
    unknown_cost_passes: bool = Field(
        description="Requests whose cost has no upper bound may exceed it further, until nothing is left"
    )


class CounterView(_PlainView):
    value: str = Field(description="Of the segment; '' for the organization")
    limit_usd: Usd = Field(description="In force now")
    spent_usd: Usd
    reserved_usd: Usd = Field(description="What requests under way may cost at most")
    remaining_usd: Usd = Field(description="Limit less spent and reserved; below 0 where it was exceeded")
    starts_at: Timestamp = Field(description="Of the period; of a rolling one, when its oldest slot begins")
    resets_at: Timestamp | None = Field(description="Null for a rolling period")
    overshoot: OvershootView
    freshness: Freshness


class BudgetSpend(_PlainView):
    leading: CounterView | None = Field(description="Of the value with the least left; null where nothing was spent")
    counters: int = Field(description="How many values have spent something")
    used_up: int = Field(description="How many have nothing left: of the 100 that spent most")


class ListedBudget(BudgetView):
    spend: BudgetSpend | None = Field(
        description="What was spent in its period; null where not asked for, or not known now"
    )


class ForecastView(_PlainView):
    """By the ledger, at the pace of the whole hours or days of the period so far."""

    spent_usd: Usd = Field(description="What will be spent when the period ends")
    reaches_limit_by: Timestamp | None = Field(
        description="End of the hour or day in which the limit is reached; null where it is not, or has been"
    )


class BudgetState(_PlainView):
    budget: BudgetView
    counters: list[CounterView] = Field(description="Of the value that was asked for, else the highest first")
    forecast: ForecastView | None = Field(
        description="Of the first counter; null for rolling periods and years, with less than five whole hours or "
        "days (of an hour: five minutes), or where it is not known now"
    )
    unpriced_requests: int | None = Field(description="In the period, with an unknown cost; null where not looked up")


class BudgetEvent(_PlainView):
    request_id: str
    created_at: Timestamp
    status: str = Field(description="`blocked`, `fallback`, or `shadow`: it would have been one of these")
    user_id: str
    key_id: str
    requested_model: str
    model: str = Field(description="That responded")


class SpendView(_PlainView):
    segment: Segment
    property: str
    value: str
    period: Period
    time_zone: str
    starts_at: Timestamp
    resets_at: Timestamp | None
    spent_usd: Usd = Field(description="From the start of the period until now")
    unpriced_requests: int | None = Field(description="With an unknown cost; null where counters respond")
    budget: str = Field(description="Name of the budget whose counter it is; '' for none")
    limit_usd: MaybeUsd
    remaining_usd: MaybeUsd = Field(description="Null without a budget")
    freshness: Freshness
