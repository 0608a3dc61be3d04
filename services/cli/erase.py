"""`farebox erase`: what an operator types when a person wants to be forgotten."""

from typing import Annotated

import typer

from services.cli.options import DATA, Data, Key, Url, errors_in_one_line, query_api
from services.cli.terminal import pluralize


def erase(
    user: Annotated[str, typer.Argument(help="The user's id, as requests name it.")],
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """Delete what a user said, and replace the user's id by a pseudonym. Totals stay. It takes an admin key."""
    with errors_in_one_line():
        erased = query_api(url, key, data).post("/v1/user/erase", {"userId": user})
        print(f"{pluralize(erased['requests'], 'request')} without bodies, of {erased['pseudonym']} now")
