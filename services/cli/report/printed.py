"""A report of the query service as it is printed: as a table with its seal, as CSV or as JSON."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeVar

from rich.text import Text

from schemas.api.requests import View
from schemas.errors import InvalidRequest
from services.cli.client import QueryApi
from services.cli.options import print_csv, show, warn_of_names
from services.cli.terminal import compile_lines, sanitize

V = TypeVar("V", bound=View)
V_contra = TypeVar("V_contra", bound=View, contravariant=True)


class Layout(Protocol[V_contra]):
    """The lines of a report for people, on a console of this width."""

    def __call__(self, found: V_contra, /, *, width: int) -> Iterable[Text]: ...


def print_report(
    api: QueryApi,
    path: str,
    body: Mapping[str, Any],
    view: type[V],
    layout: Layout[V],
    *,
    as_csv: bool,
    as_data: bool,
) -> None:
    """What `path` responds to `body`, with its warnings on standard error. Raises: InvalidRequest, NoResponse."""
    if as_csv and as_data:
        raise InvalidRequest("pass --csv or --json, not both")
    if as_csv:
        print_csv(api, path, body)
        return
    whole = api.post_whole(path, body)
    warn_of_names(whole)
    found = {**whole["data"], "seal": whole["seal"]}
    show(found, lambda to: compile_lines(layout(sanitize(view, found), width=to.width), to), as_data=as_data)
