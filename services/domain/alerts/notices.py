"""The notices of an alert, with ids that are the same whoever makes them, and however often."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

import msgspec

from schemas.alert import Alert, AlertProgress, AlertState, Condition, PendingNotice, Threshold
from schemas.notice import GroupValue, Notice, NoticeKind, NoticeLevel, NoticeSource
from services.domain.alerts.machine import NOTHING, Event, Look, Observation, rank, reached_threshold
from services.domain.alerts.metrics import METRICS
from services.domain.alerts.turn import ONLY_GROUP, Announcement, Turn, all_notified
from services.domain.alerts.windows import Window, window_at

SHOWN_GROUPS: Final = 10  # of a summary
SUMMARIES: Final = ONLY_GROUP  # what an alert says of all its groups has no group
_SEPARATOR: Final = "\x1f"
_CROSSED: Final = (NoticeKind.FIRING, NoticeKind.ESCALATED)


def notices_of(
    alert: Alert, turn: Turn, look: Look, window: Window, complete_until: datetime | None, *, at: datetime
) -> list[PendingNotice]:
    """All that a turn tells. `at`: when it is made."""
    # Whoever was notified that something fires is notified that it does no more.
    everybody = all_notified(turn.progress, alert)
    made = [
        PendingNotice(
            notice=_single(alert, one, look, window, complete_until, at),
            key=one.key,
            channel_ids=everybody if one.event.kind is NoticeKind.RESOLVED else alert.channel_ids,
        )
        for one in turn.single
    ]
    ended = list(turn.ended)
    if turn.summary:
        notice = _summary(alert, turn, window, complete_until, at)
        made.append(PendingNotice(notice=notice, channel_ids=everybody if turn.ends_summaries else alert.channel_ids))
    elif turn.ends_summaries:
        ended.append(SUMMARIES)
    return [*made, *(_ended(alert, key, window, everybody, at, "") for key in ended)]


def last_notices(alert: Alert, progress: AlertProgress, *, at: datetime, detail: str) -> list[PendingNotice]:
    """What ends all that people were notified of: nobody looks at it any more, as `detail` says."""
    groups = progress.groups
    ended = [key for key, state in groups.items() if state.has_incident]
    if any(state.in_summary for state in groups.values()):
        ended.append(SUMMARIES)
    window, everybody = window_at(alert.rule.window, at), all_notified(progress, alert)
    return [_ended(alert, key, window, everybody, at, detail) for key in dict.fromkeys(ended)]


def _ended(
    alert: Alert, key: str, window: Window, channel_ids: Sequence[str], at: datetime, detail: str
) -> PendingNotice:
    event, seen = Event(kind=NoticeKind.RESOLVED, state=AlertState.OK), Observation(value=None, requests=0)
    notice = msgspec.structs.replace(
        _notice(alert, key, event, seen, window, None, at),
        notice_id=_id(alert, key, "ended", at),
        detail=detail,
    )
    return PendingNotice(notice=notice, key=key, channel_ids=channel_ids, ends_incident=True)


def late_notices(
    alert: Alert, seen: Mapping[str, Observation], window: Window, complete_until: datetime | None, *, at: datetime
) -> list[PendingNotice]:
    """Of a window that is over, in which more was found than had been known: each group's furthest threshold.

    Nothing of it is said again that was said in time, and nothing that is less.
    """
    look = Look(at=window.end, period=window.start, closes=window.closes)
    made = []
    for key, observation in seen.items():
        threshold = reached_threshold(alert.rule, observation)
        if threshold is None:
            continue
        event = Event(kind=NoticeKind.FIRING, state=threshold.level, threshold=threshold)
        notice = msgspec.structs.replace(
            _notice(alert, key, event, observation, window, complete_until, at),
            notice_id=_crossed_id(alert, key, window.start, threshold),
            detail="found after the window was over",
        )
        further = alert.rule.thresholds[alert.rule.thresholds.index(threshold) :]
        unless = [_crossed_id(alert, key, look.period, one) for one in further]
        made.append(PendingNotice(notice=notice, key=key, unless=unless, channel_ids=alert.channel_ids))
    return made


def group_of(alert: Alert, key: str) -> dict[str, str]:
    """The group's values by the names of its dimensions; {} of an alert without groups."""
    if not key:
        return {}
    values: list[str | None] = msgspec.json.decode(key, type=list[str | None])
    return {part.name: value or "" for part, value in zip(alert.rule.by, values, strict=True)}


def group_key(values: Sequence[object]) -> str:
    """What a group's state is kept by."""
    return msgspec.json.encode([None if value is None else str(value) for value in values]).decode()


def _single(
    alert: Alert, one: Announcement, look: Look, window: Window, complete_until: datetime | None, at: datetime
) -> Notice:
    notice = _notice(alert, one.key, one.event, one.seen, window, complete_until, at)
    return msgspec.structs.replace(notice, notice_id=_id_of(alert, one, look))


def _id_of(alert: Alert, one: Announcement, look: Look) -> str:
    if one.event.kind in _CROSSED and one.event.threshold is not None:
        return _crossed_id(alert, one.key, one.state.period, one.event.threshold)
    return _id(alert, one.key, one.event.kind, look.at)


def _crossed_id(alert: Alert, key: str, period: datetime | None, threshold: Threshold) -> str:
    """The same for a threshold that is reached at once and for one that others led up to."""
    return _id(alert, key, "crossed", period, threshold.value.normalize())


def _id(alert: Alert, *parts: object) -> str:
    text = _SEPARATOR.join(map(str, (alert.id, alert.active_since.isoformat(), *parts)))
    return sha256(text.encode()).hexdigest()


def _notice(
    alert: Alert,
    key: str,
    event: Event,
    seen: Observation,
    window: Window,
    complete_until: datetime | None,
    at: datetime,
) -> Notice:
    facts = METRICS[alert.rule.metric]
    is_anomaly = alert.rule.condition is Condition.ANOMALY
    reached = event.threshold or (None if is_anomaly else alert.rule.thresholds[0])
    return Notice(
        notice_id="",
        organization_id=alert.organization_id,
        source=NoticeSource.ALERT,
        source_id=alert.id,
        name=alert.name,
        kind=event.kind,
        level=NoticeLevel(event.state),
        created_at=at,
        group=group_of(alert, key),
        metric=facts.name,
        unit=facts.unit,
        value=seen.value if seen.actual is None else seen.actual,
        threshold=seen.limit if is_anomaly else None if reached is None else reached.value,
        threshold_label="the highest that is usual" if is_anomaly else "" if reached is None else reached.label,
        window_start=window.start,
        window_end=window.closes or window.end,
        zone=alert.rule.window.time_zone,
        complete_until=complete_until,
        forecast_at=seen.forecast_at,
        detail=seen.detail or _detail(event, seen),
        link_path=f"/dashboard/alerts/{alert.id}",
    )


def _detail(event: Event, seen: Observation) -> str:
    if event.kind in (NoticeKind.NO_DATA, NoticeKind.RESOLVED) and seen is NOTHING:
        return "no request fulfils the filter in this window"
    return ""


def _summary(alert: Alert, turn: Turn, window: Window, complete_until: datetime | None, at: datetime) -> Notice:
    """Its level is that of the worst group of the summaries: OK only where none of those fires any more."""
    summary, worst = turn.summary, turn.summary[0]
    known = [group.notified for group in turn.progress.groups.values() if group.in_summary]
    fire = sum(1 for one in summary if rank(one.event.state))
    notice = _notice(alert, "", worst.event, worst.seen, window, complete_until, at)
    return msgspec.structs.replace(
        notice,
        notice_id=_id(alert, "summary", window.end),
        kind=NoticeKind.SUMMARY,
        level=NoticeLevel(max(known, key=rank, default=AlertState.OK)),
        forecast_at=None,
        detail=f"{fire:,} groups fire, {len(summary) - fire:,} are resolved",
        groups=tuple(
            GroupValue(group=group_of(alert, one.key), level=NoticeLevel(one.event.state), value=one.state.value)
            for one in summary[:SHOWN_GROUPS]
        ),
        group_count=len(summary),
    )
