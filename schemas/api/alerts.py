"""Bodies and responses of the HTTP API about alerts: Helicone's fields, and what there is beside them."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StrictBool

from schemas.alert import Aggregation, AlertState, CalendarUnit, Condition, Direction
from schemas.api.reports import ByNameRequest
from schemas.api.requests import UTC_NAME, Body, Figure, FilterJson, MaybeUsd, NameWarning, Timestamp, View
from schemas.api.seal import SealView
from schemas.api.unions import Milliseconds
from schemas.notice import NoticeKind, NoticeUnit

DAY_MS = 86_400_000

_METRICS = (
    "cost, requests (Helicone's count), total_tokens, prompt_tokens, completion_tokens, prompt_cache_read_tokens, "
    "prompt_cache_write_tokens, errors, error_rate (Helicone's response.status), latency, time_to_first_token, "
    "cache_hit_rate, unpriced_share, margin or margin_ratio"
)
_UNITS = "In US dollars, milliseconds or as a count; shares and rates in percent"
Amount = Annotated[Decimal, Field(allow_inf_nan=False)]


Level = Literal[AlertState.WARNING, AlertState.CRITICAL]


class ThresholdRequest(Body):
    model_config = ConfigDict(alias_generator=None)

    value: Amount | None = Field(None, description=_UNITS)
    percent: Amount | None = Field(None, description="Of `threshold`, instead of `value`")
    level: Level | None = Field(
        None, description="By default CRITICAL for the last one and from 100 percent on, else WARNING"
    )


class AlertRequest(Body):
    """An alert. Fields that are Helicone's have its names and meaning."""

    model_config = ConfigDict(alias_generator=None)

    name: str = Field(min_length=1, max_length=200, examples=["Daily cost of production"])
    metric: str = Field(max_length=64, description=_METRICS, examples=["cost"])
    threshold: Amount | None = Field(None, description=f"{_UNITS}. With `thresholds` in percent what they are of")
    level: Level | None = Field(None, description="Of `threshold` alone, by default CRITICAL; of anomalies WARNING")
    thresholds: list[ThresholdRequest] = Field(
        default_factory=list,
        max_length=10,
        description="Several steps, each with one notice in a window or episode",
        examples=[[{"percent": 50}, {"percent": 80}, {"percent": 95}, {"percent": 100}]],
    )
    aggregation: Aggregation | None = Field(
        None, description="By default sum, or the average of latency and time_to_first_token; rates have none"
    )
    percentile: Amount | None = Field(None, description="Of the aggregation percentile, 0 to 100; by default 50")
    condition: Condition = Field(
        Condition.THRESHOLD,
        description="`forecast`: what a sum will be at the end of its calendar window. `anomaly`: what is unusual, "
        "as `POST /v1/report/anomalies` finds it; it has no threshold",
    )
    direction: Direction = Field(Direction.ABOVE, description="`below`: it fires at the threshold and below")
    time_window: Milliseconds | None = Field(
        None,
        description=f"Rolling, in milliseconds, as a number or text: 30 seconds to 30 days. By default {DAY_MS}, a day",
        examples=["86400000"],
    )
    calendar: CalendarUnit | None = Field(
        None, description="Instead of `time_window`: what has passed of the hour, day, week, month or quarter"
    )
    time_zone: str = Field(
        UTC_NAME, max_length=64, description="IANA name, in which calendar windows begin and times are shown"
    )
    filter: FilterJson = "all"
    grouping: str | None = Field(
        None, max_length=200, description="One state for each user, model, provider, column or property"
    )
    grouping_is_property: bool | None = Field(None, description="`grouping` is the name of a property")
    by: list[ByNameRequest] = Field(
        default_factory=list,
        max_length=3,
        description="Instead of `grouping`, as in reports",
        examples=[[{"column": "user_id"}]],
    )
    minimum_request_count: int | None = Field(
        None, ge=0, le=10**12, description="In the window, below which nothing fires"
    )
    emails: list[str] = Field(default_factory=list, max_length=100, description="A channel is made for each")
    slack_channels: list[str] = Field(default_factory=list, max_length=100, description="Likewise, by name or id")
    channel_ids: list[str] = Field(
        default_factory=list, max_length=100, description="Of `GET /v1/channels`, beside these"
    )
    renotify_s: int | None = Field(
        None, ge=60, le=31 * 86_400, description="Seconds between reminders while it fires; null: there are none"
    )
    cooldown_s: int = Field(
        300, ge=0, le=7 * 86_400, description="Seconds for which nothing is reached before it is resolved"
    )
    notify_no_data: StrictBool = Field(False, description="Notify when no request fulfils the filter in a window")


class MuteRequest(Body):
    until: str | None = Field(description="ISO 8601; null: no longer. A notice of what still fires follows then")


class BacktestRequest(AlertRequest):
    since: str = Field("30d", description="How far back: 24h, 7d, 4w, to 92 days")


class ThresholdView(View):
    value: Figure = Field(description=_UNITS)
    level: Level
    label: str = Field(description='Such as "80 % of $500"')


class EvaluationView(View):
    at: Timestamp = Field(description="Where the window ended")
    evaluated_at: Timestamp
    window_start: Timestamp
    state: AlertState = Field(description="The worst of all groups")
    value: MaybeUsd = Field(description="Of groups the one that is furthest. Shares are of one")
    compared: MaybeUsd = Field(description="With the thresholds: the value, a forecast, or 1 for what is unusual")
    requests: int
    groups: int
    firing_groups: int
    notices: int
    complete: bool = Field(description="All requests of the window had been counted")
    complete_until: Timestamp | None = Field(description="Until when they had been")
    detail: str


class AlertView(View):
    """An alert: first Helicone's fields."""

    id: str
    org_id: str
    name: str
    metric: str
    threshold: MaybeUsd = Field(description=f"The last of `thresholds`. {_UNITS}; null of an anomaly")
    aggregation: Aggregation
    percentile: MaybeUsd
    grouping: str | None = Field(description="The first of `by`")
    grouping_is_property: bool | None
    time_window: str = Field(description="In milliseconds; of a calendar window about its length")
    time_block_duration: int = Field(description="Milliseconds between evaluations")
    emails: list[str]
    slack_channels: list[str]
    minimum_request_count: int
    filter: object
    status: Literal["resolved", "triggered"]
    soft_delete: bool
    created_at: Timestamp
    updated_at: Timestamp
    state: AlertState
    thresholds: list[ThresholdView]
    level: Level = Field(description="Of the last of `thresholds`, or of an anomaly, which has none")
    unit: NoticeUnit = Field(description="Of values; here shares are of one")
    condition: Condition
    direction: Direction
    calendar: CalendarUnit | None
    time_zone: str
    by: list[dict[str, str]]
    channel_ids: list[str]
    renotify_s: int | None
    cooldown_s: int
    notify_no_data: bool
    muted_until: Timestamp | None
    active_since: Timestamp = Field(description="When what it watches was last changed")
    evaluated_until: Timestamp | None = Field(description="Where the window of the last evaluation ended")
    evaluation: EvaluationView | None = Field(description="The last one; null while there was none")


class EpisodeView(View):
    """From the first message to the resolution, with Helicone's fields."""

    id: str
    alert_id: str
    org_id: str
    alert_name: str
    alert_metric: str
    alert_start_time: Timestamp
    alert_end_time: Timestamp | None
    triggered_value: str = Field(description="When it began; '' where that is unknown")
    status: Literal["resolved", "triggered"]
    soft_delete: bool
    created_at: Timestamp
    updated_at: Timestamp
    state: AlertState = Field(description="The worst it came to")
    value: MaybeUsd = Field(description="`triggered_value` with all its digits. Shares are of one; null: unknown")


class AlertStatesView(View):
    """How many alerts stand how."""

    model_config = ConfigDict(alias_generator=None)

    OK: int
    WARNING: int
    CRITICAL: int
    NO_DATA: int


class AlertsView(View):
    alerts: list[AlertView]
    history: list[EpisodeView]
    historyTotalCount: int  # noqa: N815  # Helicone's


class GroupView(View):
    group: dict[str, str]
    state: AlertState
    since: Timestamp | None
    value: MaybeUsd
    requests: int


class AlertDetailView(AlertView):
    groups: list[GroupView] = Field(description="That fire, the worst first, at most 100")
    firing_groups: int


class AlertHistoryView(View):
    evaluations: list[EvaluationView] = Field(description="The latest first")
    episodes: list[EpisodeView]
    episodes_total: int


class PastEventView(View):
    at: Timestamp
    kind: NoticeKind
    level: AlertState
    group: dict[str, str]
    value: MaybeUsd
    threshold: MaybeUsd
    groups: int = Field(description="Of a summary: how many; else 0")


class PastValue(View):
    at: Timestamp
    value: MaybeUsd


class BacktestView(View):
    """Which notices a rule would have sent."""

    start: Timestamp
    end: Timestamp
    step_s: int = Field(description="Between its evaluations; in truth an alert is evaluated each minute")
    fired: int = Field(description="How often it would have fired")
    groups: int = Field(description="That were looked at")
    truncated: bool = Field(description="There are more groups, or more events, than are shown")
    events: list[PastEventView]
    values: list[PastValue] = Field(description="Of an alert without groups: at most 200 of them")


class CreatedAlert(View):
    """Helicone's response, and the back-test beside it."""

    data: str = Field(description="The alert's id")
    error: None = None
    backtest: BacktestView | None = Field(description="Of the last 30 days; null where that takes too much")
    warnings: list[NameWarning] = Field(description="Of names that were never seen")


class Check(View):
    """One reason for silence, and whether it holds."""

    check: str = Field(examples=["minimum_request_count"])
    ok: bool | None = Field(description="Null where that cannot be known")
    answer: str


class ChannelState(View):
    id: str
    name: str
    kind: str
    last_delivery: str = Field(description="`delivered`, `failed`, `waiting` and so on; '' while there was none")
    last_delivery_at: Timestamp | None
    error: str


class ExplainView(View):
    """Why an alert fires, or is silent."""

    alert: AlertView
    summary: str
    evaluation: EvaluationView | None = Field(description="The last one; null while there was none")
    seal_now: SealView = Field(description="Until when requests are counted now")
    matched_requests: int = Field(description="In the present window, by the filter")
    window_requests: int = Field(description="In the present window, without the filter")
    value_now: MaybeUsd
    channels: list[ChannelState]
    checks: list[Check] = Field(description="The guide's troubleshooting list, answered")
