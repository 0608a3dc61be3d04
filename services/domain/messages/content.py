"""What a message says, whatever it looks like: a title, a sentence, facts, tables and a link."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby
from typing import Final

import msgspec

from schemas.notice import Driver, Notice, NoticeKind, NoticeLevel, NoticeSource, NoticeUnit, ReportTable
from services.domain.messages.amounts import UNKNOWN, percent, shown, signed
from services.domain.messages.texts import one_line
from services.domain.messages.times import second, window, zone_of

_MAX_NAME: Final = 100
_MAX_SENTENCE: Final = 400
_MAX_GROUPS: Final = 10  # of a summary that are shown
_MAX_ROWS: Final = 100  # of a report that are shown; its file has all
_TOP: Final = 3


class Fact(msgspec.Struct, frozen=True):
    """One line of what else is known."""

    label: str
    value: str


class Table(msgspec.Struct, frozen=True):
    """Texts in columns. Those whose position is among `numbers` stand at the right."""

    title: str
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()
    header: tuple[str, ...] = ()
    note: str = ""


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """All texts are on one line and not escaped yet."""

    status: str  # in capitals, such as "CRITICAL"
    level: NoticeLevel
    name: str
    group: str  # such as "Environment: production"; '' for none
    sentence: str
    facts: tuple[Fact, ...] = ()
    tables: tuple[Table, ...] = ()
    link: str = ""  # '' where no address is known
    notice_id: str

    @property
    def title(self) -> str:
        """On one line: what it is about, and how it stands."""
        return f"{self.status}: {self.name}" + (f" ({self.group})" if self.group else "")


def content_of(notice: Notice, public_url: str) -> Content:
    """`public_url` is where people reach the dashboard; '' when not known."""
    return Content(
        status=_status(notice),
        level=notice.level,
        name=one_line(notice.name, _MAX_NAME),
        group=_group(notice.group),
        sentence=one_line(_sentence(notice), _MAX_SENTENCE),
        facts=tuple(_facts(notice)),
        tables=tuple(_tables(notice)),
        link=f"{public_url.rstrip('/')}{notice.link_path}" if public_url and notice.link_path else "",
        notice_id=notice.notice_id,
    )


def _status(notice: Notice) -> str:
    match notice.kind:
        case NoticeKind.RESOLVED:
            return "RESOLVED"
        case NoticeKind.NO_DATA:
            return "NO DATA"
        case NoticeKind.TEST:
            return "TEST"
        case NoticeKind.REPORT:
            return "REPORT"
        case _:
            return notice.level.value.replace("_", " ")


def _group(group: dict[str, str]) -> str:
    return ", ".join(f"{one_line(name)}: {one_line(value)}" for name, value in group.items())


def _sentence(notice: Notice) -> str:
    metric = one_line(notice.metric) if notice.metric else "value"
    measured = f"The {metric} is {shown(notice.value, notice.unit)}"
    begins = {
        NoticeKind.FIRING: f"{measured}{_threshold(notice)}",
        NoticeKind.ESCALATED: f"It got worse: {_lower(measured)}{_threshold(notice)}",
        NoticeKind.REMINDER: f"It goes on: {_lower(measured)}{_threshold(notice)}",
        NoticeKind.RESOLVED: f"It is over: {_lower(measured)}{_threshold(notice)}",
        NoticeKind.NO_DATA: f"There is nothing to evaluate: {_lower(measured)}",
        NoticeKind.SUMMARY: f"It concerns {notice.group_count:,} groups{_threshold(notice)}",
        NoticeKind.REPORT: measured if notice.metric else "These are the figures",
        NoticeKind.TEST: "This is a test: notices reach this channel",
    }
    detail = f" {notice.detail}" if notice.detail else ""
    return f"{begins[notice.kind]}.{detail}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _threshold(notice: Notice) -> str:
    if notice.threshold is None:
        return f"; the threshold is {one_line(notice.threshold_label)}" if notice.threshold_label else ""
    label = f" ({one_line(notice.threshold_label)})" if notice.threshold_label else ""
    return f"; the threshold is {shown(notice.threshold, notice.unit)}{label}"


def _facts(notice: Notice) -> Iterator[Fact]:
    zone = zone_of(notice.zone)
    if notice.window_start is not None and notice.window_end is not None:
        yield Fact("Window", window(notice.window_start, notice.window_end, zone))
    if notice.forecast_at is not None:
        yield Fact("Forecast", f"crosses the threshold at {second(notice.forecast_at, zone)} ({zone})")
    if notice.source is NoticeSource.TEST:
        return
    if notice.complete_until is None:
        yield Fact("Complete until", f"{UNKNOWN}: events may be missing")
    else:
        yield Fact("Complete until", f"{second(notice.complete_until, zone)} ({zone})")


def _tables(notice: Notice) -> Iterator[Table]:
    for dimension, drivers in groupby(notice.drivers, key=lambda driver: driver.dimension):
        rows = tuple(_driver(driver, notice) for driver in list(drivers)[:_TOP])
        yield Table(f"By {one_line(dimension)}", rows, frozenset({1, 2}))
    if notice.changes:
        changes = tuple((one_line(change.cause), signed(change.amount, notice.unit)) for change in notice.changes)
        yield Table("What changed", changes, frozenset({1}))
    if notice.groups:
        yield _groups(notice)
    yield from map(_report, notice.tables)


def _driver(driver: Driver, notice: Notice) -> tuple[str, ...]:
    return (one_line(driver.value), shown(driver.amount, notice.unit), percent(driver.share))


def _groups(notice: Notice) -> Table:
    first = notice.groups[:_MAX_GROUPS]
    rows = tuple((_group(one.group), one.level.value, shown(one.value, notice.unit)) for one in first)
    left = notice.group_count - len(first)
    return Table("Groups", rows, frozenset({2}), note=f"and {left:,} more" if left > 0 else "")


def _report(table: ReportTable) -> Table:
    units = [column.unit for column in table.columns]
    first = table.rows[:_MAX_ROWS]
    rows = tuple(tuple(_cell(cell, unit) for cell, unit in zip(row, units, strict=True)) for row in first)
    left = table.remaining_rows + len(table.rows) - len(first)
    return Table(
        one_line(table.title, _MAX_NAME),
        rows,
        frozenset(place for place, unit in enumerate(units) if unit is not None),
        header=tuple(one_line(column.name) for column in table.columns),
        note=f"and {left:,} more rows" if left else "",
    )


def _cell(cell: str | None, unit: NoticeUnit | None) -> str:
    if unit is None:
        return one_line(cell or "")
    return shown(None if cell is None else Decimal(cell), unit)
