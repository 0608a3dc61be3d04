"""`farebox reprice`: charging again, watched to its end, and what it changes, for people."""

import time
from collections.abc import Iterable
from decimal import Decimal
from itertools import groupby
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from schemas.api_reprice import DayDifferenceView, DifferenceView, RepriceView
from schemas.reprice import RepriceState
from services.cli.asking import NotAnswered, QueryApi
from services.cli.report import counted, usd

_POLL_S: Final = 0.3
_UNDER_WAY: Final = (RepriceState.RUNNING, RepriceState.UNDOING)


def followed(api: QueryApi, run: dict[str, Any], console: Console) -> dict[str, Any]:
    """The run when it has ended; a bar shows how far it is. Raises: NotAnswered, also when it broke off."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("Undoing" if run["state"] == RepriceState.UNDOING else "Charging again", total=None)
        while run["state"] in _UNDER_WAY:
            progress.update(task, completed=run["rows_done"], total=run["rows_total"] or None)
            time.sleep(_POLL_S)
            run = api.get(f"/v1/reprice/{run['id']}")
    if run["state"] == RepriceState.FAILED:
        raise NotAnswered(
            f"re-pricing {run['id']} broke off after {run['rows_done']:,} of {run['rows_total']:,} requests: "
            f"{run['error']}. Run it again to do the rest, or undo it: farebox reprice --undo {run['id']}"
        )
    return run


def print_run(run: RepriceView, console: Console) -> None:
    """What the run changed, or would change; and how to go on from there."""
    assert run.total is not None
    console.print(Text(_title(run), style="bold"))
    if run.state is RepriceState.UNDONE:
        console.print(Text(f"{counted(run.rows_done, 'request')} put back to what it cost before."))
        return
    if not run.total.changed:
        console.print(Text("Nothing changes: each costs what the prices known now say."))
        return
    console.print(_differences(run.days, run.total))
    if run.total.newly_unknown:
        told = f"{counted(run.total.newly_unknown, 'request')} without a known cost any more, and so in no total."
        console.print(Text(f"{told} `farebox doctor` tells why.", style="yellow"), soft_wrap=True)
    if run.dry_run:
        console.print(Text("Nothing was changed. Without --dry-run it is."))
    else:
        console.print(Text(f"To put everything back: farebox reprice --undo {run.id}"), soft_wrap=True)


def _title(run: RepriceView) -> str:
    of = f" of {run.provider}" if run.provider else ""
    period = f"from {run.since:%-d %b %Y %H:%M} to {run.until:%-d %b %Y %H:%M} (UTC)"
    model = "all models" if run.model == "*" else run.model
    return f"{counted(run.rows_total, 'request')}, {model}{of}, {period}"


def _differences(days: Iterable[DayDifferenceView], total: DifferenceView) -> Table:
    """Days under their models; only with the columns that say something, so that it fits a terminal."""
    table = Table(box=None, header_style="bold", collapse_padding=True, pad_edge=False)
    table.add_column("Model and day", overflow="fold")
    for name in _heads(total):
        table.add_column(name, justify="right", no_wrap=True)
    for model, its_days in groupby(sorted(days, key=lambda one: (one.model, one.day)), key=lambda one: one.model):
        table.add_row(Text(model or "(no model named)"))
        for one in its_days:
            table.add_row(f"  {one.day}", *_figures(one, total))
    table.add_row("Total", *_figures(total, total), style="bold")
    return table


def _heads(total: DifferenceView) -> list[str]:
    more = [(total.newly_priced, "Now priced"), (total.newly_unknown, "Unpriced")]
    return ["Changed", "Before", "After", "Difference", *(name for count, name in more if count)]


def _figures(one: DifferenceView, total: DifferenceView) -> list[str]:
    more = [(total.newly_priced, one.newly_priced), (total.newly_unknown, one.newly_unknown)]
    return [
        f"{one.changed:,} of {one.requests:,}",
        usd(one.before_usd),
        usd(one.after_usd),
        _signed(one.difference_usd),
        *(f"{count:,}" for in_total, count in more if in_total),
    ]


def _signed(difference: Decimal) -> str:
    return f"{'-' if difference < 0 else '+'}{usd(abs(difference))}"


def run_table(runs: Iterable[RepriceView]) -> Table:
    """The runs, the latest first."""
    table = Table(box=None, header_style="bold", collapse_padding=True, pad_edge=False)
    for name in ("Id", "Begun"):
        table.add_column(name, no_wrap=True)
    table.add_column("Model", overflow="fold")
    table.add_column("State", no_wrap=True)
    for name in ("Changed", "Difference"):
        table.add_column(name, justify="right", no_wrap=True)
    for run in runs:
        state = "dry run" if run.dry_run and run.state is RepriceState.DONE else run.state.value
        figures = (f"{run.total.changed:,}", _signed(run.total.difference_usd)) if run.total else ("", "")
        table.add_row(run.id, f"{run.started_at:%Y-%m-%d}", Text(run.model), state, *figures)
    return table
