"""A report by groups of one's own choice, laid out for people in a terminal or a file."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal
from functools import partial
from typing import Any, Final

from rich.text import Text

from schemas.api.reports import Compared, ComparedRow, ReportView
from schemas.api.seal import SealView
from services.cli.report.seal import seal_lines
from services.cli.terminal import columns, minute, percent, usd
from services.domain.reports.calendar import DATES
from services.sql.score_measures import measure_named

ABSENT: Final = "(none)"
_DAYS: Final = frozenset(DATES)


class SealedReport(ReportView):
    """What is printed."""

    seal: SealView


def report_lines(
    report: SealedReport, *, by: Sequence[str], measures: Sequence[str], zone: tzinfo, width: int
) -> Iterator[Text]:
    """A line for each group, `(other)` for those beyond the limit, the total, and until when it is complete.

    `measures` are those that were asked for. Beside them stand those of the period that they are compared with, and of
    a sum of costs what is known of it.
    """
    other = report.compared
    yield Text(f"\nFrom {_times(report.start, report.end, zone)} ({zone})", style="bold")
    if other is not None:
        yield Text(f"Compared with {_times(other.start, other.end, zone)} ({zone})", style="bold")
    yield Text("")
    beside = [name for name in _beside(report.total) if name not in measures]
    cells = partial(_cells, measures=measures, beside=beside, zone=zone)
    titles = [title for name in measures for title in (f"{name} before", "change")] if other else []
    rows: list[Sequence[str]] = [(", ".join(by), *measures, *titles, *beside)]
    for row in report.rows:
        before = row.compared if isinstance(row, ComparedRow) else None
        rows.append((_name(row.by, by), *cells(row.measures, before)))
    if report.rest is not None:
        rows.append(("(other)", *cells(report.rest, None if other is None else other.rest)))
    rows.append(("Total", *cells(report.total, None if other is None else other.total)))
    *lines, total = columns(rows, width, needed=len(measures) + len(titles))
    total.stylize("bold")
    yield from (*lines, total, Text(""), *seal_lines(report.seal))


def _beside(total: Mapping[str, object]) -> Iterator[str]:
    """What is known of the costs."""
    return (name for name in ("attempts", "unpriced_requests", "priced_token_share") if name in total)


def _name(values: Sequence[object], by: Sequence[str]) -> str:
    return ", ".join(_value(value, part) for value, part in zip(values, by, strict=True))


def _value(value: object, part: str) -> str:
    if value is None:
        return ABSENT
    if part in _DAYS and isinstance(value, str):
        return value[:10]
    return str(value)


def _times(start: datetime, end: datetime, zone: tzinfo) -> str:
    return " to ".join(minute(when.astimezone(zone)) for when in (start, end))


def _cells(
    own: Mapping[str, Any], other: Compared | None, *, measures: Sequence[str], beside: Sequence[str], zone: tzinfo
) -> list[str]:
    """Figures of `own`, of the `other` period with how much has changed since, and what is known of the costs."""
    compared = [] if other is None else [cell for name in measures for cell in _compared(other, name, zone)]
    return [*_figures(own, measures, zone), *compared, *_figures(own, beside, zone)]


def _compared(other: Compared, name: str, zone: tzinfo) -> tuple[str, str]:
    change = other.change.get(name)
    relative = None if change is None else change.relative
    return _figure(other.measures[name], _unit(name), zone), "" if relative is None else f"{relative:+.0%}"


def _figures(figures: Mapping[str, Any], names: Sequence[str], zone: tzinfo) -> list[str]:
    return [_figure(figures[name], _unit(name), zone) for name in names]


def _figure(value: Any, unit: str, zone: tzinfo) -> str:
    if value is None:
        return "unknown" if unit == "USD" else ""
    if unit == "USD":
        return usd(Decimal(value))
    if unit == "share":
        return percent(float(value))
    if unit == "ratio":
        return f"{value:,.2f}"
    if isinstance(value, str):
        return minute(datetime.fromisoformat(value).astimezone(zone))
    return f"{value:,.2f}" if unit == "score" else f"{value:,.0f}"


def _unit(name: str) -> str:
    measure = measure_named(name)
    assert measure is not None  # the service has refused it otherwise
    return measure.unit
