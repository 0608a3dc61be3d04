"""`farebox upstreams ...`: servers of providers' APIs that an operator adds by name, such as a team's own Azure."""

import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer
from rich.text import Text

from schemas.errors import InvalidRequest, NotFound
from schemas.upstream import CredentialPolicy, NamedUpstream
from services.cli.options import DATA, Data, errors_in_one_line
from services.cli.state_store import with_store
from services.cli.terminal import compile_lines, console, escape
from services.domain.providers.catalog import ROUTED, provider_named
from services.domain.routing.provider_key import check_provider_key
from services.domain.routing.upstream import new_upstream
from services.embedded.data_folder import ORGANIZATION

if TYPE_CHECKING:
    from services.stores.state.upstreams import SqlUpstreams

T = TypeVar("T")

upstreams = typer.Typer(help="Add, list and remove servers that calls may go to by name.", no_args_is_help=True)

_EXAMPLES: Final = ", ".join(provider.name for provider in ROUTED[:6])

_FROM: Final = "Where the provider's own key is: FILE, env:NAME, or - for standard input."

Organization = Annotated[str, typer.Option(help="Whose upstreams.")]
Name = Annotated[str, typer.Argument(help="By which paths (/upstreams/NAME/*) and Helicone-Upstream name it.")]


@upstreams.command("add")
def add_upstream(
    name: Name,
    url: Annotated[str, typer.Option(help="https://HOST, with a path if the API is below one.")],
    provider: Annotated[str, typer.Option(help=f"Whose prices and rules hold: {_EXAMPLES} ...")],
    region: Annotated[str, typer.Option(help="What {region} in the URL stands for.")] = "",
    credentials: Annotated[
        CredentialPolicy,
        typer.Option(
            help="forward: the provider's keys that clients send are for it; strip: none reaches it; stored: the one "
            "of --provider-key-from does."
        ),
    ] = CredentialPolicy.FORWARD,
    provider_key_from: Annotated[str, typer.Option(help=_FROM)] = "",
    private: Annotated[
        bool, typer.Option("--private", help="It may have a private address, such as 10.0.0.5, and no TLS.")
    ] = False,
    key: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="A key whose requests on the provider's route go here. Repeatable."),
    ] = None,
    organization: Organization = ORGANIZATION,
    data: Data = DATA,
) -> None:
    """Add a server. The proxy knows it within two minutes."""
    with errors_in_one_line():
        provider_key = read_secret(provider_key_from) if provider_key_from else ""
        added = new_upstream(
            name=name,
            provider=provider,
            url=url,
            region=region,
            credentials=CredentialPolicy.STORED if provider_key else credentials,
            private=private,
            key_ids=key or (),
            provider_key=provider_key,
        )
        _with_upstreams(data, lambda store: store.add_upstream(organization, added, provider_key=provider_key))
        print(f"added {added.name}")


@upstreams.command("key")
def replace_key(
    name: Name,
    provider_key_from: Annotated[str, typer.Option(help=_FROM)],
    organization: Organization = ORGANIZATION,
    data: Data = DATA,
) -> None:
    """Store another key of its provider. The proxy takes it within two minutes."""
    with errors_in_one_line():
        provider_key = read_secret(provider_key_from)

        async def replace(store: "SqlUpstreams") -> bool:
            rows = await store.upstreams_of(organization)
            for one in rows:
                if one.name == name.lower():
                    check_provider_key(provider_named(one.provider), provider_key)
            return await store.replace_provider_key(organization, name.lower(), provider_key)

        if not _with_upstreams(data, replace, is_there=True):
            raise NotFound(f"there is no upstream {name!r} whose credentials are stored in {organization!r}")
        print(f"replaced the provider's key of {name.lower()}")


@upstreams.command("list")
def list_upstreams(organization: Organization = ORGANIZATION, data: Data = DATA) -> None:
    """List an organization's upstreams."""
    with errors_in_one_line():
        found = _with_upstreams(data, lambda store: store.upstreams_of(organization), is_there=True)
        compile_lines(listed_upstreams(found), console())


@upstreams.command("remove")
def remove_upstream(name: Name, organization: Organization = ORGANIZATION, data: Data = DATA) -> None:
    """Remove a server. The proxy may send calls to it for up to two more minutes."""
    with errors_in_one_line():
        if not _with_upstreams(data, lambda store: store.remove_upstream(organization, name.lower()), is_there=True):
            raise NotFound(f"there is no upstream with the name {name!r} in organization {organization!r}")
        print(f"removed {name.lower()}")


def listed_upstreams(found: Sequence[NamedUpstream]) -> Iterator[Text]:
    """The rows for people."""
    for one in found:
        yield Text(one.name, style="bold")
        region = f", region {one.region}" if one.region else ""
        inside = ", may be private" if one.private else ""
        yield Text(f"  {one.provider} at {escape(one.url)}{region}{inside}; credentials: {one.credentials.value}")
        if one.key_ids:
            yield Text(f"  for the keys {', '.join(map(escape, one.key_ids))}")
    if not found:
        yield Text("There are no upstreams yet: farebox upstreams add")


def read_secret(source: str) -> str:
    """What is in the file `source`, the variable NAME of `env:NAME`, or comes by standard input for `-`.

    Raises: InvalidRequest.
    """
    try:
        if source == "-":
            text = sys.stdin.read()
        elif source.startswith("env:"):
            text = os.environ.get(source.removeprefix("env:"), "")
        else:
            text = Path(source).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the key cannot be read from {source}: {error}") from error
    if not text.strip():
        raise InvalidRequest(f"there is no key in {source}")
    return text.strip()


def _with_upstreams(data: Path, act: "Callable[[SqlUpstreams], Awaitable[T]]", *, is_there: bool = False) -> T:
    return with_store(data, _open_upstreams, act, is_there=is_there)


def _open_upstreams(state: str, encryption_key: str) -> "SqlUpstreams":
    # The stores take longer to load than most commands to run.
    from services.stores.factory import open_upstreams

    return open_upstreams(state, encryption_key=encryption_key)
