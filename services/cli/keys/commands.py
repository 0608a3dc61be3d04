"""`farebox keys ...`: what an operator types to make, import, list, rotate and revoke API keys."""

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import InvalidRequest
from schemas.key import Permission
from services.cli.keys import stored
from services.cli.options import DATA, Data, errors_in_one_line
from services.cli.terminal import compile_lines, console, escape, pluralize
from services.domain.attribution.key_tags import parse_key_tags
from services.embedded.data_folder import ORGANIZATION, DataFolder, existing
from services.settings.processes import Settings

keys = typer.Typer(help="Make, import, list, rotate and revoke API keys.", no_args_is_help=True)

Organization = Annotated[str, typer.Option(help="Whose keys.")]
KeyId = Annotated[str, typer.Argument(help="As `farebox keys list` shows it.")]
Permitted = Annotated[
    Permission,
    typer.Option(help="; ".join(f"{one.value}: {what}" for one, what in stored.PERMISSIONS.items()) + "."),
]


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Option(help="What people know it by.")] = "made by hand",
    permission: Permitted = Permission.READ_WRITE,
    expires: Annotated[
        str, typer.Option(metavar="TIMESTAMP", help="A date, or ISO 8601; UTC without an offset. Default: never.")
    ] = "",
    force: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A property of every request, whatever the client sends. Repeatable."),
    ] = None,
    default: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A property of requests that do not set it. Repeatable."),
    ] = None,
    require: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A property that requests must set. Repeatable."),
    ] = None,
    organization: Organization = ORGANIZATION,
    data: Data = DATA,
) -> None:
    """Make a key and print it. It is shown this once; only its hash is kept.

    Beside properties, tags are Helicone-User-Id, Helicone-Session-Id, -Session-Name, -Session-Path and -Prompt-Id.
    """
    with errors_in_one_line():
        print(
            stored.create_key(
                _state(data),
                organization_id=organization,
                name=name,
                permission=permission,
                tags=parse_key_tags(force or (), default or (), require or ()),
                expires_at=_expiry(expires),
            )
        )


@keys.command("import")
def import_keys(
    file: Annotated[Path, typer.Argument(help="A secret a line, and a name after it where it has one; - is stdin.")],
    name: Annotated[str, typer.Option(help="Of keys without a name of their own.")] = "imported",
    permission: Permitted = Permission.READ_WRITE,
    organization: Organization = ORGANIZATION,
    data: Data = DATA,
) -> None:
    """Take secrets that exist, such as keys of Helicone's, so that clients keep theirs. Only hashes are kept.

    Those that are keys already are passed over.
    """
    with errors_in_one_line():
        if str(file) == "-":
            text = sys.stdin.read()
        else:
            try:
                text = file.read_text()
            except (OSError, UnicodeDecodeError) as error:
                raise InvalidRequest(f"{file} cannot be read: {type(error).__name__}") from None
        given = stored.parse_secrets(text, name)
        taken, known = stored.import_keys(
            _state(data), organization_id=organization, given=given, permission=permission
        )
        print(f"{pluralize(taken, 'key')} imported{f', {known} known already' if known else ''}")


@keys.command("list")
def list_keys(organization: Organization = ORGANIZATION, data: Data = DATA) -> None:
    """List an organization's keys, revoked ones too."""
    with errors_in_one_line():
        found = stored.list_keys(existing(_state(data)), organization_id=organization)
        compile_lines(stored.listed_keys(found), console())


@keys.command("rotate")
def rotate_key(
    key_id: KeyId,
    overlap_hours: Annotated[
        float, typer.Option(min=0, max=2160, help="For which the old secret stays valid beside the new one.")
    ] = 24,
    organization: Organization = ORGANIZATION,
    data: Data = DATA,
) -> None:
    """Give a key a new secret and print it, this once. Its id, tags and costs stay; the old secret ends later."""
    with errors_in_one_line():
        overlap = timedelta(hours=overlap_hours)
        state = existing(_state(data))
        print(stored.rotate_key(state, organization_id=organization, key_id=key_id, overlap=overlap))


@keys.command("revoke")
def revoke_key(key_id: KeyId, organization: Organization = ORGANIZATION, data: Data = DATA) -> None:
    """Revoke a key. The proxy may accept it for up to two more minutes."""
    with errors_in_one_line():
        stored.revoke_key(existing(_state(data)), organization_id=organization, key_id=key_id)
        print(f"revoked {escape(key_id)}")


def _expiry(text: str) -> datetime | None:
    """Raises: InvalidRequest."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(f"--expires: {text[:100]!r} is no date, and no timestamp in ISO 8601") from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    if at <= datetime.now(UTC):
        raise InvalidRequest(f"--expires: {text} is past")
    return at


def _state(data: Path) -> str:
    return Settings.from_environ(DataFolder(data).environ(os.environ)).state
