"""A deployment whose alerts are evaluated on a clock that the test moves, by evaluators that are killed and doubled."""

import asyncio
import base64
import random
import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import select

from schemas.alert import Alert
from schemas.channel import ChannelKind
from schemas.notice import Notice, NoticeKind
from schemas.record import RequestRecord
from schemas.seal import Seal, SealState
from services.alerting.warehouse import AlertWarehouse
from services.domain.channels.new_channel import ChannelInput, new_channel
from services.ports.warehouse import QueryableWarehouse
from services.scheduler.delivery_build import open_deliveries
from services.scheduler.evaluator import Evaluator
from services.settings.processes import DeliverySettings
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.clock import SystemClock
from services.stores.memory import ManualClock
from services.stores.state.alerts import SqlAlerts
from services.stores.state.channels import SqlChannels
from services.stores.state.database import Database
from services.stores.state.leases import SqlLeases
from services.stores.state.tables import NOTICE
from services.telemetry.metrics import SCHEDULER_METRICS, Metrics
from tests.builders.alerts import START
from tests.builders.records import a_record

KEY = "e" * 32
SIGNING_KEY = "whsec_" + base64.b64encode(b"a signing key of thirty two chars").decode()
STEP = timedelta(minutes=10)


class Deployment:
    """A state database, a warehouse, a clock that the test moves, and any number of evaluators."""

    def __init__(
        self, state_url: str, warehouse: ClickHouseWarehouse, organization_id: str, *, start: datetime = START
    ) -> None:
        self.organization_id = organization_id
        self.state_url = state_url
        self.warehouse = warehouse
        self.clock = ManualClock(start)
        self.complete_until: datetime | None = None  # as a seal would say; None: all is complete until now
        self.alerts = SqlAlerts(state_url)
        self._leases = SqlLeases(state_url)
        self._database = Database(state_url, what="test")

    async def start(self, *alerts: Alert) -> None:
        for alert in alerts:
            await self.alerts.add_alert(msgspec.structs.replace(alert, organization_id=self.organization_id))

    def evaluator(self, warehouse: QueryableWarehouse | None = None) -> Evaluator:
        return Evaluator(
            str(uuid.uuid4()),
            alerts=self.alerts,
            warehouse=AlertWarehouse(warehouse or self.warehouse),
            leases=self._leases,
            seal=self._seal,
            clock=self.clock,
            metrics=Metrics(SCHEDULER_METRICS),
        )

    async def _seal(self) -> Seal:
        until = self.complete_until or self.clock.now()
        return Seal(state=SealState.COMPLETE, complete_until=until)

    async def keep(self, *records: dict[str, Any]) -> None:
        await self.warehouse.insert([self._record(record) for record in records], [])

    def _record(self, record: dict[str, Any]) -> RequestRecord:
        return a_record(**{"organization_id": self.organization_id, "request_id": str(uuid.uuid4())} | record)

    async def run_until(self, end: datetime, evaluators: Sequence[Evaluator], step: timedelta = STEP) -> None:
        while self.clock.now() < end:
            self.clock.advance(seconds=step.total_seconds())
            await asyncio.gather(*(one.evaluate_due() for one in evaluators))

    async def notices(self) -> list[Notice]:
        """In the order of their windows."""
        bodies = await self._database.read(lambda connection: list(connection.scalars(select(NOTICE.c.body))))
        notices = [msgspec.json.decode(body, type=Notice) for body in bodies]
        own = [one for one in notices if one.organization_id == self.organization_id]
        return sorted(own, key=lambda one: (one.created_at, one.name, one.kind, sorted(one.group.items())))

    async def add_channels(self, hook_url: str) -> tuple[str, ...]:
        """One by mail, one by webhook, and PagerDuty."""
        channels = SqlChannels(self.state_url, encryption_key=KEY)
        mail = ChannelInput(name="mail", kind=ChannelKind.EMAIL, recipients=("finance@company.com",))
        hook = ChannelInput(name="hook", kind=ChannelKind.WEBHOOK, url=hook_url, signing_key=SIGNING_KEY, private=True)
        pager = ChannelInput(name="pager", kind=ChannelKind.PAGERDUTY, routing_key="a" * 32)
        ids = []
        for given in (mail, hook, pager):
            config, secret = new_channel(given)
            added = await channels.add_channel(
                organization_id=self.organization_id,
                name=given.name,
                kind=given.kind,
                config=config,
                secret=secret,
                created_by="cli",
            )
            ids.append(added.id)
        await channels.close()
        return tuple(ids)

    async def deliver(self, smtp_url: str, pagerduty_url: str) -> None:
        """All that is in the outbox."""
        given = {"STATE": self.state_url, "ENCRYPTION_KEY": KEY, "SMTP_URL": smtp_url, "PAGERDUTY_URL": pagerduty_url}
        settings = DeliverySettings.from_environ({f"FAREBOX_{name}": value for name, value in given.items()})
        async with AsyncExitStack() as stack:
            deliveries = open_deliveries(stack, settings, clock=SystemClock(), metrics=Metrics())
            while await deliveries.run_once(self.clock.now()):
                pass

    async def close(self) -> None:
        for store in (self.alerts, self._leases, self._database):
            await store.close()


def dollars(start: datetime, count: int, *, apart: timedelta = STEP, **changed: Any) -> list[dict[str, Any]]:
    """Requests of a dollar each."""
    common = {"cost_usd": Decimal(1)} | changed
    return [{"request_created_at": start + at * apart, **common} for at in range(count)]


def sent(notices: Sequence[Notice]) -> list[tuple[str, str, str, str]]:
    """Hour of the window, kind, level and threshold."""
    return [
        (
            f"{notice.window_start:%H}",
            notice.kind.value,
            notice.level.value,
            "" if notice.kind is NoticeKind.RESOLVED else f"{notice.threshold:f}",
        )
        for notice in notices
    ]


async def killed_and_doubled(evaluators: Sequence[Evaluator], chance: random.Random) -> None:
    """Any of them at once, each perhaps killed at any await."""
    tasks = [asyncio.create_task(one.evaluate_due()) for one in evaluators if chance.random() < 0.8]
    for task in tasks:
        if chance.random() < 0.3:
            await asyncio.sleep(chance.random() * 0.02)
            task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome
