"""Alerts, back-tests and explanations for people."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from rich.text import Text

from schemas.api.alerts import AlertDetailView, AlertHistoryView, AlertView, BacktestView, ExplainView
from schemas.api.channels import DeliveryView
from schemas.notice import NoticeUnit
from services.cli.terminal import minute, pluralize
from services.domain.alerts.rule import shown_value

_STYLES: Final = {"OK": "green", "NO_DATA": "yellow", "WARNING": "yellow", "CRITICAL": "red"}
_SHOWN: Final = 40  # events of a back-test


def alert_lines(alert: AlertView) -> Iterator[Text]:
    """One alert of a list."""
    yield Text.assemble((f"{alert.state:<8}", _STYLES[alert.state]), "  ", (alert.name, "bold"), f"  {alert.id}")
    window = f"calendar {alert.calendar} in {alert.time_zone}" if alert.calendar else f"{_hours(alert.time_window)}"
    steps = ", ".join(one.label or shown_value(Decimal(str(one.value)), alert.unit) for one in alert.thresholds)
    by = f", by {', '.join(value for one in alert.by for value in one.values())}" if alert.by else ""
    compared = f"{alert.condition} " if alert.condition != "threshold" else ""
    yield Text(f"          {compared}{alert.metric} {alert.direction} {steps or 'what is usual'}, {window}{by}")
    if alert.muted_until is not None:
        yield Text(f"          muted until {minute(alert.muted_until)} (UTC)", style="yellow")


def detail_lines(alert: AlertDetailView, others: Sequence[str]) -> Iterator[Text]:
    """`others`: names of the channels that it tells beside mail and Slack."""
    yield from alert_lines(alert)
    yield Text(f"          evaluated until {_when(alert.evaluated_until)}")
    for address in (*alert.emails, *alert.slack_channels, *others):
        yield Text(f"          tells {address}")
    for group in alert.groups:
        value = "unknown" if group.value is None else shown_value(group.value, alert.unit)
        named = ", ".join(f"{name}={text}" for name, text in group.group.items()) or "all requests"
        yield Text(f"          {group.state} since {_when(group.since)}: {named}, {value}")


def explain_lines(found: ExplainView) -> Iterator[Text]:
    yield Text.assemble((found.alert.name, "bold"), f": {found.summary}")
    for one in found.checks:
        mark, style = {True: ("ok", "green"), False: ("no", "red"), None: ("?", "yellow")}[one.ok]
        yield Text.assemble((f"  {mark:<3}", style), f"{one.check}: {one.answer}")


def history_lines(
    found: AlertHistoryView, sent: Sequence[DeliveryView], channels: Mapping[str, str], unit: NoticeUnit
) -> Iterator[Text]:
    """When it fired, its notices, and its last evaluations, the latest first. `channels`: their names by id."""
    yield Text(f"It fired {pluralize(found.episodes_total, 'time')}.")
    for episode in found.episodes:
        until = f"to {minute(episode.alert_end_time)}" if episode.alert_end_time else "on, and still does"
        yield Text(
            f"  from {minute(episode.alert_start_time)} {until} (UTC): {episode.state}{_at(episode.value, unit)}"
        )
    yield Text("Notices:" if sent else "No notice was sent.")
    for one in sent:
        to = channels.get(one.channel_id, one.channel_id)
        yield Text(f"  {minute(one.created_at)}  {one.kind:<9} {one.level}, {one.state} to {to}")
    yield Text("Its last evaluations:" if found.evaluations else "It was not evaluated yet.")
    for look in found.evaluations:
        value = _at(look.value, unit) or ", unknown"
        late = "" if look.complete else ", of what was counted by then"
        detail = f": {look.detail}" if look.detail else ""
        yield Text(f"  {minute(look.at)}  {look.state:<8}{value}, {pluralize(look.requests, 'request')}{late}{detail}")


def _at(value: Decimal | None, unit: NoticeUnit) -> str:
    return "" if value is None else f" at {shown_value(value, unit)}"


def backtest_lines(found: BacktestView, unit: NoticeUnit) -> Iterator[Text]:
    period = f"from {minute(found.start)} to {minute(found.end)} (UTC)"
    every = f"looked at every {found.step_s // 60} min"
    yield Text(f"It would have fired {pluralize(found.fired, 'time')} {period}, {every}.")
    for one in found.events[:_SHOWN]:
        value = "" if one.value is None else f" at {shown_value(one.value, unit)}"
        group = f" {', '.join(one.group.values())}" if one.group else ""
        groups = f" {pluralize(one.groups, 'group')}" if one.groups else ""
        yield Text(f"  {minute(one.at)}  {one.kind:<9} {one.level}{group}{groups}{value}")
    if found.truncated or len(found.events) > _SHOWN:
        yield Text("  And more: --json prints all that there is.")


def _when(at: datetime | None) -> str:
    return "never" if at is None else f"{minute(at)} (UTC)"


def _hours(time_window: str) -> str:
    minutes = int(time_window) // 60_000
    return f"last {minutes // 60} h" if minutes % 60 == 0 else f"last {minutes} min"
