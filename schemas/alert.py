"""Alerts: what is watched, when that fires, and how it stood at its last evaluation."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from schemas.notice import Notice, NoticeLevel

AlertState = NoticeLevel  # how an alert, or one of its groups, stands: OK, WARNING, CRITICAL or NO_DATA


class AlertMetric(StrEnum):
    """What is watched of the requests of a window."""

    COST = "cost"
    REQUESTS = "requests"
    TOTAL_TOKENS = "total_tokens"
    PROMPT_TOKENS = "prompt_tokens"
    COMPLETION_TOKENS = "completion_tokens"
    CACHE_READ_TOKENS = "prompt_cache_read_tokens"
    CACHE_WRITE_TOKENS = "prompt_cache_write_tokens"
    ERRORS = "errors"
    ERROR_RATE = "error_rate"
    LATENCY = "latency"
    TIME_TO_FIRST_TOKEN = "time_to_first_token"  # noqa: S105  # no secret
    CACHE_HIT_RATE = "cache_hit_rate"
    UNPRICED_SHARE = "unpriced_share"
    MARGIN = "margin"
    MARGIN_RATIO = "margin_ratio"


class Aggregation(StrEnum):
    """How the figures of single requests become one."""

    SUM = "sum"
    AVERAGE = "avg"
    MIN = "min"
    MAX = "max"
    PERCENTILE = "percentile"


class Condition(StrEnum):
    """What a threshold is compared with."""

    THRESHOLD = "threshold"  # the value of the window
    FORECAST = "forecast"  # what the value will be when the window ends
    ANOMALY = "anomaly"  # what is usual; there is no threshold then


class Direction(StrEnum):
    """On which side of a threshold it fires. The threshold itself is on that side."""

    ABOVE = "above"
    BELOW = "below"


class CalendarUnit(StrEnum):
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"


class AlertWindow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The last so many seconds, or what has passed of a day, week and so on of a time zone: one of both."""

    rolling_s: int | None = None
    calendar: CalendarUnit | None = None
    time_zone: str = "UTC"  # IANA name


class Threshold(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step. `value` is in the metric's unit: US dollars, milliseconds, a count, or a share of one."""

    value: Decimal
    level: AlertState  # WARNING or CRITICAL
    label: str = ""  # such as "80 % of $500"


class GroupBy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A column of requests, or a property."""

    name: str
    is_property: bool = False


class AlertRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is watched, and when it fires."""

    metric: AlertMetric
    aggregation: Aggregation
    percentile: Decimal | None = None  # 0 to 100
    condition: Condition = Condition.THRESHOLD
    direction: Direction = Direction.ABOVE
    thresholds: tuple[Threshold, ...] = ()  # from the first that is reached on; none of an anomaly
    window: AlertWindow
    filter: object = "all"  # JSON, as clients wrote it
    by: tuple[GroupBy, ...] = ()
    minimum_requests: int = 0  # in the window, below which nothing fires
    renotify_s: int | None = None  # between reminders while it fires; None: there are none
    cooldown_s: int = 300  # for which a value is on the quiet side before it counts as resolved
    notify_no_data: bool = False


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One row."""

    id: str  # UUID
    organization_id: str
    name: str
    rule: AlertRule
    channel_ids: tuple[str, ...] = ()
    created_at: datetime
    updated_at: datetime
    active_since: datetime  # when what it watches last changed: nothing fires for windows that ended before
    muted_until: datetime | None = None


class GroupState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one group stands; of an alert without groups its only one. What is missing is OK, without a notice."""

    state: AlertState = AlertState.OK
    since: datetime | None = None  # in this state
    period: datetime | None = None  # a calendar window's start, or when a rolling one left OK
    fired: Decimal | None = None  # the furthest threshold that people were notified of in the period
    notified: AlertState = AlertState.OK  # the highest level that people were notified of and that is not resolved yet
    notified_at: datetime | None = None
    quiet_since: datetime | None = None  # since when nothing is reached any more
    value: Decimal | None = None
    requests: int = 0
    has_incident: bool = False  # people were notified of it alone, and not yet that it is over
    in_summary: bool = False  # the same, in a summary

    @property
    def fires(self) -> bool:
        return self.state in (AlertState.WARNING, AlertState.CRITICAL)


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """What one evaluation found."""

    at: datetime  # until when the window reached
    evaluated_at: datetime
    state: AlertState  # the worst of all groups
    complete: bool  # the seal covered the window
    complete_until: datetime | None
    window_start: datetime
    value: Decimal | None  # of all groups the one that is furthest
    compared: Decimal | None  # with the thresholds: the value, a forecast, or 1 for what is unusual
    requests: int
    groups: int  # that were found
    firing_groups: int
    notices: int
    detail: str = ""  # why nothing could be judged


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """From the first notice of an alert to its resolution."""

    id: str
    alert_id: str
    alert_name: str
    metric: AlertMetric
    state: AlertState  # the worst it came to
    value: Decimal | None  # when it began
    started_at: datetime
    ended_at: datetime | None


class AlertProgress(msgspec.Struct, frozen=True, kw_only=True):
    """Up to where an alert is evaluated. `turn` counts what was written: of two who evaluate at once one writes."""

    turn: int = 0
    evaluated_until: datetime | None = None
    raised_until: datetime | None = None  # up to where it was looked at before the seal came so far
    looked_back_at: datetime | None = None  # when closed windows were last looked at again
    notified_groups: tuple[datetime, ...] = ()  # when single groups of it were notified of, in the last hour
    summary_at: datetime | None = None
    state: AlertState = AlertState.OK
    groups: Mapping[str, GroupState] = {}  # by their values as JSON
    notified_channels: tuple[str, ...] = ()  # ids of those that were notified of what is not over yet


class PendingNotice(msgspec.Struct, frozen=True, kw_only=True):
    """A notice that is to be kept. Not if one of the ids `unless` is kept: then people know that, or worse."""

    notice: Notice
    key: str = ""  # of its group
    unless: Sequence[str] = ()
    channel_ids: Sequence[str] = ()
    ends_incident: bool = False  # only for channels that keep an incident until they hear that it is over


class EpisodeStep(StrEnum):
    """What becomes of an alert's episode."""

    STAYS = "stays"
    BEGINS = "begins"
    ENDS = "ends"


class KeptTurn(msgspec.Struct, frozen=True, kw_only=True):
    """What one look at an alert leaves behind: all of it is written at once, or nothing."""

    alert: Alert  # as it was evaluated: when it was changed meanwhile, nothing is written
    progress: AlertProgress
    changed: Mapping[str, GroupState | None]
    notices: Sequence[PendingNotice]
    evaluation: Evaluation | None = None  # None: closed windows were looked at again
    episode: EpisodeStep = EpisodeStep.STAYS
