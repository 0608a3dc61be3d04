"""(how a group stood, what is seen of it now) -> (how it stands, what people should be notified of).

A threshold has one notice in a period: a calendar window, or of a rolling one the time until it is resolved. A notice
is the difference between how a group stands and what people know; so who must not be notified now, as while an
alert is muted, is notified later, of what is still so then.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from schemas.alert import Aggregation, AlertRule, AlertState, Direction, GroupState, Threshold
from schemas.notice import NoticeKind, NoticeUnit
from services.domain.alerts.metrics import METRICS

_RANKS: Final[Mapping[AlertState, int]] = {
    AlertState.OK: 0,
    AlertState.NO_DATA: 0,
    AlertState.WARNING: 1,
    AlertState.CRITICAL: 2,
}


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """What is seen of a group in a window. `value` is compared; None: unknown, or there is nothing to measure."""

    value: Decimal | None
    requests: int
    actual: Decimal | None = None  # where something else is compared: the value so far
    limit: Decimal | None = None  # where that is no threshold of the rule: the highest that is usual
    forecast_at: datetime | None = None
    detail: str = ""


NOTHING: Final = Observation(value=None, requests=0)


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One look at an alert. Before all is known (`complete`) things can only become worse."""

    at: datetime  # where the window ends
    period: datetime | None  # where a calendar window starts
    closes: datetime | None = None  # and where it ends
    complete: bool = True


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What people should be notified of a group."""

    kind: NoticeKind
    state: AlertState
    threshold: Threshold | None = None


class Step(msgspec.Struct, frozen=True):
    """How the group stands before anybody is notified of `event`; `notified` is how it stands after that."""

    state: GroupState
    event: Event | None = None


def step(rule: AlertRule, before: GroupState, seen: Observation, look: Look) -> Step:
    """The next state of a group. Pure: the same of the same."""
    if look.period is not None and before.period is not None and look.period < before.period:
        return Step(before)  # its period is over: closed windows are looked at on their own
    reached = reached_threshold(rule, seen)
    is_early = reached is not None and may_still_pass(rule, reached, seen, look.at, look.closes)
    has_rolled = look.period is not None and before.period is not None and look.period > before.period
    if reached is not None and not is_early:
        return _worse(rule, _new_period(before) if has_rolled else before, reached, seen, look)
    if not look.complete or (before.since is not None and look.at < before.since):
        return Step(before)
    if is_early and before.fires:
        return Step(before)  # the new period says nothing yet
    return _quiet(rule, before, seen, look, at_once=has_rolled)


def reached_threshold(rule: AlertRule, seen: Observation) -> Threshold | None:
    """The furthest one that is reached."""
    if seen.value is None or seen.requests < rule.minimum_requests:
        return None
    reached = [one for one in rule.thresholds if _is_reached(rule.direction, seen.value, one.value)]
    return reached[-1] if reached else None


def may_still_pass(
    rule: AlertRule, reached: Threshold, seen: Observation, at: datetime, closes: datetime | None
) -> bool:
    """Whether a sum is below a threshold only because its window is not over: every window begins at zero.

    A sum below zero, which is a loss, did not begin there; so a threshold up to zero counts at once.
    """
    is_sum = rule.aggregation is Aggregation.SUM and METRICS[rule.metric].unit is not NoticeUnit.SHARE
    if rule.direction is not Direction.BELOW or not is_sum or closes is None or at >= closes:
        return False
    return reached.value > 0 or seen.value is None or seen.value >= 0


def notified(state: GroupState, event: Event, at: datetime) -> GroupState:
    """`state` after people were notified of `event`."""
    if event.kind is NoticeKind.REMINDER:
        return msgspec.structs.replace(state, notified_at=at)
    if event.kind is NoticeKind.RESOLVED:
        return msgspec.structs.replace(state, notified=AlertState.OK, notified_at=at)
    fired = state.fired if event.threshold is None else event.threshold.value
    return msgspec.structs.replace(state, notified=event.state, notified_at=at, fired=fired)


def is_remembered(state: GroupState) -> bool:
    """Whether anything of it differs from a group that was never seen."""
    is_notified = state.notified is not AlertState.OK or state.has_incident or state.in_summary
    return state.fires or is_notified or state.fired is not None


def worst(states: Mapping[str, GroupState]) -> AlertState:
    """Of all groups; OK of none."""
    return max((one.state for one in states.values()), key=lambda state: _RANKS[state], default=AlertState.OK)


def rank(state: AlertState) -> int:
    return _RANKS[state]


def _is_reached(direction: Direction, value: Decimal, threshold: Decimal) -> bool:
    return value >= threshold if direction is Direction.ABOVE else value <= threshold


def _is_beyond(direction: Direction, threshold: Decimal, fired: Decimal | None) -> bool:
    if fired is None:
        return True
    return threshold > fired if direction is Direction.ABOVE else threshold < fired


def _new_period(before: GroupState) -> GroupState:
    """Still over a threshold in a new period: people are notified anew."""
    return msgspec.structs.replace(before, fired=None, notified=AlertState.OK, notified_at=None, quiet_since=None)


def _worse(rule: AlertRule, before: GroupState, reached: Threshold, seen: Observation, look: Look) -> Step:
    is_same = before.state is reached.level and before.since is not None
    state = msgspec.structs.replace(
        before,
        state=reached.level,
        since=before.since if is_same else look.at,
        period=look.period or before.period or look.at,
        quiet_since=None,
        value=_shown(seen),
        requests=seen.requests,
    )
    return Step(state, _event(rule, state, reached, look))


def _event(rule: AlertRule, state: GroupState, reached: Threshold, look: Look) -> Event | None:
    is_notified = _RANKS[state.notified] > 0
    is_higher = is_notified and _RANKS[reached.level] > _RANKS[state.notified]
    if is_higher or _is_beyond(rule.direction, reached.value, state.fired):
        kind = NoticeKind.ESCALATED if is_notified else NoticeKind.FIRING
        return Event(kind=kind, state=reached.level, threshold=reached)
    if is_notified and rule.renotify_s is not None and _seconds(state.notified_at, look.at) >= rule.renotify_s:
        return Event(kind=NoticeKind.REMINDER, state=reached.level, threshold=reached)
    return None


def _seconds(since: datetime | None, at: datetime) -> float:
    return 0.0 if since is None else (at - since).total_seconds()


def _quiet(rule: AlertRule, before: GroupState, seen: Observation, look: Look, *, at_once: bool) -> Step:
    """Nothing is reached. What fired stays so until that has lasted for the cool-down, or its period is over."""
    seen_state = msgspec.structs.replace(before, value=_shown(seen), requests=seen.requests)
    if before.fires and not at_once:
        quiet_since = before.quiet_since or look.at
        if look.at - quiet_since < timedelta(seconds=rule.cooldown_s):
            return Step(msgspec.structs.replace(seen_state, quiet_since=quiet_since))
    # Unknown is not zero: without a known value there is nothing to say.
    level = AlertState.OK if seen.requests and seen.value is not None else AlertState.NO_DATA
    state = msgspec.structs.replace(
        seen_state,
        state=level,
        since=before.since if before.state is level and before.since is not None else look.at,
        period=look.period,
        fired=None if at_once or look.period is None else before.fired,
        quiet_since=None,
    )
    if seen.value is None and seen.requests and _RANKS[state.notified] and not at_once:
        return Step(state)  # nobody knows whether it is over
    return Step(state, _quiet_event(rule, state, look))


def _quiet_event(rule: AlertRule, state: GroupState, look: Look) -> Event | None:
    if _RANKS[state.notified] > 0 or (state.notified is AlertState.NO_DATA and state.state is AlertState.OK):
        return Event(kind=NoticeKind.RESOLVED, state=AlertState.OK)
    # A day that has just begun has no requests yet, and that is nothing to tell of.
    is_over = look.closes is None or look.at >= look.closes
    if rule.notify_no_data and is_over and state.state is AlertState.NO_DATA and state.notified is AlertState.OK:
        return Event(kind=NoticeKind.NO_DATA, state=AlertState.NO_DATA)
    return None


def _shown(seen: Observation) -> Decimal | None:
    return seen.value if seen.actual is None else seen.actual
