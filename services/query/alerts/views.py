"""Alerts, their evaluations and back-tests as clients are shown them."""

from collections.abc import Sequence
from typing import Literal

from schemas.alert import Alert, AlertProgress, AlertState, Condition, Episode, Evaluation
from schemas.api.alerts import (
    AlertView,
    BacktestView,
    EpisodeView,
    EvaluationView,
    GroupView,
    PastEventView,
    PastValue,
    ThresholdView,
)
from schemas.channel import Channel, ChannelKind
from schemas.notice import NoticeKind, NoticeUnit
from services.alerting.backtest import Backtest
from services.domain.alerts.machine import rank
from services.domain.alerts.metrics import METRICS
from services.domain.alerts.notices import group_of
from services.query.alerts.rules import time_window_ms

MAX_EVENTS = 500  # of a back-test
_MAX_GROUPS = 100
_MINUTE_MS = 60_000


def alert_view(
    alert: Alert, progress: AlertProgress, evaluation: Evaluation | None, channels: Sequence[Channel]
) -> AlertView:
    """`channels` are all of the organization."""
    rule, own = alert.rule, [one for one in channels if one.id in alert.channel_ids]
    unit = METRICS[rule.metric].unit
    last = rule.thresholds[-1].value * (100 if unit is NoticeUnit.SHARE else 1)
    first = rule.by[0] if rule.by else None
    return AlertView(
        id=alert.id,
        org_id=alert.organization_id,
        name=alert.name,
        metric=rule.metric.value,
        threshold=None if rule.condition is Condition.ANOMALY else last,
        aggregation=rule.aggregation,
        percentile=rule.percentile,
        grouping=None if first is None else first.name,
        grouping_is_property=None if first is None else first.is_property,
        time_window=str(time_window_ms(rule.window)),
        time_block_duration=_MINUTE_MS,
        emails=[address for one in own if one.kind is ChannelKind.EMAIL for address in one.config.recipients],
        slack_channels=[one.config.slack_channel or one.name for one in own if one.kind is ChannelKind.SLACK],
        minimum_request_count=rule.minimum_requests,
        filter=rule.filter,
        status=_status(progress.state),
        soft_delete=False,
        created_at=alert.created_at,
        updated_at=alert.updated_at,
        state=progress.state,
        thresholds=[
            ThresholdView(value=one.value, level=_level(one.level), label=one.label)
            for one in (() if rule.condition is Condition.ANOMALY else rule.thresholds)
        ],
        level=_level(rule.thresholds[-1].level),
        unit=unit,
        condition=rule.condition,
        direction=rule.direction,
        calendar=rule.window.calendar,
        time_zone=rule.window.time_zone,
        by=[{"property" if one.is_property else "column": one.name} for one in rule.by],
        channel_ids=list(alert.channel_ids),
        renotify_s=rule.renotify_s,
        cooldown_s=rule.cooldown_s,
        notify_no_data=rule.notify_no_data,
        muted_until=alert.muted_until,
        active_since=alert.active_since,
        evaluated_until=progress.evaluated_until,
        evaluation=None if evaluation is None else evaluation_view(evaluation),
    )


def group_views(alert: Alert, progress: AlertProgress) -> list[GroupView]:
    """Groups that fire, the worst first."""
    firing = [(key, state) for key, state in progress.groups.items() if state.fires]
    firing.sort(key=lambda one: (-rank(one[1].state), -(one[1].value or 0), one[0]))
    return [
        GroupView(
            group=group_of(alert, key),
            state=state.state,
            since=state.since,
            value=state.value,
            requests=state.requests,
        )
        for key, state in firing[:_MAX_GROUPS]
    ]


def episode_view(episode: Episode, organization_id: str) -> EpisodeView:
    return EpisodeView(
        id=episode.id,
        alert_id=episode.alert_id,
        org_id=organization_id,
        alert_name=episode.alert_name,
        alert_metric=episode.metric.value,
        alert_start_time=episode.started_at,
        alert_end_time=episode.ended_at,
        triggered_value="" if episode.value is None else f"{episode.value:.2f}",
        status="triggered" if episode.ended_at is None else "resolved",
        soft_delete=False,
        created_at=episode.started_at,
        updated_at=episode.ended_at or episode.started_at,
        state=episode.state,
        value=episode.value,
    )


def evaluation_view(evaluation: Evaluation) -> EvaluationView:
    return EvaluationView(**{name: getattr(evaluation, name) for name in EvaluationView.model_fields})


def backtest_view(alert: Alert, found: Backtest) -> BacktestView:
    fired = [one for one in found.events if one.announcement.event.kind in (NoticeKind.FIRING, NoticeKind.ESCALATED)]
    return BacktestView(
        start=found.start,
        end=found.end,
        step_s=found.step_s,
        fired=len(fired),
        groups=found.groups,
        truncated=found.is_truncated or len(found.events) > MAX_EVENTS,
        events=[
            PastEventView(
                at=one.at,
                kind=NoticeKind.SUMMARY if one.of_groups else one.announcement.event.kind,
                level=one.announcement.event.state,
                group={} if one.of_groups else group_of(alert, one.announcement.key),
                value=one.announcement.state.value,
                threshold=None if one.announcement.event.threshold is None else one.announcement.event.threshold.value,
                groups=one.of_groups,
            )
            for one in found.events[:MAX_EVENTS]
        ],
        values=[PastValue(at=at, value=value) for at, value in found.values],
    )


def _status(state: AlertState) -> Literal["resolved", "triggered"]:
    return "triggered" if rank(state) else "resolved"


def _level(state: AlertState) -> Literal[AlertState.WARNING, AlertState.CRITICAL]:
    return AlertState.WARNING if state is AlertState.WARNING else AlertState.CRITICAL
