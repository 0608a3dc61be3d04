"""`farebox distribution`: what one session, user or request costs, and which are outliers."""

from collections.abc import Iterator
from datetime import tzinfo
from functools import partial
from typing import Annotated, Any, Final

import typer
from rich.text import Text

from schemas.api.distribution import DistributionView
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
    PeriodZone,
    Since,
    Start,
    Url,
    errors_in_one_line,
    query_api,
)
from services.cli.report.options import filter_given, period_given
from services.cli.report.printed import print_report
from services.cli.report.seal import seal_lines
from services.cli.terminal import columns, minute, pluralize, usd
from services.query.time_zone import zone_of

_PATH: Final = "/v1/report/distribution"
_BARS: Final = 10
_BAR_CELLS: Final = 30  # of the fullest


class SealedDistribution(DistributionView):
    """What is printed."""

    seal: SealView


def distribution(
    of: Annotated[str, typer.Argument(metavar="WHAT", help="session, user or request: what one figure is of.")],
    since: Since = "",
    month: Month = "",
    start: Start = "",
    end: End = "",
    zone: PeriodZone = UTC_NAME,
    filters: Filters = None,
    outliers: Annotated[int, typer.Option(help="How many are shown, the dearest first.")] = 10,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print percentiles, bars and outliers as CSV.")] = False,
    as_data: AsJson = False,
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """Print what one session, user or request costs: average, percentiles, bars and outliers."""
    with errors_in_one_line():
        clock = zone_of(zone, "--zone")
        body: dict[str, Any] = {
            "of": of,
            "timeFilter": period_given(month=month, since=since, start=start, end=end),
            "timeZone": zone,
            "filter": filter_given(filters or []),
            "bars": _BARS,
            "outliers": outliers,
        }
        layout = partial(distribution_lines, of=of, zone=clock)
        print_report(query_api(url, key, data), _PATH, body, SealedDistribution, layout, as_csv=as_csv, as_data=as_data)


def distribution_lines(found: SealedDistribution, *, of: str, zone: tzinfo, width: int) -> Iterator[Text]:
    """Percentiles, bars and outliers, and until when all is complete."""
    start, end = (minute(when.astimezone(zone)) for when in (found.start, found.end))
    yield Text(f"\nWhat one {of} cost from {start} to {end} ({zone})\n", style="bold")
    if found.known:
        yield from _percentiles(found, width)
        yield from _bars(found, of, width)
    if found.known < found.count:
        unknown = found.count - found.known
        yield Text(f"  Not among them: {pluralize(unknown, of)} of unknown cost.", style="yellow")
    elif not found.known:
        yield Text(f"  No {of}.")
    yield from _outliers(found, of, zone, width)
    yield Text("\nHow complete this is", style="bold")
    yield from seal_lines(found.seal)


def _percentiles(found: SealedDistribution, width: int) -> Iterator[Text]:
    figures = {"average": found.average_usd} | {name.removesuffix("_usd"): amount for name, amount in found.percentiles}
    yield from columns([("", *figures), ("", *map(usd, figures.values()))], width, needed=len(figures))


def _bars(found: SealedDistribution, of: str, width: int) -> Iterator[Text]:
    """The last one holds the outliers, where there are any."""
    yield Text("")
    most = max(bar.count for bar in found.bars)
    rows = [(f"  {usd(bar.from_usd)} to {usd(bar.to_usd)}", f"{bar.count:,}", usd(bar.cost_usd)) for bar in found.bars]
    head, *lines = columns([("", f"{of.capitalize()}s", "Cost"), *rows], width)
    yield head
    for line, bar in zip(lines, found.bars, strict=True):
        cells = "█" * -(-bar.count * _BAR_CELLS // most)  # one has at least a cell, since it is not nothing
        yield line.append(f"  {cells}") if line.cell_len + 2 + _BAR_CELLS <= width else line
    total = usd(found.total_usd)
    yield Text(f"  {pluralize(found.known, of)} cost {total} together.")


def _outliers(found: SealedDistribution, of: str, zone: tzinfo, width: int) -> Iterator[Text]:
    if not found.outlier_count:
        return
    yield Text(
        f"\n{pluralize(found.outlier_count, 'outlier')} above {usd(found.outlier_above_usd)}, "
        f"of {usd(found.outlier_cost_usd)} together",
        style="bold",
    )
    rows = [
        (f"  {one.id}{f' ({one.name})' if one.name else ''}", usd(one.cost_usd), f"{one.requests:,}",
         minute(one.first_request_at.astimezone(zone)))
        for one in found.outliers
    ]  # fmt: skip
    yield from columns([(f"  {of.capitalize()}", "Cost", "Requests", "First request"), *rows], width)
