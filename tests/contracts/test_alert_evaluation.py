"""Recorded traffic on a virtual clock: exactly the expected notices, with evaluators killed and doubled on the way."""

import asyncio
import json
import random
import uuid
from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from schemas.alert import AlertMetric, AlertState, AlertWindow, CalendarUnit, Condition, Episode, GroupBy, Threshold
from schemas.errors import StoreUnavailable
from schemas.event import Outcome
from schemas.notice import Notice, NoticeKind
from schemas.statement import Statement
from services.scheduler import evaluator
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.state.migrations.run import migrate_state
from tests.builders.alerts import START, an_alert, thresholds
from tests.servers.receivers import http_receiver, mail_receiver
from tests.support.alert_deployment import STEP, Deployment, dollars, killed_and_doubled, sent

DAY = timedelta(days=1)


@pytest.fixture
def deployment(state_url: str, embedded_warehouse: ClickHouseWarehouse, organization_id: str) -> Iterator[Deployment]:
    asyncio.run(migrate_state(state_url))
    opened = Deployment(state_url, embedded_warehouse, organization_id)
    yield opened
    asyncio.run(opened.close())


@pytest.fixture
def on_sqlite(tmp_path: Any, embedded_warehouse: ClickHouseWarehouse, organization_id: str) -> Iterator[Deployment]:
    url = f"sqlite:///{tmp_path}/state.sqlite"
    asyncio.run(migrate_state(url))
    opened = Deployment(url, embedded_warehouse, organization_id)
    yield opened
    asyncio.run(opened.close())


def test_killed_and_doubled_evaluators_tell_each_step_of_each_hour_once(deployment: Deployment) -> None:
    """The first hour costs 60 dollars, the second 40 and, when it is over, six more; in the third there is little.

    Meanwhile the steps of another alert, about the whole day, are edited again and again.
    """
    minute, hour = timedelta(minutes=1), timedelta(hours=1)
    edits = {45: thresholds(50, 80, 95), 65: thresholds(20, 60, 104)}

    async def run(hook_url: str, smtp_url: str) -> list[Notice]:
        channel_ids = await deployment.add_channels(f"{hook_url}/alerts")
        hourly = an_alert(15, 30, 45, 57, window=AlertWindow(calendar=CalendarUnit.HOUR), channel_ids=channel_ids)
        edited = an_alert(30, 60, 90, id=str(uuid.uuid4()), name="Edited", channel_ids=channel_ids)
        edited = msgspec.structs.replace(edited, organization_id=deployment.organization_id)
        await deployment.start(hourly, edited)
        minutes = (*range(60), *range(60, 100), 121)
        await deployment.keep(*(one for at in minutes for one in dollars(START + at * minute, 1)))
        chance = random.Random(7)
        evaluators = [deployment.evaluator() for _ in range(3)]
        for at in range(1, 151):
            deployment.clock.advance(seconds=60)
            if at == 125:
                await deployment.keep(*dollars(START + 1.8 * hour, 6, apart=minute))
            if at in edits:
                rule = msgspec.structs.replace(edited.rule, thresholds=edits[at])
                edited = msgspec.structs.replace(edited, rule=rule, updated_at=deployment.clock.now())
                turn = (await deployment.alerts.progress(edited.id)).turn
                assert await deployment.alerts.change_alert(edited, turn=turn)
            await killed_and_doubled(evaluators, chance)
            if chance.random() < 0.2:
                evaluators[chance.randrange(3)] = deployment.evaluator()
        await deployment.deliver(smtp_url, hook_url)
        return await deployment.notices()

    with http_receiver() as hook, mail_receiver() as mail:
        notices = asyncio.run(run(hook.url, mail.url))
        hooked = [one.headers["webhook-id"] for one in hook.received if one.path == "/alerts"]
        assert sorted(hooked) == sorted(one.notice_id for one in notices)
        assert [mail["To"] for mail in mail.mails] == ["finance@company.com"] * len(notices)
        events = [json.loads(one.body) for one in hook.received if one.path == "/v2/enqueue"]
    last = {one["dedup_key"]: one["event_action"] for one in events}
    assert len(events) == len(notices)
    assert sorted(last.values()) == ["resolve", "trigger"], "the day still fires, and the hours do not"
    assert sent([one for one in notices if one.name != "Edited"]) == [
        *(
            ("00", "firing", "WARNING", "15"),
            ("00", "escalated", "WARNING", "30"),
            ("00", "escalated", "WARNING", "45"),
        ),
        *(("00", "escalated", "CRITICAL", "57"), ("01", "resolved", "OK", "")),
        *(("01", "firing", "WARNING", "15"), ("01", "escalated", "WARNING", "30"), ("02", "resolved", "OK", "")),
        *(("01", "firing", "WARNING", "45"), ("02", "resolved", "OK", "")),  # late
    ]
    edited = [one for one in notices if one.name == "Edited"]
    assert [row[1:] for row in sent(edited)] == [
        ("firing", "WARNING", "30"),
        ("escalated", "WARNING", "50"),
        ("escalated", "WARNING", "60"),
        ("escalated", "CRITICAL", "104"),  # late
    ]


def test_groups_errors_and_filters_are_told_as_they_come_and_go(on_sqlite: Deployment) -> None:
    noon = START + timedelta(hours=12)
    errors = an_alert(
        "0.5",
        id=str(uuid.uuid4()),
        name="Errors",
        metric=AlertMetric.ERROR_RATE,
        window=AlertWindow(rolling_s=3600),
        minimum_requests=3,
        filter={"request_response_rmt": {"properties": {"Environment": {"equals": "production"}}}},
    )
    users = an_alert(10, id=str(uuid.uuid4()), name="Users", by=(GroupBy(name="user_id"),))

    async def run() -> list[Notice]:
        await on_sqlite.start(errors, users)
        production: dict[str, Any] = {
            "properties": {"environment": "production"},
            "property_spellings": ["Environment"],
        }
        failed: dict[str, Any] = {"outcome": Outcome.PROVIDER_ERROR, "status": 500, "user_id": ""}
        await on_sqlite.keep(
            *dollars(noon, 12, user_id="anna", model="gpt-4o"),
            *dollars(noon, 9, user_id="bob"),
            *dollars(noon, 6, cost_usd=Decimal(0), **failed, **production),
            *dollars(noon - 2 * STEP, 2, cost_usd=Decimal(0), **failed, **production),
        )
        on_sqlite.clock.advance(seconds=11 * 3600)
        await on_sqlite.run_until(noon + timedelta(hours=2.5), [on_sqlite.evaluator()])
        return await on_sqlite.notices()

    notices = asyncio.run(run())
    shown = [(one.name, one.kind.value, one.created_at - noon, one.group) for one in notices]
    minutes = timedelta(minutes=1)
    assert shown == [
        ("Errors", "firing", 10 * minutes, {}),
        ("Users", "firing", 100 * minutes, {"user_id": "anna"}),
        # After 100 minutes two requests are left in the last hour, which are too few; then comes the cool-down.
        ("Errors", "resolved", 110 * minutes, {}),
    ]
    fired = notices[1]
    assert (fired.value, fired.threshold, fired.level.value) == (Decimal(10), Decimal(10), "CRITICAL")
    assert [(one.dimension, one.value, one.amount) for one in fired.drivers] == [
        ("feature", "chat", Decimal(10)),
        ("model", "gpt-4o", Decimal(10)),
    ]
    assert fired.link_path == f"/dashboard/alerts/{users.id}"


def test_groups_by_columns_that_are_no_texts_have_drivers(on_sqlite: Deployment) -> None:
    """Numbers, flags, amounts and ids, also where a request has none."""
    dimensions = (("status", "cached", "provider_cost_usd"), ("is_stream", "cache_reference_id", "cost_usd"))

    async def run() -> list[Notice]:
        for at, names in enumerate(dimensions):
            by = tuple(GroupBy(name=name) for name in names)
            await on_sqlite.start(an_alert(5, id=str(uuid.uuid4()), name=str(at), metric=AlertMetric.REQUESTS, by=by))
        await on_sqlite.keep(*dollars(START, 5, apart=timedelta(minutes=1), user_id="anna"))
        await on_sqlite.run_until(START + STEP, [on_sqlite.evaluator()])
        return await on_sqlite.notices()

    notices = asyncio.run(run())
    assert [one.group for one in notices] == [
        {"status": "200", "cached": "0", "provider_cost_usd": ""},
        {"is_stream": "False", "cache_reference_id": str(uuid.UUID(int=0)), "cost_usd": "1.000000000000"},
    ]
    assert [one.drivers[0].amount for one in notices] == [Decimal(5), Decimal(5)]


def test_a_sum_is_raised_before_the_seal_and_resolved_behind_it_only(on_sqlite: Deployment) -> None:
    async def run() -> list[tuple[str, timedelta]]:
        rolling = an_alert(5, window=AlertWindow(rolling_s=3600), cooldown_s=0)
        await on_sqlite.start(rolling)
        await on_sqlite.keep(*dollars(START, 5, apart=timedelta(minutes=1)))
        evaluators = [on_sqlite.evaluator()]
        on_sqlite.complete_until = START
        await on_sqlite.run_until(START + timedelta(hours=3), evaluators)
        before = await on_sqlite.notices()
        on_sqlite.complete_until = None
        await on_sqlite.run_until(START + timedelta(hours=3, minutes=10), evaluators)
        after = await on_sqlite.notices()
        assert len(before) == 1
        return [(one.kind.value, one.created_at - START) for one in after]

    hours = timedelta(hours=1)
    assert asyncio.run(run()) == [("firing", STEP), ("resolved", 3 * hours + STEP)]


def test_an_episode_that_was_found_late_ends_after_it_began(on_sqlite: Deployment) -> None:
    """The seal is five minutes behind the clock; of a day that is over a dollar is found then, and the next is calm."""
    lag, hour, minute = timedelta(minutes=5), timedelta(hours=1), timedelta(minutes=1)

    async def run() -> Sequence[Episode]:
        await on_sqlite.start(an_alert(5))
        one = on_sqlite.evaluator()
        on_sqlite.clock.advance(seconds=lag.total_seconds())
        for step, count in ((24 * hour, 4), (hour, 1), (minute, 0)):
            on_sqlite.clock.advance(seconds=step.total_seconds())
            on_sqlite.complete_until = on_sqlite.clock.now() - lag
            await on_sqlite.keep(*dollars(START, count))
            await one.evaluate_due()
        return (await on_sqlite.alerts.episodes_of(on_sqlite.organization_id, limit=10))[1]

    [episode] = asyncio.run(run())
    assert (episode.started_at, episode.ended_at) == (START + 25 * hour, START + 25 * hour + minute)


def test_a_forecast_says_when_the_month_will_cross(on_sqlite: Deployment) -> None:
    async def run() -> list[Notice]:
        month = AlertWindow(calendar=CalendarUnit.MONTH, time_zone="Europe/Berlin")
        steps = (Threshold(value=Decimal(500), level=AlertState.WARNING, label="100 % of $500"),)
        alert = an_alert(condition=Condition.FORECAST, window=month)
        await on_sqlite.start(
            msgspec.structs.replace(alert, rule=msgspec.structs.replace(alert.rule, thresholds=steps))
        )
        # A dollar an hour is 720 in November: 500 are reached on the 21st.
        await on_sqlite.keep(*dollars(START, 8 * 24, apart=timedelta(hours=1)))
        await on_sqlite.run_until(START + 8 * DAY, [on_sqlite.evaluator()], timedelta(hours=6))
        return await on_sqlite.notices()

    notices = asyncio.run(run())
    assert [(one.kind.value, one.threshold_label) for one in notices] == [("firing", "100 % of $500")]
    assert notices[0].created_at < START + 7 * DAY
    assert notices[0].forecast_at is not None
    assert notices[0].forecast_at.day in (21, 22)


class Counted:
    """A warehouse, and how many queries it got."""

    def __init__(self, warehouse: ClickHouseWarehouse) -> None:
        self._warehouse = warehouse
        self.queries = 0

    async def query(self, statement: Statement) -> list[dict[str, Any]]:
        self.queries += 1
        return await self._warehouse.query(statement)


def test_a_storm_of_ten_thousand_groups_is_bounded_in_messages_and_queries(on_sqlite: Deployment) -> None:
    """All of them fire at once, and all are quiet at once."""

    async def run() -> tuple[list[Notice], int, int]:
        rolling = AlertWindow(rolling_s=1800)
        storm = an_alert(1, by=(GroupBy(name="user_id"),), window=rolling, cooldown_s=0)
        await on_sqlite.start(storm)
        await on_sqlite.keep(
            *({"request_created_at": START, "cost_usd": Decimal(1), "user_id": f"user-{at}"} for at in range(10_000))
        )
        counted = Counted(on_sqlite.warehouse)
        await on_sqlite.run_until(START + timedelta(minutes=40), [on_sqlite.evaluator(counted)])
        progress = await on_sqlite.alerts.progress(storm.id)
        return await on_sqlite.notices(), len(progress.groups), counted.queries

    notices, groups, queries = asyncio.run(run())
    minutes = [(one.created_at - START) // timedelta(minutes=1) for one in notices]
    assert list(zip(minutes, [one.level.value for one in notices], strict=True)) == [(10, "CRITICAL"), (40, "OK")]
    assert {(one.kind, one.group_count) for one in notices} == {(NoticeKind.SUMMARY, 10_000)}
    assert (groups, queries) == (0, 4)


def test_a_clock_that_was_ahead_for_a_while_silences_no_alert(on_sqlite: Deployment) -> None:
    """It fired then, in a period that is far in the future."""
    ahead = timedelta(days=100)

    async def run() -> list[str]:
        await on_sqlite.start(an_alert(5))
        await on_sqlite.keep(*dollars(START + ahead, 5, apart=timedelta(minutes=1)))
        await on_sqlite.keep(*dollars(START, 5, apart=timedelta(minutes=1)))
        one = on_sqlite.evaluator()
        on_sqlite.clock.advance(seconds=(ahead + STEP).total_seconds())
        await one.evaluate_due()
        on_sqlite.clock.advance(seconds=-ahead.total_seconds())
        await one.evaluate_due()
        return [f"{one.kind} {one.window_start:%m-%d}" for one in await on_sqlite.notices()]

    assert asyncio.run(run()) == ["escalated 11-01", "firing 02-09"]


def test_slow_alerts_of_an_organization_take_turns_and_keep_no_other_waiting(
    on_sqlite: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has one turn in a round here, and all count as evaluated while none waits for ten minutes."""
    monkeypatch.setattr(evaluator, "_SHARE_S", 0)

    async def run() -> list[list[str]]:
        many = [an_alert(5, id=f"{number}" * 36, name=f"slow {number}", organization_id="slow") for number in "123"]
        for alert in (*many, an_alert(5, id="9" * 36, name="quick", organization_id="quick")):
            await on_sqlite.alerts.add_alert(alert)
        one, rounds, turns = on_sqlite.evaluator(), [], dict[str, int]()
        for _ in range(4):
            on_sqlite.clock.advance(seconds=60)
            assert await one.evaluate_due()
            alerts = await on_sqlite.alerts.all_alerts()
            now = {alert.name: (await on_sqlite.alerts.progress(alert.id)).turn for alert in alerts}
            rounds.append([name for name in now if now[name] > turns.get(name, 0)])
            turns = now
        before = on_sqlite.clock.now()
        on_sqlite.clock.advance(seconds=660)
        assert not await one.evaluate_due(), "some wait for too long"
        assert await on_sqlite.alerts.evaluated_at() == before
        monkeypatch.setattr(evaluator, "_SHARE_S", 60)
        assert await one.evaluate_due(), "the rest comes in the same minute"
        assert await on_sqlite.alerts.evaluated_at() == on_sqlite.clock.now()
        return rounds

    assert asyncio.run(run()) == [["slow 1", "quick"], ["slow 2", "quick"], ["slow 3", "quick"], ["slow 1", "quick"]]


class PartlyAway:
    """A warehouse that cannot be asked about one organization."""

    def __init__(self, warehouse: ClickHouseWarehouse) -> None:
        self._warehouse = warehouse

    async def query(self, statement: Statement) -> list[dict[str, Any]]:
        if statement.organization_id == "away":
            raise StoreUnavailable("this part is away")
        return await self._warehouse.query(statement)


def test_an_alert_that_cannot_be_evaluated_keeps_no_other_from_it(on_sqlite: Deployment) -> None:
    async def run() -> list[Notice]:
        away = an_alert(5, id="0" * 36, organization_id="away")
        await on_sqlite.alerts.add_alert(away)
        await on_sqlite.start(an_alert(5))
        await on_sqlite.keep(*dollars(START, 5, apart=timedelta(minutes=1)))
        on_sqlite.clock.advance(seconds=600)
        with pytest.raises(StoreUnavailable, match="this part is away"):
            await on_sqlite.evaluator(PartlyAway(on_sqlite.warehouse)).evaluate_due()
        assert await on_sqlite.alerts.evaluated_at() is None
        return await on_sqlite.notices()

    assert [one.kind for one in asyncio.run(run())] == [NoticeKind.FIRING]


def test_an_alert_whose_rule_was_edited_meanwhile_writes_nothing(on_sqlite: Deployment) -> None:
    async def run() -> int:
        alert = an_alert(5, organization_id=on_sqlite.organization_id)
        await on_sqlite.start(alert)
        await on_sqlite.keep(*dollars(START, 10, apart=timedelta(minutes=1)))
        one = on_sqlite.evaluator()
        on_sqlite.clock.advance(seconds=600)
        evaluating = asyncio.create_task(one.evaluate_due())
        changed = msgspec.structs.replace(alert, updated_at=START + STEP, active_since=START + STEP)
        while not await on_sqlite.alerts.change_alert(changed, turn=(await on_sqlite.alerts.progress(alert.id)).turn):
            pass  # it was evaluated in between
        await evaluating
        count = len(await on_sqlite.notices())
        await on_sqlite.run_until(START + timedelta(minutes=20), [one])
        return count + 10 * len(await on_sqlite.notices())

    assert asyncio.run(run()) in (10, 11)
