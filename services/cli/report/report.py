"""`farebox report`: what was spent, in the form of the summary or by groups of one's own choice."""

from functools import partial
from typing import Annotated, Final

import typer

from schemas.api.requests import UTC_NAME
from services.cli.options import (
    DATA,
    AsJson,
    Data,
    End,
    Filters,
    Key,
    Month,
    Names,
    PeriodZone,
    Since,
    Start,
    Url,
    errors_in_one_line,
    query_api,
    show,
)
from services.cli.report.options import filter_given, groupings, names_given, period_given
from services.cli.report.printed import print_report
from services.cli.report.summary import SealedSummary, compile_report, fetch_summary
from services.cli.report.table import SealedReport, report_lines
from services.cli.terminal import sanitize
from services.query.time_zone import zone_of

_PATH: Final = "/v1/report"
_BY: Final = "Environment,Feature"
_MEASURES: Final = "cost_usd"
_GROUPS: Final = 1000
_MAX_GROUPS: Final = 10_000  # of the endpoint: for files


def report(
    since: Since = "",
    month: Month = "",
    start: Start = "",
    end: End = "",
    zone: PeriodZone = UTC_NAME,
    by: Annotated[
        Names,
        typer.Option(metavar="NAMES", help=f"Properties, columns, 15_minutes, day ...: Feature,model. Default: {_BY}."),
    ] = None,
    measures: Annotated[Names, typer.Option(metavar="NAMES", help=f"What is shown. Default: {_MEASURES}.")] = None,
    filters: Filters = None,
    compare: Annotated[
        str, typer.Option(metavar="PERIOD", help="Beside it: previous, week_before, month_before or year_before.")
    ] = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the groups as CSV.")] = False,
    as_data: AsJson = False,
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """Print what was spent.

    By default: by environment, feature and user, what caching saved, and what has no price.

    With --by, --measures, --filter, --compare or --csv: by groups of your own choice.
    """
    with errors_in_one_line():
        times, clock = period_given(month=month, since=since, start=start, end=end), zone_of(zone, "--zone")
        api = query_api(url, key, data)
        if not (by or measures or filters or compare or as_csv):
            summary = fetch_summary(api, times | {"timeZone": zone})
            show(summary, lambda to: compile_report(sanitize(SealedSummary, summary), to, zone=clock), as_data=as_data)
            return
        shown_by, shown_measures = names_given(by or [_BY]), names_given(measures or [_MEASURES])
        body = {
            "measures": shown_measures,
            "by": groupings(shown_by),
            "filter": filter_given(filters or []),
            "timeFilter": times,
            "timeZone": zone,
            "compare": compare or None,
            "limit": _MAX_GROUPS if as_csv or as_data else _GROUPS,
        }
        layout = partial(report_lines, by=shown_by, measures=shown_measures, zone=clock)
        print_report(api, _PATH, body, SealedReport, layout, as_csv=as_csv, as_data=as_data)
