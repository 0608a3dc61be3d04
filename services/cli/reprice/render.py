"""`farebox reprice`: charging again, watched to its end, and what it changes, for people."""

import time
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import groupby
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from schemas.api.reprices import DayDifferenceView, DifferenceView, RepriceView
from schemas.reprice import RepriceState
from services.cli.client import NoResponse, QueryApi
from services.cli.report.summary import UNNAMED, covered, tokens_priced
from services.cli.terminal import columns, compile_lines, day, minute, percent, pluralize, usd

_POLL_S: Final = 0.3
_UNDER_WAY: Final = (RepriceState.RUNNING, RepriceState.UNDOING)


def followed(api: QueryApi, run: dict[str, Any], console: Console) -> dict[str, Any]:
    """The run when it has ended; a bar shows how far it is. Raises: NoResponse, also when it broke off."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("Undoing" if run["state"] == RepriceState.UNDOING else "Charging again", total=None)
        while run["state"] in _UNDER_WAY:
            progress.update(task, completed=run["rows_done"], total=run["rows_total"] or None)
            time.sleep(_POLL_S)
            run = api.get(f"/v1/reprice/{run['id']}")
    if run["state"] == RepriceState.FAILED:
        raise NoResponse(
            f"re-pricing {run['id']} broke off after {run['rows_done']:,} of "
            f"{pluralize(run['rows_total'], 'request')}: {run['error']}. "
            f"Run it again to do the rest, or undo it: farebox reprice --undo {run['id']}"
        )
    return run


def compile_run(run: RepriceView, console: Console) -> None:
    """What the run changed, or would change; and how to go on from there."""
    compile_lines(_told(run, console.width), console)


def _told(run: RepriceView, width: int) -> Iterator[Text]:
    yield Text(_title(run), style="bold")
    if run.state is RepriceState.UNDONE:
        yield Text(f"{pluralize(run.rows_done, 'request')} put back to the cost before the run.")
        if run.rows_left:
            left = f"{pluralize(run.rows_left, 'request')} not put back: logged again after the run"
            yield Text(f"{left}, and so charged anew.", style="yellow")
        return
    assert run.total is not None
    if not run.rows_total:
        yield Text(
            "There are none in this time: see the name of the model as billed, in `farebox doctor` or a receipt."
        )
        return
    if not run.total.changed:
        yield Text("Nothing changes: each costs what at the prices known now.")
        return
    yield from _differences(run.days, run.total, width)
    yield Text(f"Priced before: {covered(run.total.before_coverage)}")
    yield Text(f"Priced after:  {covered(run.total.after_coverage)}")
    if run.total.newly_priced:
        yield Text(f"{pluralize(run.total.newly_priced, 'request')} with a cost that was unknown before.")
    if run.total.newly_unknown:
        text = f"{pluralize(run.total.newly_unknown, 'request')} without a known cost any more, and so in no total."
        yield Text(f"{text} `farebox doctor` shows why.", style="yellow")
    if run.dry_run:
        yield Text("Dry run: no changes made.")
    else:
        yield Text("To put everything back:")
        yield Text(f"  farebox reprice --undo {run.id}", no_wrap=True)


def _title(run: RepriceView) -> str:
    period = f"from {minute(run.since)} to {minute(run.until)} (UTC)"
    model = "all models" if run.model == "*" else run.model
    return f"{pluralize(run.rows_total, 'request')}, {model}{_of(run)}, {period}"


def _of(run: RepriceView) -> str:
    return f" of {run.provider}" if run.provider else ""


def _differences(days: Iterable[DayDifferenceView], total: DifferenceView, width: int) -> Iterator[Text]:
    """Days under their models, and the total."""
    in_order = sorted(days, key=lambda one: (one.model, one.day))
    rows = [("", "Before", "After", "Difference", "Changed", "Requests priced", "Tokens priced")]
    rows += [(f"  {day(one.day)}", *_figures(one)) for one in in_order]
    head, *lines, last = columns([*rows, ("Total", *_figures(total))], width, needed=3)
    yield head
    for model, its_lines in groupby(zip(in_order, lines, strict=True), key=lambda pair: pair[0].model):
        yield Text(model or UNNAMED)
        yield from (line for _, line in its_lines)
    last.stylize("bold")
    yield last


def _figures(one: DifferenceView) -> tuple[str, str, str, str, str, str]:
    before, after = one.before_coverage, one.after_coverage
    return (
        usd(one.before_usd),
        usd(one.after_usd),
        _signed(one.difference_usd),
        f"{one.changed:,} of {one.requests:,}",
        f"{percent(before.priced_request_share)} → {percent(after.priced_request_share)}",
        f"{tokens_priced(before)} → {tokens_priced(after)}",
    )


def _signed(difference: Decimal | None) -> str:
    if difference is None:
        return usd(None)
    return f"{'-' if difference < 0 else '+'}{usd(abs(difference))}"


def listed_runs(runs: Iterable[RepriceView]) -> Iterator[Text]:
    """The runs, the latest first; when there are none, a sentence."""
    run = None
    for run in runs:
        state = "dry run" if run.dry_run and run.state is RepriceState.DONE else run.state.value
        yield Text(run.id, style="bold")
        yield Text(f"  {run.model}{_of(run)}, begun {minute(run.started_at)} (UTC), {state}")
        if run.total:
            changed = f"{run.total.changed:,} of {pluralize(run.rows_total, 'request')}"
            yield Text(f"  changed {changed}, {_signed(run.total.difference_usd)}")
    if run is None:
        yield Text("Nothing was charged again yet.")
