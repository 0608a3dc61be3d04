"""`farebox reports ...`: reports that are sent by the calendar. By the API; changes need an admin key."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer
from rich.text import Text

from schemas.api.requests import UTC_NAME
from schemas.errors import InvalidRequest
from schemas.scheduled_report import Every
from services.cli.named import id_of, one_of
from services.cli.options import (
    DATA,
    AsJson,
    Data,
    Filters,
    Key,
    Names,
    PeriodZone,
    Url,
    errors_in_one_line,
    query_api,
    show,
    warn_of_names,
)
from services.cli.report.options import filter_given, groupings, names_given
from services.cli.terminal import compile_lines, console, escape

reports = typer.Typer(help="Send reports by the calendar, to channels.", no_args_is_help=True)

_PATH: Final = "/v1/scheduled-reports"
_CLOCK: Final = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_BY: Final = "Properties, columns, day ...: Feature,model. Default, without --measures: what `farebox report` prints."

Which = Annotated[str, typer.Argument(metavar="REPORT", help="Its id, or its name.")]


@reports.command("list")
def list_reports(as_data: AsJson = False, url: Url = "", key: Key = "", data: Data = DATA) -> None:
    """List scheduled reports, and when each is sent next."""
    with errors_in_one_line():
        found = query_api(url, key, data).get(_PATH)
        show(found, lambda to: compile_lines(_listed(found), to), as_data=as_data)


@reports.command("create")
def create_report(
    name: Annotated[str, typer.Argument(help="The subject of its mail.")],
    channel: Annotated[list[str], typer.Option(metavar="CHANNEL", help="Name or id. Repeatable.")],
    every: Annotated[Every, typer.Option(help="How often; it is about the whole days since.")] = Every.WEEK,
    at: Annotated[str, typer.Option(metavar="HH:MM", help="By the clocks of --zone.")] = "08:00",
    weekday: Annotated[int, typer.Option(min=1, max=7, help="Of a week: 1 is Monday.")] = 1,
    day: Annotated[int, typer.Option(min=1, max=31, help="Of a month.")] = 1,
    zone: PeriodZone = UTC_NAME,
    measures: Annotated[Names, typer.Option(metavar="NAMES", help="What is shown. Default: cost_usd.")] = None,
    by: Annotated[Names, typer.Option(metavar="NAMES", help=_BY)] = None,
    filters: Filters = None,
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """Have a report sent every day, week or month."""
    with errors_in_one_line():
        schedule = {"every": every, **_clock(at), "weekday": weekday, "day": day, "time_zone": zone}
        query = _query(names_given(measures or []), names_given(by or []), filters or [])
        api = query_api(url, key, data)
        known = api.get("/v1/channels")
        body = {
            "name": name,
            "schedule": schedule,
            "channel_ids": [id_of(known, one, "channel") for one in channel],
            "query": query,
        }
        whole = api.post_whole(_PATH, body)
        made = whole["data"]
        warn_of_names(whole)
        print(f"created {escape(made['name'])}: {made['id']}, sent next at {made['next_at']}")


@reports.command("change")
def change_report(
    which: Which,
    every: Annotated[Every | None, typer.Option(help="How often.")] = None,
    at: Annotated[str, typer.Option(metavar="HH:MM", help="By the clocks of its zone.")] = "",
    weekday: Annotated[int | None, typer.Option(min=1, max=7, help="Of a week: 1 is Monday.")] = None,
    day: Annotated[int | None, typer.Option(min=1, max=31, help="Of a month.")] = None,
    zone: Annotated[str | None, typer.Option(help="IANA name.")] = None,
    channel: Annotated[
        list[str] | None, typer.Option(metavar="CHANNEL", help="Instead of those it has: name or id. Repeatable.")
    ] = None,
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """Change when a report is sent, and to whom."""
    with errors_in_one_line():
        api = query_api(url, key, data)
        found = one_of(api.get(_PATH), which, "scheduled report")
        clock: dict[str, Any] = _clock(at) if at else {}
        given = {"every": every, "weekday": weekday, "day": day, "time_zone": zone, **clock}
        schedule = {name: value for name, value in given.items() if value is not None}
        body = _body(found) | {"schedule": found["schedule"] | schedule}
        if channel:
            known = api.get("/v1/channels")
            body["channel_ids"] = [id_of(known, one, "channel") for one in channel]
        if not (schedule or channel):
            raise InvalidRequest("pass what is to change, such as --at")
        changed = api.put(f"{_PATH}/{quote(found['id'], safe='')}", body)
        compile_lines(_listed([changed]), console())


@reports.command("show")
def show_report(which: Which, as_data: AsJson = False, url: Url = "", key: Key = "", data: Data = DATA) -> None:
    """Show what a report says, to whom, and how it went last."""
    with errors_in_one_line():
        api = query_api(url, key, data)
        found = one_of(api.get(_PATH), which, "scheduled report")
        channels = {one["id"]: one["name"] for one in api.get("/v1/channels")}
        show(found, lambda to: compile_lines(_shown(found, channels), to), as_data=as_data)


@reports.command("send")
def send_report(which: Which, url: Url = "", key: Key = "", data: Data = DATA) -> None:
    """Send a report now, about the whole days since it was due last; then by its schedule."""
    with errors_in_one_line():
        api = query_api(url, key, data)
        report_id = id_of(api.get(_PATH), which, "scheduled report")
        api.post(f"{_PATH}/{quote(report_id, safe='')}/send", {})
        print("it is made within seconds: farebox channels log shows what became of it")


@reports.command("preview")
def preview_report(which: Which, as_data: AsJson = False, url: Url = "", key: Key = "", data: Data = DATA) -> None:
    """Show what a report would say if it were sent now. Nothing is sent."""
    with errors_in_one_line():
        api = query_api(url, key, data)
        found = one_of(api.get(_PATH), which, "scheduled report")
        preview = api.post(f"{_PATH}/preview", _body(found))
        show(preview, lambda to: compile_lines(_previewed(preview), to), as_data=as_data)


@reports.command("delete")
def delete_report(which: Which, url: Url = "", key: Key = "", data: Data = DATA) -> None:
    """Delete a report: it is not sent again."""
    with errors_in_one_line():
        api = query_api(url, key, data)
        api.delete(f"{_PATH}/{quote(id_of(api.get(_PATH), which, 'scheduled report'), safe='')}")
        print("deleted")


def _body(report: Mapping[str, Any]) -> dict[str, Any]:
    return {name: report[name] for name in ("name", "schedule", "channel_ids", "query")}


def _clock(text: str) -> dict[str, int]:
    """Raises: InvalidRequest."""
    clock = _CLOCK.fullmatch(text)
    if clock is None:
        raise InvalidRequest(f"--at {text[:40]!r}: expected hours and minutes, such as 08:00")
    return {"hour": int(clock[1]), "minute": int(clock[2])}


def _query(measures: Sequence[str], by: Sequence[str], filters: Sequence[str]) -> dict[str, Any] | None:
    """None for what `farebox report` prints. Raises: InvalidRequest."""
    if not (measures or by or filters):
        return None
    return {"measures": measures or ["cost_usd"], "by": groupings(by), "filter": filter_given(filters)}


def _listed(found: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    for one in found:
        yield Text(escape(one["name"]), style="bold")
        yield Text(f"  {_when(one['schedule'])}, next at {one['next_at']}")
        if one["error"]:
            yield Text(f"  was not sent at {one['last_at']}: {escape(one['error'])}", style="yellow")
    if not found:
        yield Text("There are no scheduled reports yet: farebox reports create")


def _shown(one: Mapping[str, Any], channels: Mapping[str, str]) -> Iterator[Text]:
    yield from _listed([one])
    query = one["query"]
    by = [next(iter(part.values())) for part in (query or {}).get("by", [])]
    what = (
        ", ".join(query["measures"]) + (f" by {', '.join(by)}" if by else "")
        if query
        else "what `farebox report` prints"
    )
    yield Text(f"  {escape(what)}")
    yield Text(f"  to {', '.join(escape(channels.get(each, each)) for each in one['channel_ids'])}")
    yield Text(f"  last at {one['last_at']}" if one["last_at"] else "  never due yet")
    yield Text(f"  {one['id']}")


def _previewed(preview: Mapping[str, Any]) -> Iterator[Text]:
    yield from (Text(escape(line)) for line in preview["text"].splitlines())
    yield Text()
    yield Text(f"with {', '.join(one['name'] for one in preview['attachments'])}; nothing was sent")


def _when(schedule: Mapping[str, Any]) -> str:
    clock = f"at {schedule['hour']:02d}:{schedule['minute']:02d} ({escape(schedule['time_zone'])})"
    match schedule["every"]:
        case Every.WEEK:
            return f"every {_WEEKDAYS[schedule['weekday'] - 1]} {clock}"
        case Every.MONTH:
            return f"on day {schedule['day']} of every month {clock}"
        case _:
            return f"every day {clock}"
