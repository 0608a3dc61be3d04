"""Whatever fires and however it is told (by itself, in a summary, late), no incident stays open that is over."""

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.alert import Alert, AlertProgress, AlertWindow, CalendarUnit, GroupBy, PendingNotice
from schemas.notice import NoticeKind
from services.domain.alerts.machine import Look, Observation
from services.domain.alerts.notices import last_notices, late_notices, notices_of
from services.domain.alerts.turn import look_back, take_turn, with_notified_channels
from services.domain.alerts.windows import closed_before, window_at
from services.domain.messages.content import content_of
from services.domain.messages.pagerduty import pagerduty_payload
from tests.builders.alerts import START, an_alert

GROUPS = 25  # more than are told of one by one
HOUR = timedelta(hours=1)
WINDOWS = st.sampled_from([AlertWindow(rolling_s=3600), AlertWindow(calendar=CalendarUnit.HOUR)])
# Minutes since the step before, how many groups fire from which on, and how many are found late; muted or not.
STEPS = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, GROUPS), st.integers(0, GROUPS), st.integers(0, 3), st.booleans()),
    min_size=1,
    max_size=8,
)


class Pager:
    """What PagerDuty makes of the events that it gets."""

    def __init__(self) -> None:
        self.open: set[str] = set()

    def take(self, notices: list[PendingNotice]) -> None:
        for one in notices:
            event = pagerduty_payload(one.notice, content_of(one.notice, ""))
            key = str(event["dedup_key"])
            if event["event_action"] == "trigger":
                self.open.add(key)
            else:
                self.open.discard(key)


class Watched:
    """An alert whose channel is a pager."""

    def __init__(self, alert: Alert) -> None:
        self.alert, self.pager = alert, Pager()
        self.progress = AlertProgress()
        self._known: set[str] = set()

    def look(self, at: datetime, values: dict[str, int], *, muted: bool = False) -> None:
        rule, window = self.alert.rule, window_at(self.alert.rule.window, at)
        look = Look(at=at, period=None if window.closes is None else window.start, closes=window.closes)
        turn = take_turn(rule, self.progress, seen(values), look, muted=muted)
        self._send(notices_of(self.alert, turn, look, window, None, at=at))
        self.progress = with_notified_channels(turn.progress, self.alert)

    def look_back(self, at: datetime, values: dict[str, int]) -> None:
        if self.alert.rule.window.calendar is None:
            return
        [window] = closed_before(self.alert.rule.window, at, 1)
        late = late_notices(self.alert, seen(values), window, None, at=at)
        back = look_back(self.alert.rule, self.progress, late, self._known, at)
        self._send(list(back.notices))
        self.progress = with_notified_channels(back.progress, self.alert)

    def _send(self, notices: list[PendingNotice]) -> None:
        self._known |= {one.notice.notice_id for one in notices}
        self.pager.take(notices)


def seen(values: dict[str, int]) -> dict[str, Observation]:
    return {key: Observation(value=Decimal(value), requests=1) for key, value in values.items()}


def groups(first: int, count: int) -> dict[str, int]:
    return {f'["user-{(first + number) % GROUPS}"]': 200 for number in range(count)}


def watched(window: AlertWindow, steps: list[tuple[int, int, int, int, bool]]) -> tuple[Watched, datetime]:
    it = Watched(an_alert(100, by=(GroupBy(name="user_id"),), window=window, cooldown_s=0, channel_ids=("pager",)))
    at = START
    for minutes, first, count, late, muted in steps:
        at += timedelta(minutes=minutes)
        it.look(at, groups(first, count), muted=muted)
        if not muted:
            it.look_back(at, groups(first, late))
    return it, at


@given(WINDOWS, STEPS)
def test_when_all_is_quiet_no_incident_is_open(
    window: AlertWindow, steps: list[tuple[int, int, int, int, bool]]
) -> None:
    it, at = watched(window, steps)
    for _ in range(12):
        at += timedelta(minutes=11)
        it.look(at, {})
    assert it.pager.open == set()
    assert it.progress.groups == {}
    assert it.progress.notified_channels == ()


@given(WINDOWS, STEPS)
def test_an_alert_that_is_removed_leaves_no_incident_open(
    window: AlertWindow, steps: list[tuple[int, int, int, int, bool]]
) -> None:
    it, at = watched(window, steps)
    it.pager.take(last_notices(it.alert, it.progress, at=at, detail="the alert was removed"))
    assert it.pager.open == set()


def test_whoever_was_told_is_told_of_the_end_also_when_the_alert_has_other_channels() -> None:
    it = Watched(an_alert(100, window=AlertWindow(rolling_s=3600), cooldown_s=0, channel_ids=("pager", "mail")))
    it.look(START + HOUR, {"": 200})
    it.alert = msgspec.structs.replace(it.alert, channel_ids=("hook",))
    window, look = window_at(it.alert.rule.window, START + 2 * HOUR), Look(at=START + 2 * HOUR, period=None)
    turn = take_turn(it.alert.rule, it.progress, seen({"": 1}), look)
    [notice] = notices_of(it.alert, turn, look, window, None, at=look.at)
    assert (notice.notice.kind, notice.channel_ids) == (NoticeKind.RESOLVED, ("hook", "pager", "mail"))
