"""`farebox export`: all requests of a period, or what they cost, in a file."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.text import Text

from schemas.api.exports import ExportFormat
from schemas.api.requests import UTC_NAME
from schemas.api.seal import SealView
from schemas.errors import InvalidRequest
from schemas.seal import SealState
from services.cli.client import Interrupted, QueryApi, Unreachable, warnings_in
from services.cli.export.parquet import fetch_parquet
from services.cli.export.partial import Partial
from services.cli.export.text import fetch_lines
from services.cli.options import (
    DATA,
    Data,
    Filters,
    Key,
    Month,
    Names,
    PeriodZone,
    Since,
    Url,
    errors_in_one_line,
    query_api,
    warn,
)
from services.cli.report.options import filter_given, names_given, period_given
from services.cli.report.seal import seal_lines
from services.cli.terminal import console, escape, pluralize

_MAX_FAILURES: Final = 5  # in a row, without a row between them
_SHOWN_EVERY_S: Final = 5.0


def export(
    format_: Annotated[ExportFormat, typer.Option("--format", help="What the file is.")] = ExportFormat.CSV,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file. Default: standard output, which goes on nowhere.")
    ] = None,
    since: Since = "",
    month: Month = "",
    start: Annotated[
        str, typer.Option("--from", "--start", metavar="TIMESTAMP", help="From it on: a date, or ISO 8601.")
    ] = "",
    end: Annotated[str, typer.Option("--to", "--end", metavar="TIMESTAMP", help="Before it. Default: now.")] = "",
    zone: PeriodZone = UTC_NAME,
    filters: Filters = None,
    columns: Annotated[
        Names, typer.Option(metavar="NAMES", help="Columns, properties.NAME ... Default: all. Not of focus.")
    ] = None,
    hourly: Annotated[bool, typer.Option("--hourly", help="Charges of focus by the hour, not by the day.")] = False,
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """Write all requests of a period to a file, or with --format focus what they cost as FOCUS 1.4 has it.

    Type the same again to go on after an interruption. Exit code 0 only when the file is whole.
    """
    with errors_in_one_line():
        body: dict[str, Any] = {
            "format": format_.value,
            "filter": filter_given(filters or []),
            "timeFilter": period_given(month=month, since=since, start=start, end=end),
            "timeZone": zone,
        }
        if columns:
            body["columns"] = names_given(columns)
        if hourly:
            body["chargePeriod"] = "hour"
        api = query_api(url, key, data)
        if out is None:
            _print(api, body, is_text=format_ is not ExportFormat.PARQUET)
            return
        _write(api, body, out)


def _print(api: QueryApi, body: Mapping[str, Any], *, is_text: bool) -> None:
    if sys.stdout.isatty() and not is_text:
        raise InvalidRequest("Parquet is not for a terminal: pass --out FILE")
    with api.stream("/v1/export", body) as (headers, chunks):
        for chunk in chunks:
            sys.stdout.buffer.write(chunk)
    _finished(headers, body)


def _write(api: QueryApi, body: Mapping[str, Any], out: Path) -> None:
    if not out.absolute().parent.is_dir():
        raise InvalidRequest(f"--out: there is no folder {out.absolute().parent}")
    partial, progress = Partial(out, body), _Progress(body)
    if partial.rows:
        _say(f"going on behind {pluralize(partial.rows, 'row')}")
    fetch = fetch_parquet if body["format"] == ExportFormat.PARQUET else fetch_lines
    failures = 0
    while True:
        rows = partial.rows
        try:
            fetch(api, body, partial, progress)
            break
        except KeyboardInterrupt:
            _say("interrupted: type the same again to go on")
            sys.exit(130)
        except (Interrupted, Unreachable) as error:
            failures = 1 if partial.rows > rows else failures + 1
            is_there = isinstance(error, Interrupted) or bool(progress.headers)
            if failures > _MAX_FAILURES or not is_there:
                raise
            _say(f"{error}; trying again")
            time.sleep(failures)
    _say(f"{pluralize(partial.rows, 'row')} in {out}")
    _finished(progress.headers, body)


class _Progress:
    """Says how far an export is, every few seconds."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.headers: Mapping[str, str] = {}  # of the last response
        self._counts_requests = body["format"] != ExportFormat.FOCUS
        self._said_s = time.monotonic()

    def __call__(self, rows: int, headers: Mapping[str, str]) -> None:
        self.headers = headers
        if time.monotonic() - self._said_s > _SHOWN_EVERY_S:
            self._said_s = time.monotonic()
            total = headers.get("Farebox-Total-Rows", "null")
            of_all = f" of {int(total):,}" if total.isdecimal() and self._counts_requests else ""
            _say(f"{rows:,}{of_all} rows")


def _finished(headers: Mapping[str, str], body: Mapping[str, Any]) -> None:
    """What is to be known of a whole file."""
    warn(warnings_in(headers))
    unpriced, total = (headers.get(f"Farebox-{name}", "") for name in ("Unpriced-Requests", "Total-Rows"))
    if unpriced.isdecimal() and int(unpriced):
        place = {ExportFormat.FOCUS: "in no row", ExportFormat.CSV: "an empty cell"}.get(body["format"], "null")
        _say(f"the cost of {int(unpriced):,} of {int(total):,} requests is unknown, and {place}")
    seal = SealView.model_validate_json(headers["Farebox-Seal"])
    if seal.state is not SealState.COMPLETE:
        for line in seal_lines(seal):
            _say(line.plain.strip())


def _say(text: str) -> None:
    console(stderr=True).print(Text(escape(f"farebox: {text}")), soft_wrap=True)
