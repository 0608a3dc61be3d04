"""`farebox anomalies`: what was unusual, since when, and who explains it."""

from collections.abc import Iterator
from datetime import tzinfo
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Final

import typer
from rich.text import Text

from schemas.api.anomalies import AnomaliesView, AnomalyState, AnomalyView, Coverage
from schemas.api.requests import UTC_NAME
from schemas.api.seal import SealView
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
)
from services.cli.report.options import filter_given, groupings, names_given, number_given, period_given
from services.cli.report.printed import print_report
from services.cli.report.seal import seal_lines
from services.cli.report.table import ABSENT
from services.cli.terminal import columns, minute, percent, pluralize, usd
from services.query.time_zone import zone_of

_PATH: Final = "/v1/report/anomalies"
_SHOWN_DRIVERS: Final = 3


class SealedAnomalies(AnomaliesView):
    """What is printed."""

    seal: SealView


def anomalies(
    since: Since = "",
    month: Month = "",
    start: Start = "",
    end: End = "",
    zone: PeriodZone = UTC_NAME,
    by: Annotated[
        Names, typer.Option(metavar="NAMES", help="Properties and columns. Default: each of the usual ones.")
    ] = None,
    measures: Annotated[
        Names, typer.Option(metavar="NAMES", help="What is judged. Default: cost_usd,requests,errors.")
    ] = None,
    filters: Filters = None,
    direction: Annotated[str, typer.Option(metavar="WHICH", help="What is judged: rise, fall or both.")] = "both",
    minimum: Annotated[str, typer.Option(metavar="USD", help="Of an excess, in dollars. Default: 5.")] = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a line for each as CSV.")] = False,
    as_data: AsJson = False,
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """Print what was unusually high or low, by the hour of the week, and who explains it."""
    with errors_in_one_line():
        clock = zone_of(zone, "--zone")
        body: dict[str, Any] = {
            "timeFilter": period_given(month=month, since=since, start=start, end=end),
            "timeZone": zone,
            "filter": filter_given(filters or []),
            "direction": direction,
        }
        if by:
            body["by"] = groupings(names_given(by))
        if measures:
            body["measures"] = names_given(measures)
        if minimum:
            body["minimum"] = {"usd": number_given("--minimum", minimum)}
        layout = partial(anomaly_lines, zone=clock)
        print_report(query_api(url, key, data), _PATH, body, SealedAnomalies, layout, as_csv=as_csv, as_data=as_data)


def anomaly_lines(found: SealedAnomalies, *, zone: tzinfo, width: int) -> Iterator[Text]:
    """A table of anomalies, who explains each, what was not judged, and until when all is complete."""
    start, end = (minute(when.astimezone(zone)) for when in (found.start, found.end))
    yield Text(f"\nUnusual from {start} to {end} ({zone})\n", style="bold")
    if found.anomalies:
        yield from _table(found, zone, width)
    else:
        yield Text("  Nothing.")
    if found.truncated:
        yield Text("  There are more: name a shorter period, or a higher --minimum.")
    yield Text("\nWhat was judged", style="bold")
    for coverage in found.coverage:
        yield Text(f"  {_coverage(coverage)}")
    yield Text("")
    yield from seal_lines(found.seal)


def _table(found: SealedAnomalies, zone: tzinfo, width: int) -> Iterator[Text]:
    """The name of each has a line of its own, where nothing cuts it."""
    rows: list[tuple[str, ...]] = [("", "Excess", "Actual", "Expected", "Since", "Until", "Score")]
    rows += [("", *_figures(one), *_times(one, zone), f"{one.score:.0f}") for one in found.anomalies]
    head, *lines = columns(rows, width, needed=3)
    yield head
    for line, anomaly in zip(lines, found.anomalies, strict=True):
        yield Text(_name(anomaly), style="bold")
        yield line
        yield from (Text(f"    {driver}", style="dim") for driver in _drivers(anomaly))


def _name(anomaly: AnomalyView) -> str:
    group = ", ".join(f"{name} {value or ABSENT}" for name, value in anomaly.group.items())
    return f"{anomaly.measure}: {group or 'all requests'}"


def _figures(anomaly: AnomalyView) -> list[str]:
    return [_figure(figure, anomaly.unit) for figure in (anomaly.excess, anomaly.actual, anomaly.expected)]


def _figure(value: Any, unit: str) -> str:
    if unit == "USD":
        return usd(Decimal(value))
    return percent(float(value)) if unit == "share" else f"{value:,.0f}"


def _times(anomaly: AnomalyView, zone: tzinfo) -> tuple[str, str]:
    until = "still going on" if anomaly.until is None else minute(anomaly.until.astimezone(zone))
    return minute(anomaly.since.astimezone(zone)), "new normal" if anomaly.state is AnomalyState.NEW_NORMAL else until


def _drivers(anomaly: AnomalyView) -> Iterator[str]:
    for driver in anomaly.drivers:
        parts = [f"{part.value} {_figure(part.excess, anomaly.unit)}" for part in driver.parts if part.value]
        if parts:
            yield f"{driver.by}: {', '.join(parts[:_SHOWN_DRIVERS])}"
    if anomaly.unpriced_requests and anomaly.unit == "USD":
        yield f"{pluralize(anomaly.unpriced_requests, 'request')} of it could not be priced"
    if not anomaly.complete:
        yield "events of its time may still be waiting to be counted"


def _coverage(coverage: Coverage) -> str:
    reasons = {
        "too young": coverage.too_young,
        "too small": coverage.too_small,
        "too sparse": coverage.too_sparse,
        "beyond the limit": coverage.beyond_limit,
    }
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items() if count)
    judged = f"{', '.join(coverage.by) or 'all requests'}: {coverage.judged:,} of {coverage.groups:,}"
    return judged + (f" ({left_out})" if left_out else "")
