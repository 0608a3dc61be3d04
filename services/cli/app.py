"""The commands of `farebox`: what may be typed, and which work it starts."""

import asyncio
import logging
import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from schemas.api.reports import Summary
from schemas.errors import InvalidRequest
from schemas.key import Permission
from services import __version__
from services.cli import dead_letters as dead
from services.cli import keys as key_work
from services.cli.env_file import environment_file
from services.cli.journal import journal
from services.cli.options import DATA, AsJson, Data, Key, Url, errors_in_one_line, query_api, show
from services.cli.prices.commands import prices
from services.cli.report import compile_report, fetch_summary
from services.cli.reprice.commands import doctor, reprice
from services.cli.terminal import compile_lines, console, pluralize, sanitize
from services.embedded.data_folder import ORGANIZATION, DataFolder, existing
from services.json_logging import configure_logging
from services.process import warn_of_service_links
from services.settings import ProxySettings, Settings

app = typer.Typer(
    help="What LLM traffic costs: per user, feature, environment and session.",
    epilog="Settings are environment variables: `farebox settings` lists them.",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich's help prints flags as if they took a value
    context_settings={"max_content_width": 120},
    add_completion=False,
    pretty_exceptions_enable=False,
)
keys = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)
app.add_typer(keys, name="keys")
app.add_typer(prices, name="prices")
app.add_typer(journal, name="journal")


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


Organization = Annotated[str, typer.Option(help="Whose keys.")]

_DEMO_DATA = Path("data/demo")


@app.command()
def up(data: Data = DATA) -> None:
    """Start all of Farebox: proxy, event log, worker, warehouse, query API."""
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
    """Start Farebox with a simulated provider, send traffic through it, and show what it cost. Costs nothing."""
    from services.cli.demo.run import run_demo

    with errors_in_one_line():
        configure_logging("warning")
        run_demo(DataFolder(data), os.environ, console(), started_at=started_at or time.time(), then_stop=stop)


@app.command()
def report(
    since: Annotated[str, typer.Option(help="How far back: 90m, 24h, 7d, 4w.")] = "7d",
    as_data: AsJson = False,
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """Print what was spent: by environment, feature and user, what caching saved, and what has no price."""
    with errors_in_one_line():
        summary = fetch_summary(query_api(url, key, data), since=since)
        show(summary, lambda console: compile_report(sanitize(Summary, summary), console), as_data=as_data)


app.command()(doctor)
app.command()(reprice)


@app.command("dead-letters")
def list_dead_letters(
    retry: Annotated[bool, typer.Option("--retry", help="Put back the events that this version can read.")] = False,
    export: Annotated[Path | None, typer.Option(help="Write all of them here, prompts and responses included.")] = None,
    discard_conflicts: Annotated[
        bool, typer.Option("--discard-conflicts", help="Delete logs that were refused: what stands stays.")
    ] = False,
    data: Data = DATA,
) -> None:
    """List events that no worker could make a row of: spend that is in no total until they are put back."""
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
    """Print every setting with its default and meaning, as an environment file."""
    print(environment_file(), end="")


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Option(help="What people know it by.")] = "made by hand",
    permission: Annotated[
        Permission,
        typer.Option(help="; ".join(f"{one.value}: {what}" for one, what in key_work.PERMISSIONS.items()) + "."),
    ] = Permission.READ_WRITE,
    organization: Organization = ORGANIZATION,
    data: Data = DATA,
) -> None:
    """Make a key and print it. It is shown this once; only its hash is kept."""
    with errors_in_one_line():
        print(key_work.create_key(_state(data), organization_id=organization, name=name, permission=permission))


@keys.command("list")
def list_keys(organization: Organization = ORGANIZATION, data: Data = DATA) -> None:
    """List an organization's keys, revoked ones too."""
    with errors_in_one_line():
        found = key_work.list_keys(existing(_state(data)), organization_id=organization)
        compile_lines(key_work.listed_keys(found), console())


@keys.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="As `farebox keys list` shows it.")],
    organization: Organization = ORGANIZATION,
    data: Data = DATA,
) -> None:
    """Take a key out of force. The proxy may honour it for up to two more minutes."""
    with errors_in_one_line():
        key_work.revoke_key(existing(_state(data)), organization_id=organization, key_id=key_id)
        print(f"revoked {key_id}")


def _state(data: Path) -> str:
    return Settings.from_environ(DataFolder(data).environ(os.environ)).state
