"""What the pages of alerts ask the state database: how all of them stand, and what was told of one."""

import asyncio
from datetime import timedelta
from decimal import Decimal

from schemas.alert import Alert, AlertProgress, AlertState, Evaluation, KeptTurn, PendingNotice
from schemas.channel import ChannelKind
from schemas.notice import Notice, NoticeKind, NoticeSource
from services.domain.channels.new_channel import ChannelInput, new_channel
from services.stores.state.alerts import SqlAlerts
from services.stores.state.channels import SqlChannels
from services.stores.state.migrations.run import migrate_state
from tests.builders.alerts import START, an_alert

KEY = "e" * 32
FIRST, SECOND, OTHER = (f"{at}b7e5d2a-3c64-4f0e-9a55-0d3c1f1f7d11" for at in range(3))
OF_FINANCE = ChannelInput(name="finance", kind=ChannelKind.EMAIL, recipients=("finance@acme.com",))


def evaluated(alert: Alert, turn: int, value: int) -> KeptTurn:
    """It fires at its first turn, and goes on from there."""
    at = START + turn * timedelta(minutes=1)
    notice = Notice(
        notice_id=f"{alert.id}.{turn}",
        organization_id=alert.organization_id,
        source=NoticeSource.ALERT,
        source_id=alert.id,
        name=alert.name,
        kind=NoticeKind.FIRING,
        level=AlertState.CRITICAL,
        created_at=at,
    )
    evaluation = Evaluation(
        at=at,
        evaluated_at=at,
        state=AlertState.CRITICAL,
        complete=True,
        complete_until=at,
        window_start=START,
        value=Decimal(value),
        compared=Decimal(value),
        requests=1,
        groups=1,
        firing_groups=1,
        notices=1,
    )
    progress = AlertProgress(turn=turn, evaluated_until=at, state=AlertState.CRITICAL)
    notices = [PendingNotice(notice=notice, channel_ids=alert.channel_ids)]
    return KeptTurn(alert=alert, progress=progress, changed={}, notices=notices, evaluation=evaluation)


def test_lists_show_the_last_evaluation_how_all_stand_and_what_was_told_of_one(state_url: str) -> None:
    async def run() -> None:
        await migrate_state(state_url)
        alerts, channels = SqlAlerts(state_url), SqlChannels(state_url, encryption_key=KEY)
        config, secret = new_channel(OF_FINANCE)
        channel = await channels.add_channel(
            organization_id="acme",
            name="finance",
            kind=ChannelKind.EMAIL,
            config=config,
            secret=secret,
            created_by="test",
        )
        firing, calm = an_alert(id=FIRST, channel_ids=(channel.id,)), an_alert(id=SECOND)
        others = an_alert(id=OTHER, organization_id="another", channel_ids=(channel.id,))
        for alert in (firing, calm, others):
            await alerts.add_alert(alert)
        for alert in (firing, others):
            for turn in (1, 2):
                assert await alerts.keep_turn(evaluated(alert, turn, 7 + turn)) == 1
        assert {key: one.value for key, one in (await alerts.last_evaluations("acme")).items()} == {FIRST: 9}
        assert await alerts.states_of("acme") == {AlertState.CRITICAL: 1, AlertState.OK: 1}
        sent = await channels.deliveries_of("acme", source_id=FIRST)
        assert [one.notice_id for one in sent] == [f"{FIRST}.2", f"{FIRST}.1"]
        assert not await channels.deliveries_of("acme", source_id=OTHER)
        assert await channels.last_deliveries("acme") == {channel.id: sent[0]}
        assert await alerts.remove_alert("acme", FIRST, turn=2, at=START)
        assert await alerts.last_evaluations("acme") == {}
        assert await alerts.states_of("acme") == {AlertState.OK: 1}
        await alerts.close()
        await channels.close()

    asyncio.run(run())
