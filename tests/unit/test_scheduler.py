"""What the scheduler does with what it is given: settings, and an outbox that another version has written to."""

import asyncio
from datetime import timedelta
from pathlib import Path

from sqlalchemy import update

from schemas.channel import Channel, ChannelConfig, ChannelKind, ChannelSecret, SendOutcome, SendResult
from schemas.message import Message
from schemas.query_limits import QueryLimits
from services.scheduler.delivery import Deliveries
from services.settings.processes import SchedulerSettings
from services.stores.memory import ManualClock
from services.stores.state.channels import SqlChannels
from services.stores.state.database import Database
from services.stores.state.deliveries import SqlDeliveryQueue
from services.stores.state.migrations.run import migrate_state
from services.stores.state.tables import NOTICE
from services.telemetry.metrics import SCHEDULER_METRICS, Metrics
from tests.builders.notices import a_notice
from tests.builders.records import TIMESTAMP


def test_the_limits_of_queries_are_settings_of_the_scheduler_too() -> None:
    assert SchedulerSettings.from_environ({}).limits() == QueryLimits()
    assert SchedulerSettings.from_environ({"FAREBOX_QUERY_TIMEOUT_S": "90"}).limits() == QueryLimits(time_s=90)


class Receiver:
    """Takes everything."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    async def send(self, _channel: Channel, _secret: ChannelSecret, message: Message) -> SendResult:
        self.ids.append(message.message_id)
        return SendResult(outcome=SendOutcome.ACCEPTED)

    async def close(self) -> None: ...


def test_a_notice_that_cannot_be_read_is_tried_again_and_keeps_no_other_from_being_sent(tmp_path: Path) -> None:
    url, receiver = f"sqlite:///{tmp_path}/state.sqlite", Receiver()

    async def run() -> list[str]:
        await migrate_state(url)
        channels, queue, database = SqlChannels(url), SqlDeliveryQueue(url), Database(url, what="test")
        mail = await channels.add_channel(
            organization_id="acme",
            name="mail",
            kind=ChannelKind.EMAIL,
            config=ChannelConfig(recipients=("finance@example.com",)),
            secret=ChannelSecret(),
            created_by="cli",
        )
        for notice_id in ("unreadable", "readable"):
            await channels.send(a_notice(notice_id, group={"user": notice_id}), [mail.id])
        corrupt = update(NOTICE).where(NOTICE.c.id == "unreadable").values(body="{}")
        await database.write(lambda connection: connection.execute(corrupt))
        metrics, clock = Metrics(SCHEDULER_METRICS), ManualClock(TIMESTAMP)
        deliveries = Deliveries(queue, receiver, clock=clock, metrics=metrics, draw=lambda: 0)
        assert await deliveries.run_once(TIMESTAMP) == 2
        later = TIMESTAMP + timedelta(minutes=1)
        [claim] = await queue.claim(at=later, until=later, limit=10)
        for store in (channels, queue, database):
            await store.close()
        return [claim.notice_id, str(claim.number), claim.problem]

    error = "the notice or its channel cannot be read by this version (ValidationError)"
    assert asyncio.run(run()) == ["unreadable", "2", error]
    assert receiver.ids == ["readable"]
