"""Alerts: whoever may read sees and tries them, an admin key makes, changes, mutes and removes them."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import Query, Response

from schemas.alert import Alert, AlertProgress, AlertRule, AlertState
from schemas.api.alerts import (
    AlertDetailView,
    AlertHistoryView,
    AlertRequest,
    AlertStatesView,
    AlertsView,
    BacktestRequest,
    MuteRequest,
)
from schemas.api.properties import Done
from schemas.api.requests import NameWarning
from schemas.errors import Busy, InvalidRequest, NotFound, Unavailable
from schemas.key import ApiKey
from services.alerting.backtest import MAX_DAYS, Backtest, backtest
from services.alerting.figures import question_of
from services.domain.alerts.notices import last_notices
from services.domain.channels.new_channel import checked_address, checked_slack_channel
from services.query.alerts.rules import rule_from, watches_same
from services.query.alerts.views import alert_view, backtest_view, episode_view, evaluation_view, group_views
from services.query.channels.known import known_kinds
from services.query.channels.views import delivery_view
from services.query.dependencies import Service, ServiceDep
from services.query.http.auth import Admin, AdminKey, Reader
from services.query.http.responses import data_response, json_response
from services.query.reports.period import parse_timestamp, period_since
from services.query.time_zone import zone_of
from services.sql.names import names_of

MAX_ALERTS = 1000  # of an organization
_ATTEMPTS = 5  # at a change, while the alert is evaluated or changed by others
_BACKTEST = "30d"  # of an alert that is made

HistoryPage = Annotated[int, Query(ge=0, le=100_000, description="From 0")]
HistoryPageSize = Annotated[int, Query(ge=1, le=1000)]
Limit = Annotated[int, Query(ge=1, le=1500, description="Evaluations: one a minute, of about a day")]
NoticesLimit = Annotated[int, Query(ge=1, le=1000, description="Notices through one channel each")]


async def list_alerts(
    organization_id: Reader,
    service: ServiceDep,
    historyPage: HistoryPage = 0,  # noqa: N803  # Helicone's
    historyPageSize: HistoryPageSize = 25,  # noqa: N803
) -> Response:
    """The organization's alerts, by name, and when they fired, the latest first."""
    alerts = await service.alerts.alerts_of(organization_id)
    channels = await service.channels.channels_of(organization_id)
    last = await service.alerts.last_evaluations(organization_id)
    total, episodes = await service.alerts.episodes_of(
        organization_id, limit=historyPageSize, offset=historyPage * historyPageSize
    )
    view = AlertsView(
        alerts=[alert_view(one, await _progress(one, service), last.get(one.id), channels) for one in alerts],
        history=[episode_view(one, organization_id) for one in episodes],
        historyTotalCount=total,
    )
    return data_response(view)


async def count_states(organization_id: Reader, service: ServiceDep) -> Response:
    """How many of the organization's alerts stand how: cheap enough to be asked each minute."""
    return data_response(await alert_states(organization_id, service))


async def alert_states(organization_id: str, service: Service) -> AlertStatesView:
    """Raises: StoreUnavailable."""
    states = await service.alerts.states_of(organization_id)
    return AlertStatesView(**{state.value: states.get(state, 0) for state in AlertState})


async def create_alert(body: AlertRequest, own: AdminKey, service: ServiceDep) -> Response:
    """Makes an alert, and says when it would have fired in the last 30 days."""
    if len(await service.alerts.alerts_of(own.organization_id)) >= MAX_ALERTS:
        raise InvalidRequest(f"an organization has at most {MAX_ALERTS} alerts")
    now = service.clock.now()
    alert = _alert(body, own.organization_id, service.draw_id(), now)
    alert = msgspec.structs.replace(alert, channel_ids=await _channel_ids(body, own, service))
    await service.alerts.add_alert(alert)
    try:
        tried = backtest_view(alert, await _backtest(alert, _BACKTEST, service))
    except (InvalidRequest, Unavailable):
        tried = None  # it is made all the same
    warnings = await _warnings(alert.rule, own.organization_id, service)
    return json_response({"data": alert.id, "error": None, "backtest": tried, "warnings": warnings})


async def show_alert(alert_id: UUID, organization_id: Reader, service: ServiceDep) -> Response:
    """How it stands, with the groups that fire."""
    alert, progress = await found_alert(alert_id, organization_id, service)
    return data_response(await _detail(alert, progress, service))


async def change_alert(alert_id: UUID, body: AlertRequest, own: AdminKey, service: ServiceDep) -> Response:
    """Replaces all of it. While what it watches stays the same, no threshold is notified of again."""

    async def changed(before: Alert) -> Alert:
        after = _alert(body, own.organization_id, before.id, service.clock.now())
        return msgspec.structs.replace(
            after,
            channel_ids=await _channel_ids(body, own, service),
            created_at=before.created_at,
            active_since=before.active_since if watches_same(before.rule, after.rule) else after.active_since,
            muted_until=before.muted_until,
        )

    detail = await _change(alert_id, own.organization_id, changed, service)
    warnings = await _warnings(rule_from(body, own.organization_id), own.organization_id, service)
    return data_response(detail, warnings=warnings)


async def mute_alert(alert_id: UUID, body: MuteRequest, organization_id: Admin, service: ServiceDep) -> Response:
    """No notice is sent until then; one of what still fires follows then."""

    async def muted(alert: Alert) -> Alert:
        now, zone = service.clock.now(), zone_of(alert.rule.window.time_zone)
        until = None if body.until is None else parse_timestamp(body.until, "until", zone)
        if until is not None and until <= now:
            raise InvalidRequest("until: this is past; null ends a mute")
        return msgspec.structs.replace(alert, muted_until=until, updated_at=now)

    return data_response(await _change(alert_id, organization_id, muted, service))


async def remove_alert(alert_id: UUID, organization_id: Admin, service: ServiceDep) -> Response:
    """It is evaluated no more. When it fired stays in the history."""

    async def remove(alert: Alert, progress: AlertProgress) -> bool:
        now = service.clock.now()
        notices = last_notices(alert, progress, at=now, detail="the alert was removed")
        return await service.alerts.remove_alert(organization_id, alert.id, turn=progress.turn, at=now, notices=notices)

    await _write(alert_id, organization_id, remove, service)
    return data_response(Done())


async def alert_history(
    alert_id: UUID,
    organization_id: Reader,
    service: ServiceDep,
    limit: Limit = 100,
    historyPage: HistoryPage = 0,  # noqa: N803
    historyPageSize: HistoryPageSize = 25,  # noqa: N803
) -> Response:
    """Its evaluations of about a day, and when it fired."""
    alert, _ = await found_alert(alert_id, organization_id, service)
    total, episodes = await service.alerts.episodes_of(
        organization_id, alert_id=alert.id, limit=historyPageSize, offset=historyPage * historyPageSize
    )
    view = AlertHistoryView(
        evaluations=[evaluation_view(one) for one in await service.alerts.evaluations_of(alert.id, limit=limit)],
        episodes=[episode_view(one, organization_id) for one in episodes],
        episodes_total=total,
    )
    return data_response(view)


async def list_notices(
    alert_id: UUID, organization_id: Reader, service: ServiceDep, limit: NoticesLimit = 100
) -> Response:
    """Its notices, sent or to be sent, through each channel, with every attempt."""
    alert, _ = await found_alert(alert_id, organization_id, service)
    found = await service.channels.deliveries_of(organization_id, source_id=alert.id, limit=limit)
    return data_response(list(map(delivery_view, found)))


async def try_alert(body: BacktestRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """When an alert would have fired, had there been one."""
    alert = _alert(body, organization_id, "", service.clock.now())
    tried = backtest_view(alert, await _backtest(alert, body.since, service))
    return data_response(tried, warnings=await _warnings(alert.rule, organization_id, service))


async def found_alert(alert_id: UUID, organization_id: str, service: Service) -> tuple[Alert, AlertProgress]:
    """Raises: NotFound."""
    # The progress first: when the alert is changed after that, its turn is another one.
    progress = await service.alerts.progress(str(alert_id))
    alert = await service.alerts.alert(organization_id, str(alert_id))
    if alert is None:
        raise NotFound(f"no alert of this organization has the id {alert_id}")
    return alert, progress


async def _backtest(alert: Alert, since: str, service: Service) -> Backtest:
    period = period_since(since, service.clock.now())
    if (period.end - period.start).days > MAX_DAYS:
        raise InvalidRequest(f"since: a rule is tried on at most {MAX_DAYS} days")
    question = question_of(alert.organization_id, alert.rule)
    async with service.backtests.turn(alert.organization_id):
        return await backtest(question, period.start, period.end, service.warehouse)


def _alert(body: AlertRequest, organization_id: str, alert_id: str, now: datetime) -> Alert:
    name = body.name.strip()
    if not name or not name.isprintable():
        raise InvalidRequest("name: an alert needs a name that people know it by")
    return Alert(
        id=alert_id,
        organization_id=organization_id,
        name=name,
        rule=rule_from(body, organization_id),
        created_at=now,
        updated_at=now,
        active_since=now,
    )


async def _channel_ids(body: AlertRequest, own: ApiKey, service: Service) -> tuple[str, ...]:
    """Those that are named, and one for each address and Slack channel. Raises: InvalidRequest."""
    organization_id = own.organization_id
    await known_kinds(body.channel_ids, organization_id, service)
    addresses = list(map(checked_address, body.emails))
    rooms = list(map(checked_slack_channel, body.slack_channels))
    made = [await service.channels.email_channel(organization_id, one, created_by=own.id) for one in addresses]
    made += [await service.channels.slack_channel(organization_id, one, created_by=own.id) for one in rooms]
    return tuple(dict.fromkeys((*body.channel_ids, *(one.id for one in made))))


async def _change(
    alert_id: UUID, organization_id: str, changed: Callable[[Alert], Awaitable[Alert]], service: Service
) -> AlertDetailView:
    """What `changed` makes of it, as clients are shown it. Raises: NotFound, Busy."""

    async def change(before: Alert, progress: AlertProgress) -> bool:
        after = await changed(before)
        is_same = after.active_since == before.active_since
        detail = "the alert watches something else now"
        notices = [] if is_same else last_notices(before, progress, at=after.active_since, detail=detail)
        return await service.alerts.change_alert(after, turn=progress.turn, notices=notices)

    await _write(alert_id, organization_id, change, service)
    return await _detail(*await found_alert(alert_id, organization_id, service), service)


async def _write(
    alert_id: UUID, organization_id: str, write: Callable[[Alert, AlertProgress], Awaitable[bool]], service: Service
) -> None:
    """`write` is False when another one was faster: the alert is read again then. Raises: NotFound, Busy."""
    for _ in range(_ATTEMPTS):
        alert, progress = await found_alert(alert_id, organization_id, service)
        if await write(alert, progress):
            return
    raise Busy("the alert is being evaluated, or changed by others; try again")


async def _warnings(rule: AlertRule, organization_id: str, service: Service) -> list[NameWarning]:
    """Of names in a rule that no request has: it would stay silent for good."""
    question = question_of(organization_id, rule)
    return await service.names.never_seen(organization_id, names_of(question.where, question.by))


async def _progress(alert: Alert, service: Service) -> AlertProgress:
    return await service.alerts.progress(alert.id, with_groups=False)


async def _detail(alert: Alert, progress: AlertProgress, service: Service) -> AlertDetailView:
    channels = await service.channels.channels_of(alert.organization_id)
    evaluations = await service.alerts.evaluations_of(alert.id, limit=1)
    view = alert_view(alert, progress, evaluations[0] if evaluations else None, channels)
    firing = sum(1 for state in progress.groups.values() if state.fires)
    return AlertDetailView(**dict(view), groups=group_views(alert, progress), firing_groups=firing)
