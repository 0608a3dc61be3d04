"""One look at all groups of an alert: how each stands then, and which notices follow, single or as a summary."""

from collections.abc import Mapping, Sequence, Set
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec.structs import replace

from schemas.alert import Alert, AlertProgress, AlertRule, AlertState, GroupState, PendingNotice
from services.domain.alerts.machine import (
    NOTHING,
    Event,
    Look,
    Observation,
    Step,
    is_remembered,
    notified,
    rank,
    step,
    worst,
)

# Of one alert with groups: messages about single ones in an hour; above it a summary, and that not too often.
MAX_SINGLE: Final = 20
SUMMARY_EVERY: Final = timedelta(minutes=10)
_HOUR: Final = timedelta(hours=1)

MAX_GROUPS: Final = 10_000  # that are looked at

ONLY_GROUP: Final = ""  # the key of an alert without groups


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """What people are notified of one group."""

    key: str
    event: Event
    state: GroupState
    seen: Observation


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from one look."""

    progress: AlertProgress
    changed: Mapping[str, GroupState | None]  # of groups that stand otherwise now; None: nothing of it is remembered
    single: Sequence[Announcement] = ()
    summary: Sequence[Announcement] = ()
    ended: Sequence[str] = ()  # groups with a notice of their own, of whose end there is none
    ends_summaries: bool = False  # no group of a summary fires any more


def take_turn(
    rule: AlertRule, before: AlertProgress, seen: Mapping[str, Observation], look: Look, *, muted: bool = False
) -> Turn:
    """`seen` by group: a group that is missing has nothing in the window."""
    keys = [*seen, *(key for key in before.groups if key not in seen)] if rule.by else [ONLY_GROUP]
    steps = {key: step(rule, before.groups.get(key, GroupState()), seen.get(key, NOTHING), look) for key in keys}
    pending = [
        Announcement(key=key, event=made.event, state=made.state, seen=seen.get(key, NOTHING))
        for key, made in steps.items()
        if made.event is not None
    ]
    single, summary = ((), ()) if muted else _bounded(rule, before, pending, look.at)
    return _turn(rule, before, steps, look, single, summary, muted=muted)


def _bounded(
    rule: AlertRule, before: AlertProgress, pending: Sequence[Announcement], at: datetime
) -> tuple[Sequence[Announcement], Sequence[Announcement]]:
    """Notices of single groups, and those of a summary. Groups in neither get one later, if it is still so then."""
    if rule.by and before.summary_at is not None and at - before.summary_at < SUMMARY_EVERY:
        return (), ()
    recent = _recent(before, at)
    if not rule.by or len(recent) + len(pending) <= MAX_SINGLE:
        return pending, ()
    return (), sorted(pending, key=lambda one: (-rank(one.event.state), -(one.seen.value or 0), one.key))


def _recent(progress: AlertProgress, at: datetime) -> tuple[datetime, ...]:
    """When single groups were notified of in the hour before `at`."""
    return tuple(when for when in progress.notified_groups if at - when < _HOUR)


def _turn(
    rule: AlertRule,
    before: AlertProgress,
    steps: Mapping[str, Step],
    look: Look,
    single: Sequence[Announcement],
    summary: Sequence[Announcement],
    *,
    muted: bool,
) -> Turn:
    states = {key: made.state for key, made in steps.items()}
    for one in single:
        states[one.key] = replace(notified(one.state, one.event, look.at), has_incident=True)
    for one in summary:
        states[one.key] = replace(notified(one.state, one.event, look.at), in_summary=True)
    were_in_summary = any(state.in_summary for state in states.values())
    # While an alert is muted nobody is notified, not even that something is over.
    over = [] if muted else [key for key, state in states.items() if _is_over(state)]
    alone = {one.key for one in single}
    ended = [key for key in over if states[key].has_incident and key not in alone]
    for key in over:
        states[key] = replace(states[key], has_incident=False, in_summary=False)
    kept = {key: state for key, state in states.items() if not rule.by or is_remembered(state)}
    changed = {key: kept.get(key) for key in states if kept.get(key) != before.groups.get(key)}
    progress = replace(
        looked_until(before, look.at, complete=look.complete),
        notified_groups=_recent(before, look.at) + (look.at,) * len(single) if rule.by else (),
        summary_at=look.at if summary else before.summary_at,
        state=_state(rule, kept, steps),
        groups=kept,
    )
    return Turn(
        progress=progress,
        changed=changed,
        single=single,
        summary=summary,
        ended=ended,
        ends_summaries=were_in_summary and not any(state.in_summary for state in kept.values()),
    )


def _is_over(state: GroupState) -> bool:
    """People were notified of it, and know of nothing that goes on."""
    return (state.has_incident or state.in_summary) and state.notified is AlertState.OK and not state.fires


def _state(rule: AlertRule, kept: Mapping[str, GroupState], steps: Mapping[str, Step]) -> AlertState:
    if not rule.by:
        return kept[ONLY_GROUP].state
    if not steps:
        return AlertState.NO_DATA
    highest = worst(kept)
    return highest if rank(highest) else AlertState.OK


class LookBack(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from a look at windows that are over."""

    progress: AlertProgress
    changed: Mapping[str, GroupState]
    notices: Sequence[PendingNotice]


def look_back(
    rule: AlertRule, before: AlertProgress, late: Sequence[PendingNotice], known: Set[str], at: datetime
) -> LookBack:
    """Which of the notices `late` are sent: none twice, and the rest later. Each ends like one that was in time.

    `known` are the ids of notices that were sent before.
    """
    recent = _recent(before, at)
    new = [one for one in late if known.isdisjoint(one.unless)][: max(0, MAX_SINGLE - len(recent))]
    notified_groups = recent + (at,) * len(new) if rule.by else ()
    changed: dict[str, GroupState] = {}
    for one in new:
        changed[one.key] = _notified_late(changed.get(one.key) or before.groups.get(one.key, GroupState()), one, at)
    progress = replace(
        before,
        turn=before.turn + 1,
        looked_back_at=at,
        notified_groups=notified_groups,
        groups={**before.groups, **changed},
    )
    return LookBack(progress=progress, changed=changed, notices=new)


def _notified_late(state: GroupState, late: PendingNotice, at: datetime) -> GroupState:
    notice = late.notice
    if rank(state.notified) >= rank(notice.level):
        return replace(state, has_incident=True)
    says_nothing_yet = state.fired is None and not state.fires  # of a period after that of the notice
    period = notice.window_start if says_nothing_yet else state.period
    return replace(state, notified=notice.level, notified_at=at, period=period, has_incident=True)


def all_notified(progress: AlertProgress, alert: Alert) -> tuple[str, ...]:
    """Channels that may have had a notice of what is not over yet: also those that the alert has no more."""
    return tuple(dict.fromkeys((*alert.channel_ids, *progress.notified_channels)))


def with_notified_channels(progress: AlertProgress, alert: Alert) -> AlertProgress:
    """They are known until all is over."""
    goes_on = any(state.has_incident or state.in_summary for state in progress.groups.values())
    return replace(progress, notified_channels=all_notified(progress, alert) if goes_on else ())


def looked_until(before: AlertProgress, at: datetime, *, complete: bool) -> AlertProgress:
    """After a look at a window that ends at `at`, whatever it found."""
    if complete:
        return replace(before, turn=before.turn + 1, evaluated_until=at)
    return replace(before, turn=before.turn + 1, raised_until=at)


def is_notified(progress: AlertProgress) -> bool:
    """Whether people were notified that it fires, and not yet that it does no more."""
    return any(rank(group.notified) for group in progress.groups.values())
