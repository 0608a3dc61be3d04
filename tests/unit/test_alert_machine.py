"""When a group of an alert fires, when it is resolved, and what people are told of it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from time import process_time

import msgspec
import pytest

from schemas.alert import (
    AlertMetric,
    AlertProgress,
    AlertRule,
    AlertState,
    AlertWindow,
    Condition,
    Direction,
    GroupBy,
    GroupState,
)
from schemas.notice import NoticeKind
from services.domain.alerts.machine import Look, Observation, notified, step
from services.domain.alerts.notices import late_notices, notices_of
from services.domain.alerts.schedule import due_until, points, windows_to_recheck
from services.domain.alerts.turn import MAX_GROUPS, MAX_SINGLE, SUMMARY_EVERY, look_back, take_turn
from services.domain.alerts.windows import Window, window_at
from services.domain.messages.content import content_of
from services.domain.messages.pagerduty import pagerduty_payload
from tests.builders.alerts import START, a_rule, an_alert, thresholds

MINUTE = timedelta(minutes=1)
HOURLY = AlertWindow(rolling_s=3600)


def seen(value: object, requests: int = 10) -> Observation:
    return Observation(value=None if value is None else Decimal(str(value)), requests=requests)


def a_look(rule: AlertRule, at: datetime, *, complete: bool = True) -> Look:
    window = window_at(rule.window, at)
    period = None if window.closes is None else window.start
    return Look(at=at, period=period, closes=window.closes, complete=complete)


def story(rule: AlertRule, *values: tuple[float, object]) -> list[str]:
    """What is told of a group that is seen with each value, so many minutes after the start: kind and level."""
    state, texts = GroupState(), []
    for minutes, value in values:
        look = a_look(rule, START + minutes * MINUTE)
        made = step(rule, state, value if isinstance(value, Observation) else seen(value), look)
        state = made.state
        if made.event is not None:
            state = notified(state, made.event, look.at)
            texts.append(f"{minutes:g} {made.event.kind} {made.event.state}")
    return texts


DAY = 24 * 60
GRADUATED = a_rule(50, 80, 95, 100)

STORIES: Sequence[tuple[str, AlertRule, list[tuple[float, object]], list[str]]] = (
    ("at the threshold", a_rule(100), [(1, "99.99"), (2, 100)], ["2 firing CRITICAL"]),
    (
        "each step once",
        GRADUATED,
        [(1, 40), (2, 50), (3, 60), (4, 81), (5, 82), (6, 96), (7, 100), (8, 130)],
        ["2 firing WARNING", "4 escalated WARNING", "6 escalated WARNING", "7 escalated CRITICAL"],
    ),
    ("several steps at once are one message", GRADUATED, [(1, 10), (2, 99)], ["2 firing WARNING"]),
    (
        "a new day",
        a_rule(100),
        [(1, 120), (DAY - 1, 130), (DAY, 140), (DAY + 1, 1), (DAY + 2, 101)],
        ["1 firing CRITICAL", f"{DAY + 1} resolved OK", f"{DAY + 2} firing CRITICAL"],
    ),
    (
        "a new day that is over it at first sight",
        a_rule(100),
        [(1, 120), (DAY + 30, 110)],
        ["1 firing CRITICAL", f"{DAY + 30} firing CRITICAL"],
    ),
    (
        "a cool-down, which a new rise restarts",
        a_rule(100, window=HOURLY),
        [(1, 100), (2, 99), (6, 99), (7, 100), (8, 99), (12, 99), (13, 99), (14, 100)],
        ["1 firing CRITICAL", "13 resolved OK", "14 firing CRITICAL"],
    ),
    (
        "a step that is left and reached again in one episode",
        a_rule(50, 100, window=HOURLY),
        [(1, 100), (2, 60), (30, 100), (31, 0), (36, 0)],
        ["1 firing CRITICAL", "36 resolved OK"],
    ),
    (
        "a rate that is over twice in a day is told once",
        a_rule("0.1", metric=AlertMetric.ERROR_RATE),
        [(1, "0.2"), (2, "0.05"), (7, "0.05"), (8, "0.2"), (9, "0.01"), (20, "0.01")],
        ["1 firing CRITICAL", "7 resolved OK"],
    ),
    (
        "reminders",
        a_rule(100, renotify_s=600),
        [(1, 100), (10, 101), (11, 102), (20, 103), (21, 104)],
        ["1 firing CRITICAL", "11 reminder CRITICAL", "21 reminder CRITICAL"],
    ),
    (
        "too few requests",
        a_rule("0.1", metric=AlertMetric.ERROR_RATE, minimum_requests=20),
        [(1, seen(1, 19)), (2, seen(1, 20))],
        ["2 firing CRITICAL"],
    ),
    (
        "below",
        a_rule(metric=AlertMetric.CACHE_HIT_RATE, direction=Direction.BELOW, thresholds=thresholds("0.5", "0.2")),
        [(1, "0.6"), (2, "0.5"), (3, "0.1")],
        ["2 firing WARNING", "3 escalated CRITICAL"],
    ),
    (
        "a day with few requests is one when it is over, and until a later one has more",
        a_rule(100, metric=AlertMetric.REQUESTS, direction=Direction.BELOW),
        [(1, 0), (DAY, 150), (DAY + 1, 0), (2 * DAY, 90), (2 * DAY + 1, 1), (3 * DAY, 80), (3 * DAY + 9, 101)],
        [f"{2 * DAY} firing CRITICAL", f"{3 * DAY} firing CRITICAL", f"{3 * DAY + 9} resolved OK"],
    ),
    (
        "a loss is one at once, little margin when the day is over",
        a_rule(metric=AlertMetric.MARGIN, direction=Direction.BELOW, thresholds=thresholds(50, 0)),
        [(1, 5), (2, -1), (DAY + 1, 60), (DAY + 2, 40), (2 * DAY, 45)],
        ["2 firing CRITICAL", f"{DAY + 1} resolved OK", f"{2 * DAY} firing WARNING"],
    ),
    ("unknown is not zero", a_rule(0, direction=Direction.BELOW), [(1, None)], []),
    (
        "what is unknown is not resolved",
        a_rule("0.1", metric=AlertMetric.CACHE_HIT_RATE, window=HOURLY),
        [(1, "0.2"), (2, None), (9, None), (10, "0.05")],
        ["1 firing CRITICAL", "10 resolved OK"],
    ),
    (
        "what is unknown is no reason to tell the same again",
        a_rule("0.1", metric=AlertMetric.CACHE_HIT_RATE),
        [(1, "0.2"), (2, None), (9, None), (10, "0.2"), (DAY + 1, None)],
        ["1 firing CRITICAL", f"{DAY + 1} resolved OK"],
    ),
    ("silence is told where that is asked for", a_rule(100, window=HOURLY), [(1, seen(0, 0))], []),
    (
        "silence, and its end",
        a_rule(100, window=HOURLY, notify_no_data=True),
        [(1, seen(0, 0)), (2, seen(0, 0)), (3, 5)],
        ["1 no_data NO_DATA", "3 resolved OK"],
    ),
    (
        "a day is silent when it is over",
        a_rule(100, notify_no_data=True),
        [(1, seen(0, 0)), (DAY, seen(0, 0))],
        [f"{DAY} no_data NO_DATA"],
    ),
)


@pytest.mark.parametrize(("rule", "values", "expected"), [one[1:] for one in STORIES], ids=[one[0] for one in STORIES])
def test_people_are_told(rule: AlertRule, values: list[tuple[float, object]], expected: list[str]) -> None:
    assert story(rule, *values) == expected


def test_before_all_is_known_things_only_become_worse() -> None:
    rule, early = a_rule(100, window=HOURLY), START + 5 * MINUTE
    raised = step(rule, GroupState(), seen(120), a_look(rule, early, complete=False))
    assert raised.event is not None
    fired = notified(raised.state, raised.event, early)
    assert step(rule, fired, seen(1), a_look(rule, early + MINUTE, complete=False)).state == fired
    # What is complete and older says nothing of the time after it.
    assert step(rule, fired, seen(1), a_look(rule, early - MINUTE)).state == fired
    assert step(rule, fired, seen(1), a_look(rule, early + MINUTE)).state.quiet_since == early + MINUTE


EDITS: Sequence[tuple[str, tuple[int, ...], tuple[int, ...], int, int, list[str]]] = (
    ("raised: the value is below its steps", (50, 80, 100), (100, 160, 200), 85, 90, []),
    ("raised: the next step fires", (50, 80, 100), (100, 160, 200), 85, 165, ["escalated WARNING"]),
    ("lowered: a higher level fires", (50, 80, 100), (20, 32, 40), 85, 86, ["escalated CRITICAL"]),
    ("lowered: no level is told twice", (50, 200), (40, 60, 200), 55, 56, []),
    ("a step in between that is behind", (50, 80, 100), (50, 60, 80, 100), 85, 86, []),
)


@pytest.mark.parametrize(
    ("before", "after", "first", "then", "expected"), [one[1:] for one in EDITS], ids=[one[0] for one in EDITS]
)
def test_thresholds_may_be_edited_within_a_period(
    before: tuple[int, ...], after: tuple[int, ...], first: int, then: int, expected: list[str]
) -> None:
    old, new = a_rule(*before), a_rule(*after)
    fired = step(old, GroupState(), seen(first), a_look(old, START + MINUTE))
    assert fired.event is not None
    state = notified(fired.state, fired.event, START + MINUTE)
    event = step(new, state, seen(then), a_look(new, START + 2 * MINUTE)).event
    assert ([] if event is None else [f"{event.kind} {event.state}"]) == expected


def test_what_is_muted_is_told_afterwards_if_it_is_still_so() -> None:
    rule, progress = a_rule(50, 100), AlertProgress()
    for minute, value in ((1, 60), (2, 110)):
        turn = take_turn(rule, progress, {"": seen(value)}, a_look(rule, START + minute * MINUTE), muted=True)
        assert not turn.single
        progress = turn.progress
    assert progress.state is AlertState.CRITICAL
    turn = take_turn(rule, progress, {"": seen(111)}, a_look(rule, START + 3 * MINUTE))
    assert [(one.event.kind, one.event.state) for one in turn.single] == [(NoticeKind.FIRING, AlertState.CRITICAL)]


def storm(count: int, value: int = 200) -> dict[str, Observation]:
    return {f'["user-{number}"]': seen(value) for number in range(count)}


def test_a_storm_of_groups_is_one_summary_and_then_one_in_ten_minutes() -> None:
    alert = an_alert(100, by=(GroupBy(name="user_id"),))
    progress, sent = AlertProgress(), []
    for minute in range(1, 61):
        look = a_look(alert.rule, START + minute * MINUTE)
        turn = take_turn(alert.rule, progress, storm(900 + 3 * minute), look)
        window = window_at(alert.rule.window, look.at)
        sent += [one.notice for one in notices_of(alert, turn, look, window, None, at=look.at)]
        progress = turn.progress
    assert {notice.kind for notice in sent} == {NoticeKind.SUMMARY}
    assert len(sent) == timedelta(hours=1) / SUMMARY_EVERY
    assert sent[0].group_count == 903
    assert len(sent[0].groups) == 10
    assert sum(notice.group_count for notice in sent) <= 1_080
    assert len(progress.groups) == 1_080


def test_turns_of_ten_thousand_groups_are_bounded_in_time() -> None:
    """All fire at once, and are quiet at once: of each group it is a fraction of a millisecond."""
    alert = an_alert(100, by=(GroupBy(name="user_id"),), window=HOURLY, cooldown_s=0)
    progress, sizes, began_s = AlertProgress(), [], process_time()
    for minutes, groups in ((1, storm(MAX_GROUPS)), (20, storm(MAX_GROUPS, 1))):
        look = a_look(alert.rule, START + minutes * MINUTE)
        turn = take_turn(alert.rule, progress, groups, look)
        sizes += [len(notices_of(alert, turn, look, window_at(alert.rule.window, look.at), None, at=look.at))]
        progress = turn.progress
    assert process_time() - began_s < 5
    assert (sizes, progress.groups) == ([1, 1], {})


@pytest.mark.parametrize(("still", "level", "action"), [(0, "OK", "resolve"), (5, "CRITICAL", "trigger")])
def test_a_summary_closes_its_incident_where_no_group_fires_any_more(still: int, level: str, action: str) -> None:
    alert = an_alert(100, by=(GroupBy(name="user_id"),), window=HOURLY, cooldown_s=0)
    fired = take_turn(alert.rule, AlertProgress(), storm(30), a_look(alert.rule, START + MINUTE)).progress
    look = a_look(alert.rule, START + 20 * MINUTE)
    turn = take_turn(alert.rule, fired, storm(30, 1) | storm(still), look)
    (notice,) = notices_of(alert, turn, look, window_at(alert.rule.window, look.at), None, at=look.at)
    assert (notice.notice.kind, notice.notice.level) == (NoticeKind.SUMMARY, level)
    assert pagerduty_payload(notice.notice, content_of(notice.notice, ""))["event_action"] == action


def test_a_summary_of_what_is_resolved_opens_no_incident_for_groups_that_were_told_of_one_by_one() -> None:
    """Five fire from the beginning on, each told by itself; thirty others come and go."""
    alert = an_alert(100, by=(GroupBy(name="user_id"),), window=HOURLY, cooldown_s=0)
    progress = AlertProgress()
    for minutes, groups in ((1, storm(5)), (2, storm(35)), (20, storm(5))):
        look = a_look(alert.rule, START + minutes * MINUTE)
        turn = take_turn(alert.rule, progress, groups, look)
        made = notices_of(alert, turn, look, window_at(alert.rule.window, look.at), None, at=look.at)
        progress = turn.progress
    assert [(one.notice.kind, one.notice.level, one.notice.group_count) for one in made] == [
        (NoticeKind.SUMMARY, AlertState.OK, 30)
    ]
    payload = pagerduty_payload(made[0].notice, content_of(made[0].notice, ""))
    assert payload["event_action"] == "resolve"
    assert progress.state is AlertState.CRITICAL


def test_a_few_groups_are_told_of_one_by_one() -> None:
    alert = an_alert(100, by=(GroupBy(name="user_id"),))
    look = a_look(alert.rule, START + MINUTE)
    turn = take_turn(alert.rule, AlertProgress(), storm(MAX_SINGLE), look)
    made = notices_of(alert, turn, look, window_at(alert.rule.window, look.at), None, at=look.at)
    assert len({one.notice.notice_id for one in made}) == len(made) == MAX_SINGLE
    assert made[3].notice.group == {"user_id": "user-3"}


def test_groups_that_are_quiet_are_forgotten() -> None:
    rule = a_rule(100, by=(GroupBy(name="user_id"),), window=HOURLY, cooldown_s=0)
    fired = take_turn(rule, AlertProgress(), storm(3), a_look(rule, START + MINUTE)).progress
    quiet = take_turn(rule, fired, storm(2, 1), a_look(rule, START + 2 * MINUTE))
    assert [one.event.kind for one in quiet.single] == [NoticeKind.RESOLVED] * 3
    assert quiet.progress.groups == {}
    assert set(quiet.changed.values()) == {None}


def test_a_closed_window_tells_only_what_was_not_told() -> None:
    alert = an_alert(50, 80, 100)
    day = Window(start=START, end=START + timedelta(days=1), closes=START + timedelta(days=1))
    look = a_look(alert.rule, START + MINUTE)
    turn = take_turn(alert.rule, AlertProgress(), {"": seen(85)}, look)
    (in_time,) = notices_of(alert, turn, look, window_at(alert.rule.window, look.at), None, at=look.at)
    for value, is_known in ((60, True), (85, True), (120, False)):
        (late,) = late_notices(alert, {"": seen(value)}, day, None, at=look.at)
        assert (in_time.notice.notice_id in late.unless) is is_known
    assert late_notices(alert, {"": seen(49)}, day, None, at=look.at) == []


def test_what_is_found_late_of_many_groups_is_told_hour_by_hour() -> None:
    """Of 50 groups the first 25 were told of in time."""
    alert = an_alert(100, by=(GroupBy(name="user_id"),))
    day = Window(start=START, end=START + timedelta(days=1), closes=START + timedelta(days=1))
    late = late_notices(alert, storm(50), day, None, at=day.end)
    progress, known, counts = AlertProgress(), {one.notice.notice_id for one in late[:25]}, []
    for minutes in range(0, 130, 10):
        back = look_back(alert.rule, progress, late, known, day.end + minutes * MINUTE)
        progress = back.progress
        known |= {one.notice.notice_id for one in back.notices}
        counts.append(len(back.notices))
    assert counts == [20, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0]
    assert len(known) == 50


def test_points_after_a_pause_are_few() -> None:
    until = START + timedelta(days=10)
    assert points(a_rule().window, None, until) == (until,)
    assert points(a_rule().window, until, until) == ()
    days = [START + timedelta(days=number) for number in (7, 8, 9, 10)]
    assert list(points(a_rule().window, START, until)) == days
    assert len(points(AlertWindow(rolling_s=60), START, until)) == 12
    close = points(AlertWindow(rolling_s=600), until - 7 * MINUTE, until)
    assert list(close) == [until - 5 * MINUTE, until]


def test_what_reads_weeks_is_evaluated_every_five_minutes() -> None:
    at = START + timedelta(minutes=13, seconds=7)
    assert due_until(a_rule(), at) == START + 13 * MINUTE
    assert due_until(a_rule(condition=Condition.ANOMALY), at) == START + 10 * MINUTE


def test_nothing_before_an_alert_was_made_or_changed_is_looked_at_again() -> None:
    at = START + timedelta(hours=30)
    progress = AlertProgress(evaluated_until=at)
    assert [one.start for one in windows_to_recheck(an_alert(), progress, at)] == [START]
    assert windows_to_recheck(an_alert(active_since=START + timedelta(hours=25)), progress, at) == ()
    assert windows_to_recheck(an_alert(updated_at=START + timedelta(hours=25)), progress, at) == ()
    assert windows_to_recheck(an_alert(muted_until=START + timedelta(hours=25)), progress, at) == ()
    assert windows_to_recheck(an_alert(condition=Condition.FORECAST), progress, at) == ()
    just_now = msgspec.structs.replace(progress, looked_back_at=at - MINUTE)
    assert windows_to_recheck(an_alert(), just_now, at) == ()
