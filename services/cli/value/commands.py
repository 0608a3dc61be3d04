"""`farebox value ...`: what an operator types to give what was earned, to list it, and to delete it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from schemas.api.requests import UTC_NAME
from schemas.api.value import MAX_SOURCE, ValuePage
from schemas.errors import InvalidRequest
from services.cli.client import NoResponse, QueryApi
from services.cli.options import DATA, AsJson, Data, Key, Url, Zone, errors_in_one_line, print_csv, query_api, show
from services.cli.report.options import filter_given
from services.cli.terminal import compile_lines, escape, sanitize
from services.cli.value.render import value_lines
from services.domain.value.table import parse_table

value = typer.Typer(help="Give what users and features earned, and list it.", no_args_is_help=True)

_AT_ONCE: Final = 200  # entries of one request: with all their properties they stay below what a body may hold
_COUNTS: Final = ("created", "corrected", "unchanged")


@value.command("import")
def import_value(
    file: Annotated[Path, typer.Argument(help="CSV with the columns amount, period, user_id, properties.NAME, id ...")],
    source: Annotated[str, typer.Option(help="Where it comes from. Default: the file's name.")] = "",
    zone: Zone = UTC_NAME,
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """Give what a file says was earned. To import it again changes nothing, a changed file corrects."""
    with errors_in_one_line():
        entries = parse_table(_text_of(file))
        if not entries:
            raise InvalidRequest(f"{file} has no entries")
        common = {"source": source or file.name[-MAX_SOURCE:], "timeZone": zone}
        taken = _give(query_api(url, key, data), entries, common, file)
        print(f"{escape(file.name)}: {', '.join(f'{taken[name]:,} {name}' for name in _COUNTS)}")


@value.command("list")
def list_value(
    start: Annotated[str, typer.Option(metavar="TIMESTAMP", help="With a part after it; needs --end.")] = "",
    end: Annotated[str, typer.Option(metavar="TIMESTAMP", help="With a part before it; needs --start.")] = "",
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="CONDITION", help="user_id=ann, UserTier=premium ... All must hold."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the latest times first.")] = 100,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print them as CSV, which can be imported.")] = False,
    as_data: AsJson = False,
    zone: Zone = UTC_NAME,
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """List what was given, as it stands."""
    with errors_in_one_line():
        if bool(start) != bool(end):
            raise InvalidRequest("pass both --start and --end, or neither")
        body: dict[str, Any] = {"filter": filter_given(filters or []), "timeZone": zone, "limit": limit}
        body |= {"timeFilter": {"start": start, "end": end}} if start else {}
        api = query_api(url, key, data)
        if as_csv:
            print_csv(api, "/v1/value/query", body)
            return
        found = api.post_whole("/v1/value/query", body)
        page = sanitize(ValuePage, found)
        show(found, lambda to: compile_lines(value_lines(page, to.width), to), as_data=as_data)


@value.command("delete")
def delete_value(
    value_id: Annotated[str, typer.Argument(help="As `farebox value list` shows it.")],
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """Delete an entry. Its versions are kept."""
    with errors_in_one_line():
        query_api(url, key, data).delete(f"/v1/value/{quote(value_id)}")
        print(f"deleted {escape(value_id)}")


def _text_of(file: Path) -> str:
    """Raises: InvalidRequest."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"cannot read {file}: {error}") from error


def _give(api: QueryApi, entries: Sequence[Any], common: dict[str, str], file: Path) -> dict[str, int]:
    """What became of them. Raises: NoResponse."""
    taken = dict.fromkeys(_COUNTS, 0)
    for first in range(0, len(entries), _AT_ONCE):
        part = entries[first : first + _AT_ONCE]
        try:
            done = api.post("/v1/value", {"values": part, **common})
        except NoResponse as error:
            which = f"of the entries {first + 1} to {first + len(part)} of {file}"
            before = f"; the {first} before are taken, and may be sent again" if first else ""
            raise NoResponse(f"{error} ({which}{before})") from error
        taken = {name: taken[name] + done[name] for name in _COUNTS}
    return taken
