"""`farebox channels ...`: where notices and reports go, such as mail and Slack."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar
from uuid import uuid4

import typer
from rich.text import Text

from schemas.channel import Channel, ChannelKind, DeliveryLog, DeliveryState
from schemas.errors import InvalidRequest, NotFound
from schemas.key import CLI
from services.cli.options import DATA, Data, errors_in_one_line
from services.cli.state_store import with_store
from services.cli.terminal import compile_lines, console, escape, minute
from services.cli.upstreams import read_secret
from services.domain.channels.new_channel import ChannelInput, changed_channel, new_channel
from services.domain.channels.trial import trial_notice
from services.embedded.data_folder import ORGANIZATION
from services.key_secrets import new_signing_key

if TYPE_CHECKING:
    from services.stores.state.channels import SqlChannels

T = TypeVar("T")

channels = typer.Typer(help="Add, list, try and remove what notices are sent through.", no_args_is_help=True)

_POLL_S: Final = 0.5

_FROM: Final = (
    "Where its secret is: FILE, env:NAME, or - for standard input. It is the URL of Slack, Teams or a webhook, the "
    "token of Slack's bot, or PagerDuty's integration key. Asked for when not given."
)

Organization = Annotated[str, typer.Option(help="Whose channels.")]
Name = Annotated[str, typer.Argument(help="What people know it by.")]


@channels.command("add")
def add_channel(
    name: Name,
    kind: Annotated[ChannelKind, typer.Option(help="What it is.")],
    recipient: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS", help="Of mail, which FAREBOX_SMTP_URL sends. Repeatable.")
    ] = None,
    slack_channel: Annotated[str, typer.Option(help="#name or id, where a bot of Slack posts.")] = "",
    private: Annotated[
        bool, typer.Option("--private", help="It may have a private address, such as 10.0.0.5, and no TLS.")
    ] = False,
    secret_from: Annotated[str, typer.Option(help=_FROM)] = "",
    organization: Organization = ORGANIZATION,
    data: Data = DATA,
) -> None:
    """Add a channel. Its secrets are kept encrypted and never shown again."""
    with errors_in_one_line():
        secret = read_secret(secret_from) if secret_from else ""
        given = _input(name, kind, recipient or [], slack_channel, secret, private=private)
        config, kept = new_channel(given)
        made = _with_channels(
            data,
            lambda store: store.add_channel(
                organization_id=organization, name=name, kind=kind, config=config, secret=kept, created_by=CLI
            ),
        )
        print(f"added {name} with the id {made.id}: farebox channels test {name!r} sends a test")
        if given.signing_key:
            print(f"Its messages are signed by {given.signing_key}, which is shown this once.")


@channels.command("list")
def list_channels(organization: Organization = ORGANIZATION, data: Data = DATA) -> None:
    """List an organization's channels, without their secrets."""
    with errors_in_one_line():
        found = _with_channels(data, lambda store: store.channels_of(organization), is_there=True)
        compile_lines(_listed(found), console())


@channels.command("test")
def try_channel(
    name: Name,
    wait_s: Annotated[float, typer.Option(help="Seconds to wait for what becomes of it.")] = 30,
    organization: Organization = ORGANIZATION,
    data: Data = DATA,
) -> None:
    """Send a test, as everything else is sent. Exit code 1 unless it was delivered."""
    with errors_in_one_line():
        delivery = _with_channels(data, lambda store: _tried(store, organization, name, wait_s), is_there=True)
        compile_lines(_logged([delivery]), console())
        if delivery.state is not DeliveryState.DELIVERED:
            raise typer.Exit(1)


@channels.command("change")
def change_channel(
    name: Name,
    rename: Annotated[str, typer.Option(metavar="NAME", help="Another name.")] = "",
    recipient: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS", help="Instead of those it has. Repeatable.")
    ] = None,
    slack_channel: Annotated[str, typer.Option(help="#name or id, where its bot of Slack posts.")] = "",
    secret_from: Annotated[str, typer.Option(help=_FROM)] = "",
    organization: Organization = ORGANIZATION,
    data: Data = DATA,
) -> None:
    """Change what is given of a channel. A new URL of a webhook brings a new signing key."""
    with errors_in_one_line():
        if not (rename or recipient or slack_channel or secret_from):
            raise InvalidRequest("pass what is to change, such as --recipient")
        secret = read_secret(secret_from) if secret_from else ""

        async def change(store: "SqlChannels") -> ChannelInput:
            channel = await _named(store, organization, name)
            given = _changes(channel, rename or name, recipient or [], slack_channel, secret)
            config, kept = changed_channel(channel, given)
            await store.change_channel(organization, channel.id, name=given.name, config=config, secret=kept)
            return given

        given = _with_channels(data, change, is_there=True)
        print(f"changed {given.name}")
        if given.signing_key:
            print(f"Its messages are signed by {given.signing_key}, which is shown this once.")


@channels.command("remove")
def remove_channel(name: Name, organization: Organization = ORGANIZATION, data: Data = DATA) -> None:
    """Remove a channel. What waits to be sent through it is cancelled."""

    async def remove(store: "SqlChannels") -> None:
        await store.remove_channel(organization, (await _named(store, organization, name)).id)

    with errors_in_one_line():
        _with_channels(data, remove, is_there=True)
        print(f"removed {name}")


@channels.command("log")
def show_log(
    name: Annotated[str, typer.Argument(help="Of a channel; by default all.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Deliveries, the latest first.")] = 20,
    organization: Organization = ORGANIZATION,
    data: Data = DATA,
) -> None:
    """Show what was sent, or waits, with every attempt."""

    async def read(store: "SqlChannels") -> Sequence[DeliveryLog]:
        channel_id = (await _named(store, organization, name)).id if name else ""
        return await store.deliveries_of(organization, channel_id=channel_id, limit=limit)

    with errors_in_one_line():
        compile_lines(_logged(_with_channels(data, read, is_there=True)), console())


def _input(
    name: str, kind: ChannelKind, recipients: Sequence[str], slack_channel: str, secret: str, *, private: bool
) -> ChannelInput:
    """Asks for the secret, where one is needed that was not given."""
    if kind is not ChannelKind.EMAIL and not secret and not slack_channel:
        secret = str(typer.prompt(_PROMPTS[kind], hide_input=True))
    has_url = kind in (ChannelKind.TEAMS, ChannelKind.WEBHOOK) or (kind is ChannelKind.SLACK and not slack_channel)
    return ChannelInput(
        name=name,
        kind=kind,
        recipients=tuple(recipients),
        slack_channel=slack_channel,
        url=secret if has_url else "",
        token=secret if kind is ChannelKind.SLACK and slack_channel else "",
        routing_key=secret if kind is ChannelKind.PAGERDUTY else "",
        signing_key=new_signing_key() if kind is ChannelKind.WEBHOOK else "",
        private=private,
    )


def _changes(channel: Channel, name: str, recipients: Sequence[str], slack_channel: str, secret: str) -> ChannelInput:
    """Without a `secret` those that it has stay."""
    if not secret:
        return ChannelInput(name=name, kind=channel.kind, recipients=tuple(recipients), slack_channel=slack_channel)
    place = slack_channel or channel.config.slack_channel
    return _input(name, channel.kind, recipients, place, secret, private=channel.config.private)


_PROMPTS: Final = {
    ChannelKind.SLACK: "URL of the incoming webhook",
    ChannelKind.TEAMS: "URL of the workflow",
    ChannelKind.WEBHOOK: "URL",
    ChannelKind.PAGERDUTY: "Integration key of the Events API v2",
}


async def _tried(store: "SqlChannels", organization: str, name: str, wait_s: float) -> DeliveryLog:
    """The test's delivery, once an attempt has ended or the time is over."""
    channel = await _named(store, organization, name)
    notice = trial_notice(channel, str(uuid4()), datetime.now(UTC))
    await store.send(notice, [channel.id])
    ends_s = time.monotonic() + wait_s
    while True:
        [delivery] = await store.deliveries_of(organization, notice_id=notice.notice_id)
        has_ended = any(attempt.duration_ms is not None for attempt in delivery.attempts)
        if has_ended or time.monotonic() >= ends_s:
            return delivery
        await asyncio.sleep(_POLL_S)


async def _named(store: "SqlChannels", organization: str, name: str) -> Channel:
    found = [channel for channel in await store.channels_of(organization) if channel.name == name]
    if not found:
        raise NotFound(f"there is no channel with the name {name!r} in organization {organization!r}")
    return found[0]


def _listed(found: Sequence[Channel]) -> Iterator[Text]:
    for one in found:
        yield Text(escape(one.name), style="bold")
        config = one.config
        place = ", ".join(config.recipients) or config.slack_channel or config.server
        inside = ", may be private" if config.private else ""
        yield Text(f"  {one.id}")
        yield Text(f"  {one.kind.value}{f' to {escape(place)}' if place else ''}{inside}")
    if not found:
        yield Text("There are no channels yet: farebox channels add")


def _logged(deliveries: Sequence[DeliveryLog]) -> Iterator[Text]:
    for one in deliveries:
        yield Text(f"{minute(one.created_at)}  {one.state.value}  {one.kind}  {escape(one.name)}", style="bold")
        for attempt in one.attempts:
            status = f" {attempt.status}" if attempt.status is not None else ""
            took = f" after {attempt.duration_ms} ms" if attempt.duration_ms is not None else ""
            error = f": {escape(attempt.error)}" if attempt.error else ""
            yield Text(f"  {minute(attempt.at)}  {attempt.outcome.value}{status}{took}{error}")
        if one.state is DeliveryState.WAITING and not one.attempts:
            yield Text("  no attempt yet: the scheduler sends it")
    if not deliveries:
        yield Text("Nothing was sent yet.")


def _with_channels(data: Path, act: "Callable[[SqlChannels], Awaitable[T]]", *, is_there: bool = False) -> T:
    return with_store(data, _open_channels, act, is_there=is_there)


def _open_channels(state: str, encryption_key: str) -> "SqlChannels":
    # The stores take longer to load than most commands to run.
    from services.stores.factory import open_channels

    return open_channels(state, encryption_key=encryption_key)
