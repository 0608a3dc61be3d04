"""When a rule would have fired: the same state machine, over the windows of the past."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import msgspec

from schemas.alert import AlertProgress, AlertRule
from services.domain.alerts.machine import Look, Observation
from services.domain.alerts.turn import Announcement, take_turn
from services.domain.alerts.windows import window_at


class PastEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Which notice would have been sent, and when."""

    at: datetime
    announcement: Announcement
    of_groups: int = 0  # of a summary: how many; 0 of a message about one


def past_events(
    rule: AlertRule, points: Iterable[datetime], seen_at: Callable[[datetime], Mapping[str, Observation]]
) -> list[PastEvent]:
    """A fold over `points`, at which windows end, in order."""
    progress, events = AlertProgress(), []
    for at in points:
        window = window_at(rule.window, at)
        period = None if window.closes is None else window.start
        turn = take_turn(rule, progress, seen_at(at), Look(at=at, period=period, closes=window.closes))
        events += [PastEvent(at=at, announcement=one) for one in turn.single]
        if turn.summary:
            events.append(PastEvent(at=at, announcement=turn.summary[0], of_groups=len(turn.summary)))
        progress = turn.progress
    return events
