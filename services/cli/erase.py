"""`farebox erase`: what an operator types when a person wants to be forgotten."""

from typing import Annotated, Final

import typer

from services.cli.options import DATA, Data, Key, Url, errors_in_one_line, query_api
from services.cli.terminal import escape, pluralize

_TIMEOUT_S: Final = 600  # a large table is rewritten


def erase(
    user: Annotated[str, typer.Argument(help="The user's id, as requests name it.")],
    is_confirmed: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """Delete the bodies of a user's requests for good, and replace the user's id by a pseudonym. Totals stay.

    It takes an admin key, and cannot be undone.
    """
    with errors_in_one_line():
        api = query_api(url, key, data)
        if not is_confirmed:
            typer.confirm(f"Delete the bodies of all requests of {escape(user)} at {api.url} for good?", abort=True)
        erased = api.post("/v1/user/erase", {"userId": user}, timeout_s=_TIMEOUT_S)
        requests = pluralize(erased["requests"], "request")
        print(f"erased: the bodies of {requests} are deleted, and the user is {erased['pseudonym']} from now on")
