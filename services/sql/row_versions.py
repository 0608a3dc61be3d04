"""Which rows are there already under given keys, and in which version."""

from collections.abc import Sequence

from schemas.statement import Statement
from schemas.tables import REQUEST_RESPONSE
from services.sql.filters import compile_filter
from services.sql.nodes import Everything, HasKey, Key
from services.sql.scope import Scope, from_rows

_KEY = ", ".join(name for name in REQUEST_RESPONSE.identity if name != REQUEST_RESPONSE.tenant)


def compile_kept_versions(organization_id: str, keys: Sequence[Key]) -> Statement:
    """The highest `kept_version` of each of `keys` that there is a row of, be it a deleted one."""
    scope = Scope(organization_id, Everything())
    return scope.statement(f"SELECT {_KEY}, max(version) AS kept_version {_rows(keys, scope)} GROUP BY {_KEY}")


def compile_latest_versions(organization_id: str, keys: Sequence[Key], names: Sequence[str]) -> Statement:
    """`names` of the latest version of each of `keys` that there is a row of, be it a deleted one."""
    scope = Scope(organization_id, Everything())
    selected = f"SELECT {_KEY}, {', '.join(names)} {_rows(keys, scope)}"
    return scope.statement(f"{selected} ORDER BY version DESC LIMIT 1 BY {_KEY}")


def _rows(keys: Sequence[Key], scope: Scope) -> str:
    return from_rows(REQUEST_RESPONSE, compile_filter(HasKey(tuple(keys)), scope), scope, final=False)
