"""`farebox reprice`: charging again, watched to its end, and what it changes, for people."""

import time
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text

from schemas.api_reprice import DayDifferenceView, DifferenceView, RepriceView
from schemas.reprice import RepriceState
from services.cli.asking import NotAnswered, QueryApi
from services.cli.report import usd

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
        console.print(Text(f"{run.rows_done:,} requests cost again what they did before."))
        return
    if not run.total.changed:
        console.print(Text("Nothing changes: each costs what the prices known now say."))
        return
    console.print(_differences(run.days, run.total))
    if run.dry_run:
        console.print(Text("Nothing was changed. Without --dry-run it is."))
    else:
        console.print(Text(f"To put everything back: farebox reprice --undo {run.id}"), soft_wrap=True)


def _title(run: RepriceView) -> str:
    of = f" of {run.provider}" if run.provider else ""
    period = f"from {run.since:%-d %b %Y %H:%M} to {run.until:%-d %b %Y %H:%M} (UTC)"
    model = "all models" if run.model == "*" else run.model
    return f"{run.rows_total:,} requests, {model}{of}, {period}"


def _differences(days: Iterable[DayDifferenceView], total: DifferenceView) -> Table:
    heads = [Column("Day"), Column("Model")]
    heads += [Column(name, justify="right") for name in ("Requests", "Changed", "Before", "After", "Difference")]
    table = Table(*heads, "", box=None, header_style="bold")
    for one in days:
        table.add_row(f"{one.day:%-d %b %Y}", Text(one.model or "(no model named)"), *_figures(one))
    table.add_row("Total", "", *_figures(total), style="bold")
    return table


def _figures(one: DifferenceView) -> tuple[str, ...]:
    notes = [(one.newly_priced, "newly priced"), (one.newly_unknown, "no longer priced")]
    return (
        f"{one.requests:,}",
        f"{one.changed:,}",
        usd(one.before_usd),
        usd(one.after_usd),
        _signed(one.difference_usd),
        ", ".join(f"{count:,} {note}" for count, note in notes if count),
    )


def _signed(difference: Decimal) -> str:
    return f"{'-' if difference < 0 else '+'}{usd(abs(difference))}"


def run_table(runs: Iterable[RepriceView]) -> Table:
    """The runs, the latest first."""
    table = Table("Id", "Begun", "Model", "State", Column("Changed", justify="right"), "Difference", box=None)
    for run in runs:
        state = f"{run.state.value}{' (dry run)' if run.dry_run else ''}"
        total = run.total
        changed, difference = (f"{total.changed:,}", _signed(total.difference_usd)) if total else ("", "")
        table.add_row(run.id, f"{run.started_at:%Y-%m-%d %H:%M}", Text(run.model), state, changed, difference)
    return table
