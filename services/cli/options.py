"""What the commands have in common: options, the query service, and errors in one line."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.text import Text

from schemas.errors import FareboxError
from services.cli.client import QueryApi, as_json
from services.cli.terminal import console, escape
from services.embedded.data_folder import DataFolder
from services.settings.processes import ReportSettings

DATA: Final = Path("data")

Data = Annotated[Path, typer.Option("--data", help="Folder of all data.")]
Url = Annotated[str, typer.Option(help="The query service. Default: FAREBOX_URL, or this machine's.")]
Key = Annotated[str, typer.Option(help="An API key. Default: FAREBOX_KEY, or the data folder's.")]
Zone = Annotated[str, typer.Option(help="IANA name: of timestamps without an offset.")]
Names = list[str] | None
Since = Annotated[str, typer.Option(help="How far back: 90m, 24h, 7d, 4w. Default: 7d.")]
Month = Annotated[str, typer.Option(metavar="YYYY-MM", help="A whole month.")]
Start = Annotated[str, typer.Option(metavar="TIMESTAMP", help="From it on: a date, or ISO 8601.")]
End = Annotated[str, typer.Option(metavar="TIMESTAMP", help="Before it. Default: now.")]
PeriodZone = Annotated[str, typer.Option(help="IANA name, such as Europe/Berlin: of timestamps, months and days.")]
Filters = Annotated[
    Names,
    typer.Option(
        "--filter", metavar="CONDITION", help="Feature=search, user_id!=ann, model~gpt ..., or JSON. All must hold."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the figures as JSON, exact to the last digit.")]


def query_api(url: str, key: str, data: Path) -> QueryApi:
    """The query service as the options, else the settings name it. Raises: InvalidSetting, NoResponse."""
    settings = ReportSettings.from_environ(os.environ)
    folder = DataFolder(data)
    missing = f"no key: neither --key nor FAREBOX_KEY, and {folder.key_file} does not exist"
    return QueryApi(url or settings.service_url, key or settings.key or folder.read_key(), missing=missing)


def show(response: object, to_people: Callable[[Console], None], *, as_data: bool) -> None:
    """Prints `response` as JSON, or has `to_people` print it on the console."""
    if as_data:
        print(as_json(response))
    else:
        to_people(console())


def print_csv(api: QueryApi, path: str, body: Mapping[str, Any]) -> None:
    """The response of `path` as CSV, with its warnings on standard error."""
    text, warnings = api.post_csv(path, body)
    warn(warnings)
    if sys.stdout.isatty():  # names come from clients
        print("\n".join(map(escape, text.rstrip("\r\n").split("\r\n"))))
    else:
        sys.stdout.buffer.write(text.encode())


def warn(messages: Iterable[str]) -> None:
    """On standard error."""
    for message in messages:
        console(stderr=True).print(Text(escape(f"farebox: warning: {message}"), style="yellow"), soft_wrap=True)


def warn_of_names(whole: Mapping[str, Any]) -> None:
    """Of those in a request that no request of the organization has, as a `whole` response names them."""
    warn(warning["message"] for warning in whole["warnings"])


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Errors that people can do something about, as one line; exit code 1."""
    try:
        yield
    except FareboxError as error:
        console(stderr=True).print(Text(escape(f"farebox: {error}"), style="red"), soft_wrap=True)
        sys.exit(1)
