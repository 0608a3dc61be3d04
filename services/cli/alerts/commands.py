"""`farebox alerts ...`: what an operator types to hear of costs and errors in time."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer
from rich.text import Text

from schemas.alert import Condition, Direction
from schemas.api.alerts import AlertDetailView, AlertHistoryView, AlertView, BacktestView, ExplainView
from schemas.api.channels import DeliveryView
from schemas.api.requests import UTC_NAME
from schemas.channel import ChannelKind
from schemas.errors import InvalidRequest, NotFound
from services.cli.alerts.change import changed_body
from services.cli.alerts.render import alert_lines, backtest_lines, detail_lines, explain_lines, history_lines
from services.cli.alerts.rule import (
    AggregationOption,
    By,
    Calendar,
    ConditionOption,
    DirectionOption,
    Metric,
    Minimum,
    Percentile,
    Percents,
    ThresholdOption,
    WindowOption,
    notification_options,
    rule_body,
)
from services.cli.client import QueryApi
from services.cli.named import id_of
from services.cli.options import (
    DATA,
    AsJson,
    Data,
    Filters,
    Key,
    PeriodZone,
    Url,
    errors_in_one_line,
    query_api,
    show,
    warn_of_names,
)
from services.cli.terminal import compile_lines, console, escape, sanitize
from services.domain.alerts.metrics import METRICS
from services.domain.alerts.rule import metric_named

alerts = typer.Typer(help="Notify people of costs, errors and latency in time.", no_args_is_help=True)

_LIST: Final = "/v1/alert/query"

Which = Annotated[str, typer.Argument(metavar="ALERT", help="Its id, or its name.")]


@alerts.command("list")
def list_alerts(as_data: AsJson = False, url: Url = "", key: Key = "", data: Data = DATA) -> None:
    """List the alerts, and how they stand."""
    with errors_in_one_line():
        found = query_api(url, key, data).get(_LIST)
        views = [sanitize(AlertView, one) for one in found["alerts"]]
        lines = [line for one in views for line in alert_lines(one)]
        show(found, lambda screen: compile_lines(lines, screen), as_data=as_data)


@alerts.command("create")
def create_alert(
    name: Annotated[str, typer.Argument(help="What people know it by.")],
    metric: Metric = "cost",
    threshold: ThresholdOption = "",
    percents: Percents = "",
    window: WindowOption = "24h",
    calendar: Calendar = None,
    zone: PeriodZone = UTC_NAME,
    filters: Filters = None,
    by: By = None,
    minimum: Minimum = 0,
    percentile: Percentile = "",
    aggregation: AggregationOption = None,
    when: ConditionOption = Condition.THRESHOLD,
    side: DirectionOption = Direction.ABOVE,
    email: Annotated[list[str] | None, typer.Option(help="Whom to notify by mail. Repeatable.")] = None,
    slack: Annotated[list[str] | None, typer.Option(help="A Slack channel, such as #alerts. Repeatable.")] = None,
    channel: Annotated[
        list[str] | None, typer.Option(metavar="CHANNEL", help="A channel's name or id. Repeatable.")
    ] = None,
    cooldown: Annotated[
        str, typer.Option(help="For how long nothing must be reached before it is resolved. Default: 5m.")
    ] = "",
    renotify: Annotated[str, typer.Option(help="After how long people are reminded, such as 4h. Default: never.")] = "",
    no_data: Annotated[bool, typer.Option("--notify-no-data", help="Notify when no request is in a window.")] = False,
    as_data: AsJson = False,
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """Make an alert, and show when it would have fired in the last 30 days."""
    with errors_in_one_line():
        body = rule_body(
            *(name, metric, threshold, percents, window, calendar, zone, filters, by, minimum, percentile),
            *(aggregation, when, side),
        )
        api = query_api(url, key, data)
        known = api.get("/v1/channels") if channel else []
        channel_ids = [id_of(known, one, "channel") for one in channel or ()]
        body |= {"emails": email or [], "slack_channels": slack or [], "channel_ids": channel_ids}
        body |= notification_options(cooldown, renotify, no_data=no_data)
        made = api.post_whole("/v1/alert/create", body)
        warn_of_names(made)
        if as_data:
            show(made, lambda _: None, as_data=True)
            return
        print(f"created {made['data']}")
        if made["backtest"] is not None:
            _show_backtest(made["backtest"], metric, as_data=False)


@alerts.command("backtest")
def try_alert(
    metric: Metric = "cost",
    threshold: ThresholdOption = "",
    percents: Percents = "",
    window: WindowOption = "24h",
    calendar: Calendar = None,
    zone: PeriodZone = UTC_NAME,
    filters: Filters = None,
    by: By = None,
    minimum: Minimum = 0,
    percentile: Percentile = "",
    aggregation: AggregationOption = None,
    when: ConditionOption = Condition.THRESHOLD,
    side: DirectionOption = Direction.ABOVE,
    since: Annotated[str, typer.Option(help="How far back: 24h, 7d, 4w, to 92d.")] = "30d",
    as_data: AsJson = False,
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """Show when an alert would have fired, without making one."""
    with errors_in_one_line():
        body = rule_body(
            *("", metric, threshold, percents, window, calendar, zone, filters, by, minimum, percentile),
            *(aggregation, when, side),
        )
        whole = query_api(url, key, data).post_whole("/v1/alert/backtest", body | {"since": since})
        warn_of_names(whole)
        _show_backtest(whole["data"], metric, as_data=as_data)


@alerts.command("show")
def show_alert(alert: Which, as_data: AsJson = False, url: Url = "", key: Key = "", data: Data = DATA) -> None:
    """Show how an alert and its groups stand."""
    with errors_in_one_line():
        api = query_api(url, key, data)
        found = api.get(_path(api, alert))
        lines = _detail_lines(api, found)
        show(found, lambda screen: compile_lines(lines, screen), as_data=as_data)


@alerts.command("explain")
def explain_alert(alert: Which, as_data: AsJson = False, url: Url = "", key: Key = "", data: Data = DATA) -> None:
    """Say why an alert fires, or is silent."""
    with errors_in_one_line():
        api = query_api(url, key, data)
        found = api.get(f"{_path(api, alert)}/explain")
        lines = explain_lines(sanitize(ExplainView, found))
        show(found, lambda screen: compile_lines(lines, screen), as_data=as_data)


@alerts.command("history")
def show_history(
    alert: Which,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Of each, the latest first.")] = 10,
    as_data: AsJson = False,
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """Show when an alert fired, its notices, and its last evaluations."""
    with errors_in_one_line():
        api = query_api(url, key, data)
        path = _path(api, alert)
        unit = sanitize(AlertDetailView, api.get(path)).unit
        found = api.get(f"{path}/history", {"limit": str(limit), "historyPageSize": str(limit)})
        notices = api.get(f"{path}/notices", {"limit": str(limit)})
        channels = {one["id"]: escape(one["name"]) for one in api.get("/v1/channels")}
        sent = [sanitize(DeliveryView, one) for one in notices]
        lines = history_lines(sanitize(AlertHistoryView, found), sent, channels, unit)
        show(found | {"notices": notices}, lambda screen: compile_lines(lines, screen), as_data=as_data)


@alerts.command("change")
def change_alert(
    alert: Which,
    threshold: ThresholdOption = "",
    percents: Percents = "",
    minimum: Annotated[int | None, typer.Option(min=0, help="Requests, below which nothing fires.")] = None,
    channel: Annotated[
        list[str] | None, typer.Option(metavar="CHANNEL", help="Instead of those it tells: name or id. Repeatable.")
    ] = None,
    cooldown: Annotated[str, typer.Option(help="Before it is resolved, such as 5m.")] = "",
    renotify: Annotated[str, typer.Option(help="After how long people are reminded, such as 4h.")] = "",
    no_data: Annotated[
        bool | None, typer.Option("--notify-no-data/--ignore-no-data", help="When no request is in a window.")
    ] = None,
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """Change what is given, such as the threshold. To watch something else make another alert."""
    with errors_in_one_line():
        api = query_api(url, key, data)
        path = _path(api, alert)
        given = notification_options(cooldown, renotify, no_data=no_data)
        given |= {} if minimum is None else {"minimum_request_count": minimum}
        if channel:
            known = api.get("/v1/channels")
            given["channel_ids"] = [id_of(known, one, "channel") for one in channel]
        if not (given or threshold or percents):
            raise InvalidRequest("pass what is to change, such as --threshold")
        changed = api.put(path, changed_body(api.get(path), given, threshold, percents))
        compile_lines(_detail_lines(api, changed), console())


@alerts.command("mute")
def mute_alert(
    alert: Which,
    until: Annotated[str, typer.Option(metavar="TIMESTAMP", help="Default: it is no longer muted.")] = "",
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """Send no notices of an alert for a while; one of what still fires follows then."""
    with errors_in_one_line():
        api = query_api(url, key, data)
        muted = api.post(f"{_path(api, alert)}/mute", {"until": until or None})
        compile_lines(_detail_lines(api, muted), console())


@alerts.command("delete")
def delete_alert(alert: Which, url: Url = "", key: Key = "", data: Data = DATA) -> None:
    """Delete an alert. When it fired stays in the history."""
    with errors_in_one_line():
        api = query_api(url, key, data)
        api.delete(_path(api, alert))
        print("deleted")


def _detail_lines(api: QueryApi, found: Mapping[str, Any]) -> Iterator[Text]:
    """How an alert stands, and whom it tells."""
    named = (ChannelKind.EMAIL, ChannelKind.SLACK)
    others = {one["id"]: escape(one["name"]) for one in api.get("/v1/channels") if one["kind"] not in named}
    return detail_lines(
        sanitize(AlertDetailView, found), [others[one] for one in found["channel_ids"] if one in others]
    )


def _path(api: QueryApi, alert: str) -> str:
    """Of the alert with this id or name. Raises: NotFound."""
    known: list[Mapping[str, Any]] = api.get(_LIST)["alerts"]
    for one in known:
        if alert in (one["id"], one["name"]):
            return f"/v1/alert/{quote(one['id'])}"
    raise NotFound(f"there is no alert {alert[:80]!r}: farebox alerts list")


def _show_backtest(found: Any, metric: str, *, as_data: bool) -> None:
    lines = backtest_lines(sanitize(BacktestView, found), METRICS[metric_named(metric)].unit)
    show(found, lambda screen: compile_lines(lines, screen), as_data=as_data)
