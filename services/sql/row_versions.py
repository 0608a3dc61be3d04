"""Which rows are there already, and in which version, by their keys."""

from collections.abc import Sequence

from schemas.statement import Statement
from schemas.tables import REQUEST_RESPONSE
from services.sql.compile import compile_filter
from services.sql.nodes import Everything, HasKey, Key
from services.sql.scope import Scope, from_rows


def compile_kept_versions(organization_id: str, keys: Sequence[Key]) -> Statement:
    """The highest `kept_version` of each of `keys` that there is a row of, be it a deleted one."""
    scope = Scope(organization_id, Everything())
    key = ", ".join(name for name in REQUEST_RESPONSE.identity if name != REQUEST_RESPONSE.tenant)
    rows = from_rows(REQUEST_RESPONSE, compile_filter(HasKey(tuple(keys)), scope), scope, final=False)
    return scope.statement(f"SELECT {key}, max(version) AS kept_version {rows} GROUP BY {key}")
