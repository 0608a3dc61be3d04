"""Up to when an alert is evaluated next, and which windows that are over are looked at again."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import takewhile, zip_longest
from typing import Final

from msgspec.structs import replace

from schemas.alert import Alert, AlertProgress, AlertRule, AlertWindow, Condition, GroupState
from services.domain.alerts.windows import MINUTE, Window, closed_before, whole_minute

# After a pause, so that people hear of what happened meanwhile and are not flooded.
MAX_ROLLING_POINTS: Final = 12  # half a window apart
MAX_CLOSED: Final = 3  # calendar windows

LOOK_BACK: Final = timedelta(days=1)  # for which a window that is over is looked at again
LOOK_BACK_EVERY: Final = timedelta(minutes=10)

ANOMALY_MINUTES: Final = 5

_MOST_AHEAD: Final = timedelta(minutes=10)  # a clock; above it what it left behind is forgotten


def due_until(rule: AlertRule, at: datetime) -> datetime:
    """Up to when it is evaluated at `at`: each minute, and what reads weeks of history every five."""
    minute = whole_minute(at)
    if rule.condition is not Condition.ANOMALY:
        return minute
    return minute - timedelta(minutes=minute.minute % ANOMALY_MINUTES)


def points(window: AlertWindow, evaluated_until: datetime | None, until: datetime) -> Sequence[datetime]:
    """When windows end that are to be evaluated now, the last one at `until`; none where that is done already."""
    if evaluated_until is None:
        return (until,)
    if until <= evaluated_until:
        return ()
    if window.rolling_s is not None:
        return tuple(reversed(list(_rolling(window.rolling_s, evaluated_until, until))))
    missed = takewhile(lambda one: one.end > evaluated_until, closed_before(window, until, MAX_CLOSED))
    return (*reversed([one.end for one in missed]), until)


def _rolling(rolling_s: int, evaluated_until: datetime, until: datetime) -> Sequence[datetime]:
    """The latest first: so close that no request is in none of their windows, as far back as there are points."""
    apart = max(MINUTE, timedelta(seconds=rolling_s // 120 * 60))
    found = [until]
    while len(found) < MAX_ROLLING_POINTS and found[-1] - apart > evaluated_until:
        found.append(found[-1] - apart)
    return found


def in_turns(alerts: Sequence[Alert], last: Mapping[str, str]) -> Sequence[Alert]:
    """One of each organization after the other, so that none waits for all of another's.

    `alerts` are in the order of their ids; of an organization those come first that are behind its `last` one.
    """
    by_organization: dict[str, list[Alert]] = {}
    for alert in alerts:
        by_organization.setdefault(alert.organization_id, []).append(alert)
    rotated = [
        sorted(found, key=lambda one: one.id <= last.get(one.organization_id, "")) for found in by_organization.values()
    ]
    return [alert for row in zip_longest(*rotated) for alert in row if alert is not None]


def within_clock(progress: AlertProgress, now: datetime) -> AlertProgress:
    """`progress` without what a clock that was ahead has left in it: an alert would be silent until then."""
    latest = now + _MOST_AHEAD

    def known(at: datetime | None) -> datetime | None:
        return None if at is not None and at > latest else at

    def group_within(state: GroupState) -> GroupState:
        is_ahead = known(state.period) is not state.period
        return replace(
            state,
            since=known(state.since),
            period=known(state.period),
            fired=None if is_ahead else state.fired,
            notified_at=known(state.notified_at),
            quiet_since=known(state.quiet_since),
        )

    return replace(
        progress,
        evaluated_until=known(progress.evaluated_until),
        raised_until=known(progress.raised_until),
        looked_back_at=known(progress.looked_back_at),
        summary_at=known(progress.summary_at),
        notified_groups=tuple(at for at in progress.notified_groups if at <= latest),
        groups={key: group_within(state) for key, state in progress.groups.items()},
    )


def windows_to_recheck(alert: Alert, progress: AlertProgress, at: datetime) -> Sequence[Window]:
    """Calendar windows that were over before the one of `at`: late requests may have been counted in them since.

    A rolling window has none: what comes late is in it as long as it is. Nor has a forecast: nothing is left to come.
    """
    if alert.rule.window.rolling_s is not None or progress.evaluated_until is None:
        return ()
    if alert.rule.condition is Condition.FORECAST:
        return ()
    if progress.looked_back_at is not None and at - progress.looked_back_at < LOOK_BACK_EVERY:
        return ()
    # Who changed its thresholds, or ended its mute, wants to hear of what comes, and not of what has been.
    since = max(at - LOOK_BACK, alert.active_since, alert.updated_at, alert.muted_until or alert.updated_at)
    return tuple(takewhile(lambda one: one.end > since, closed_before(alert.rule.window, at, MAX_CLOSED)))
