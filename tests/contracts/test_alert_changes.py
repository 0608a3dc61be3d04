"""An alert that is evaluated while it is changed or removed: what people were told in between is ended too."""

import asyncio
import uuid
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import msgspec

from schemas.alert import Alert, AlertProgress, AlertState, GroupState, KeptTurn
from schemas.channel import ChannelKind
from services.domain.channels.new_channel import ChannelInput, new_channel
from services.query.alerts.endpoints import remove_alert
from services.stores.memory import ManualClock
from services.stores.state.alerts import SqlAlerts
from services.stores.state.channels import SqlChannels
from services.stores.state.migrations.run import migrate_state
from tests.builders.alerts import START, an_alert

PAGER = ChannelInput(name="on call", kind=ChannelKind.PAGERDUTY, routing_key="a" * 32)


def fired(alert: Alert, turn: int) -> KeptTurn:
    """It fires, as its channels know."""
    group = GroupState(state=AlertState.CRITICAL, notified=AlertState.CRITICAL, has_incident=True)
    progress = AlertProgress(
        turn=turn, state=AlertState.CRITICAL, groups={"": group}, notified_channels=alert.channel_ids
    )
    return KeptTurn(alert=alert, progress=progress, changed=progress.groups, notices=())


class Overtaken(SqlAlerts):
    """When an alert is read for the first time, an evaluator is faster than who read it."""

    _is_first = True

    async def alert(self, organization_id: str, alert_id: str) -> Alert | None:
        found = await super().alert(organization_id, alert_id)
        if self._is_first:
            self._is_first = False
            assert found is not None
            assert await self.keep_turn(fired(found, 1)) == 0
        return found


async def opened(url: str) -> tuple[SqlChannels, Alert]:
    """An alert that tells a pager."""
    await migrate_state(url)
    channels = SqlChannels(url, encryption_key="e" * 32)
    config, secret = new_channel(PAGER)
    pager = await channels.add_channel(
        organization_id="acme", name=PAGER.name, kind=PAGER.kind, config=config, secret=secret, created_by="test"
    )
    return channels, an_alert(channel_ids=(pager.id,))


def test_an_incident_of_a_look_that_was_faster_is_ended_by_removing_the_alert(state_url: str) -> None:
    async def run() -> list[tuple[str, str]]:
        channels, alert = await opened(state_url)
        alerts: Any = Overtaken(state_url)
        await alerts.add_alert(alert)
        service: Any = SimpleNamespace(alerts=alerts, clock=ManualClock(START))
        await remove_alert(uuid.UUID(alert.id), "acme", service)
        sent = await channels.deliveries_of("acme", source_id=alert.id)
        await alerts.close()
        await channels.close()
        return [(one.kind, one.level) for one in sent]

    assert asyncio.run(run()) == [("resolved", "OK")]


def test_who_read_an_alert_before_its_last_turn_writes_nothing(state_url: str) -> None:
    async def run() -> None:
        channels, alert = await opened(state_url)
        alerts = SqlAlerts(state_url)
        await alerts.add_alert(alert)
        assert await alerts.keep_turn(fired(alert, 1)) == 0
        later = msgspec.structs.replace(alert, name="Later", updated_at=START + timedelta(days=1))
        assert not await alerts.change_alert(later, turn=0)
        assert not await alerts.remove_alert("acme", alert.id, turn=0, at=START)
        assert not await alerts.remove_alert("others", alert.id, turn=1, at=START)
        assert await alerts.alert("acme", alert.id) == alert
        assert await alerts.change_alert(later, turn=1)
        assert await alerts.remove_alert("acme", alert.id, turn=2, at=START)
        await alerts.close()
        await channels.close()

    asyncio.run(run())
