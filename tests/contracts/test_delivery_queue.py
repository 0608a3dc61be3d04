"""What the queue of deliveries owes, on SQLite and on PostgreSQL: one process at a time, in order, and never lost."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import pytest

from schemas.channel import (
    Attempt,
    AttemptOutcome,
    Channel,
    ChannelConfig,
    ChannelKind,
    ChannelSecret,
    Claim,
    DeliveryLog,
    DeliveryState,
)
from schemas.errors import Conflict
from services.stores.state.channels import SqlChannels
from services.stores.state.deliveries import SqlDeliveryQueue
from services.stores.state.migrations.run import migrate_state
from tests.builders.notices import a_notice
from tests.builders.records import TIMESTAMP

MINUTE = timedelta(minutes=1)


class State:
    """A database with both stores on it."""

    def __init__(self, url: str) -> None:
        self.channels = SqlChannels(url)
        self.queue = SqlDeliveryQueue(url)

    def add(self, name: str = "mail", organization_id: str = "acme", secret: ChannelSecret | None = None) -> Channel:
        return asyncio.run(
            self.channels.add_channel(
                organization_id=organization_id,
                name=name,
                kind=ChannelKind.EMAIL,
                config=ChannelConfig(recipients=("finance@example.com",)),
                secret=secret or ChannelSecret(),
                created_by="cli",
            )
        )

    def send(self, notice_id: str, channel: Channel, at: datetime = TIMESTAMP, group: str = "") -> None:
        notice = a_notice(notice_id, created_at=at, group={"user": group or notice_id})
        assert asyncio.run(self.channels.send(notice, [channel.id]))

    def claim(self, at: datetime = TIMESTAMP, limit: int = 100) -> Sequence[Claim]:
        return asyncio.run(self.queue.claim(at=at, until=at + MINUTE, limit=limit))

    def end(self, claim: Claim, outcome: AttemptOutcome, due_at: datetime | None = None) -> bool:
        attempt = Attempt(number=claim.number, at=claim.claimed_at, outcome=outcome, status=503, error="too busy")
        return asyncio.run(self.queue.end_attempt(claim, attempt, due_at=due_at))

    def log(self) -> Sequence[DeliveryLog]:
        return asyncio.run(self.channels.deliveries_of("acme"))

    def close(self) -> None:
        asyncio.run(self.channels.close())
        asyncio.run(self.queue.close())


@pytest.fixture
def state(state_url: str) -> Iterator[State]:
    asyncio.run(migrate_state(state_url))
    opened = State(state_url)
    yield opened
    opened.close()


def ids(claims: Sequence[Claim]) -> list[str]:
    return [claim.notice_id for claim in claims]


def test_a_claim_is_of_one_process_and_expires_when_that_is_killed(state: State) -> None:
    state.send("one", state.add())
    [first] = state.claim()
    assert (first.number, first.notice, state.claim()) == (1, a_notice("one", group={"user": "one"}), [])
    [second] = state.claim(TIMESTAMP + MINUTE)
    assert second.number == 2
    assert not state.end(first, AttemptOutcome.FAILED)  # too late: it is another's by now
    assert state.end(second, AttemptOutcome.DELIVERED)
    assert state.claim(TIMESTAMP + 2 * MINUTE) == []
    [delivery] = state.log()
    assert (delivery.state, delivery.due_at) == (DeliveryState.DELIVERED, None)
    assert [one.outcome for one in delivery.attempts] == [AttemptOutcome.FAILED, AttemptOutcome.DELIVERED]


def test_any_number_of_processes_claims_each_delivery_once(state: State) -> None:
    channel = state.add()
    for number in range(40):
        state.send(f"n-{number}", channel)

    async def claim_all() -> list[str]:
        async def claim() -> list[str]:
            found: list[str] = []
            while claims := await state.queue.claim(at=TIMESTAMP, until=TIMESTAMP + MINUTE, limit=3):
                found += ids(claims)
            return found

        return [one for found in await asyncio.gather(*(claim() for _ in range(6))) for one in found]

    claimed = Counter(asyncio.run(claim_all()))
    # PostgreSQL skips what another one is claiming, which may be all that is left at that time: the next look finds it.
    claimed.update(ids(state.claim()))
    assert claimed == Counter(f"n-{number}" for number in range(40))


def test_an_attempt_that_failed_is_due_again_when_it_says(state: State) -> None:
    state.send("one", state.add())
    [claim] = state.claim()
    later = TIMESTAMP + timedelta(hours=1)
    assert state.end(claim, AttemptOutcome.RETRYING, due_at=later)
    assert state.claim(later - MINUTE) == []
    assert ids(state.claim(later)) == ["one"]
    [delivery] = state.log()
    assert [(one.number, one.status, one.error) for one in delivery.attempts] == [(1, 503, "too busy"), (2, None, "")]


def test_what_is_said_of_one_incident_goes_out_in_order(state: State) -> None:
    channel, other = state.add(), state.add("other")
    for target in (channel, other):
        state.send(f"firing-{target.name}", target, group="user-1")
    state.send("resolved-mail", channel, TIMESTAMP + MINUTE, group="user-1")
    state.send("another-incident", channel, TIMESTAMP + MINUTE, group="user-2")
    now = TIMESTAMP + 2 * MINUTE
    claims = state.claim(now)
    assert sorted(ids(claims)) == ["another-incident", "firing-mail", "firing-other"]
    assert state.claim(now) == []
    for claim in claims:
        assert state.end(claim, AttemptOutcome.FAILED)
    assert ids(state.claim(now)) == ["resolved-mail"]


def test_the_channel_of_another_organization_or_a_removed_one_is_sent_nothing(state: State) -> None:
    foreign = state.add(organization_id="other")
    state.send("one", foreign)
    [claim] = state.claim()
    assert claim.channel is None
    own = state.add("own")
    state.send("two", own)
    assert asyncio.run(state.channels.remove_channel("acme", own.id))
    assert not asyncio.run(state.channels.remove_channel("acme", foreign.id))
    assert state.claim(TIMESTAMP + 2 * MINUTE)[0].notice_id == "one"
    assert {one.notice_id: one.state for one in state.log()}["two"] is DeliveryState.CANCELLED


def test_what_ended_long_ago_is_forgotten_and_what_waits_is_not(state: State) -> None:
    channel = state.add()
    state.send("ended", channel)
    [claim] = state.claim()
    assert state.end(claim, AttemptOutcome.DELIVERED)
    state.send("waiting", channel)
    state.send("later", channel, TIMESTAMP + MINUTE)
    asyncio.run(state.queue.forget(before=TIMESTAMP + MINUTE))
    assert [one.notice_id for one in state.log()] == ["later", "waiting"]
    state.send("ended", channel)  # it is a new one by now


def test_a_secret_is_kept_encrypted_and_only_for_its_channel(state: State, state_url: str) -> None:
    secret = ChannelSecret(url="https://hooks.example.com/canarysecret")
    channel = state.add(secret=secret)
    state.send("one", channel)
    assert state.claim()[0].secret == secret
    another_key = SqlDeliveryQueue(state_url, encryption_key="k" * 32)
    [claim] = asyncio.run(another_key.claim(at=TIMESTAMP + MINUTE, until=TIMESTAMP + 2 * MINUTE, limit=1))
    assert claim.secret == ChannelSecret()
    assert "FAREBOX_ENCRYPTION_KEY" in claim.problem
    asyncio.run(another_key.close())
    assert "canarysecret" not in repr((secret, claim, asyncio.run(state.channels.channels_of("acme"))))


def test_a_channel_of_an_address_is_made_once(state: State) -> None:
    async def same(count: int) -> list[Channel]:
        calls = [state.channels.email_channel("acme", "ops@example.com", created_by="cli") for _ in range(count)]
        return list(await asyncio.gather(*calls))

    state.add("ops@example.com")  # another channel has the name
    first = asyncio.run(same(1))[0]
    assert {channel.id for channel in asyncio.run(same(3))} == {first.id}
    assert first.config.recipients == ("ops@example.com",)
    slack = asyncio.run(state.channels.slack_channel("acme", "#alerts", created_by="cli"))
    assert (slack.kind, slack.config.slack_channel) == (ChannelKind.SLACK, "#alerts")


def test_names_of_channels_are_unique_in_an_organization(state: State) -> None:
    first, second = state.add("one"), state.add("two")
    state.add("one", organization_id="other")
    with pytest.raises(Conflict, match="'one'"):
        state.add("one")
    with pytest.raises(Conflict, match="'one'"):
        asyncio.run(state.channels.change_channel("acme", second.id, name="one", config=second.config, secret=None))
    changed = asyncio.run(
        state.channels.change_channel("acme", first.id, name="three", config=first.config, secret=None)
    )
    assert changed is not None
    assert [one.name for one in asyncio.run(state.channels.channels_of("acme"))] == ["three", "two"]
    assert (
        asyncio.run(state.channels.change_channel("other", first.id, name="x", config=first.config, secret=None))
        is None
    )
