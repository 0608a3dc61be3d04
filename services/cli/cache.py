"""`farebox cache ...`: what an operator types about the response cache."""

import typer

from services.cli.options import DATA, Data, Key, Url, errors_in_one_line, query_api
from services.cli.terminal import pluralize

cache = typer.Typer(help="Clear the response cache.", no_args_is_help=True)


@cache.callback()
def root() -> None:
    pass


@cache.command()
def clear(url: Url = "", key: Key = "", data: Data = DATA) -> None:
    """Delete all cached responses of the key's organization, also from the disk. It takes an admin key."""
    with errors_in_one_line():
        cleared = query_api(url, key, data).delete("/v1/cache")
        print(f"{pluralize(cleared['entries'], 'response')} deleted, {pluralize(cleared['size_bytes'], 'byte')}")
