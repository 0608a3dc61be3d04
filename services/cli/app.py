"""The commands of `farebox`: what may be typed, and which work it starts."""

import asyncio
import logging
import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import InvalidRequest
from services import __version__
from services.cli.alerts.commands import alerts
from services.cli.budgets import budgets
from services.cli.cache import cache
from services.cli.channels import channels
from services.cli.env_file import environment_file
from services.cli.erase import erase
from services.cli.export.commands import export
from services.cli.journal import journal
from services.cli.keys.commands import keys
from services.cli.options import DATA, Data, errors_in_one_line
from services.cli.prices.commands import prices
from services.cli.report.anomalies import anomalies
from services.cli.report.distribution import distribution
from services.cli.report.report import report
from services.cli.report.savings import savings
from services.cli.reprice.commands import doctor, reprice
from services.cli.scheduled_reports import reports
from services.cli.terminal import compile_lines, console, pluralize
from services.cli.upstreams import upstreams
from services.cli.value.commands import value
from services.embedded.data_folder import DataFolder, existing
from services.process import warn_of_service_links
from services.settings.processes import ProxySettings, Settings
from services.telemetry.json_logging import configure_logging

app = typer.Typer(
    help="What LLM traffic costs: per user, feature, environment and session.",
    epilog="Settings are environment variables: `farebox settings` lists them.",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich's help prints flags as if they took a value
    context_settings={"max_content_width": 120},
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(keys, name="keys")
app.add_typer(budgets, name="budgets")
app.add_typer(upstreams, name="upstreams")
app.add_typer(channels, name="channels")
app.add_typer(reports, name="reports")
app.add_typer(prices, name="prices")
app.add_typer(value, name="value")
app.add_typer(alerts, name="alerts")
app.add_typer(journal, name="journal")
app.add_typer(cache, name="cache")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"farebox {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


_DEMO_DATA = Path("data/demo")


@app.command()
def up(data: Data = DATA) -> None:
    """Start Farebox: proxy, worker, warehouse and query API."""
    from services.cli.up import show_running
    from services.embedded.run import serve

    with errors_in_one_line():
        # On a terminal somebody reads what `show_running` prints; logs of what goes well are for files.
        level = "warning" if sys.stderr.isatty() else "info"
        environ = {"FAREBOX_LOG_LEVEL": level} | os.environ
        configure_logging(Settings.from_environ(environ).log_level)
        warn_of_service_links(environ, logging.getLogger("farebox"))
        folder, stdout = DataFolder(data), console()
        serve(folder, environ, lambda running: show_running(running, folder, stdout, ending="Ctrl-C stops Farebox."))


@app.command()
def demo(
    data: Data = _DEMO_DATA,
    stop: Annotated[bool, typer.Option("--exit", help="Stop once the report is printed.")] = False,
    started_at: Annotated[float, typer.Option(hidden=True, help="When the set-up began, in unix seconds.")] = 0,
) -> None:
    """Start Farebox with simulated providers and traffic. Shows what it would have cost; nothing is billed."""
    from services.cli.demo.run import run_demo

    with errors_in_one_line():
        configure_logging("warning")
        run_demo(DataFolder(data), os.environ, console(), started_at=started_at or time.time(), then_stop=stop)


app.command()(report)
app.command()(savings)
app.command()(export)
app.command()(anomalies)
app.command()(distribution)
app.command()(erase)
app.command()(doctor)
app.command()(reprice)


@app.command("dead-letters")
def list_dead_letters(
    retry: Annotated[bool, typer.Option("--retry", help="Put back the events that this version can read.")] = False,
    export: Annotated[Path | None, typer.Option(help="Write all of them here, prompts and responses included.")] = None,
    discard_conflicts: Annotated[
        bool,
        typer.Option(
            "--discard-conflicts", help="Delete logs that were refused; the rows they would have replaced stay."
        ),
    ] = False,
    data: Data = DATA,
) -> None:
    """List events that could not become rows. Their spend is in no total until they are put back."""
    from services.cli import dead_letters as dead  # the stores take longer to load than most commands to run

    with errors_in_one_line():
        settings = ProxySettings.from_environ(DataFolder(data).environ(os.environ))
        existing(settings.event_log)
        if retry + discard_conflicts + (export is not None) > 1:
            raise InvalidRequest("--retry, --export and --discard-conflicts cannot be combined; export first")
        if retry:
            compile_lines(dead.put_back_lines(asyncio.run(dead.put_back(settings))), console())
        elif export:
            print(f"{pluralize(asyncio.run(dead.export(settings.event_log, export)), 'dead letter')} in {export}")
        elif discard_conflicts:
            count, are_gone = asyncio.run(dead.discard_conflicts(settings.event_log))
            print(f"{pluralize(count, 'refused log')} deleted." if are_gone else "They stay: Kafka deletes no entry.")
        else:
            compile_lines(dead.listed(asyncio.run(dead.fetch_views(settings.event_log))), console())


@app.command()
def settings() -> None:
    """Print all settings as an environment file. Each has its default and its meaning."""
    print(environment_file(), end="")
