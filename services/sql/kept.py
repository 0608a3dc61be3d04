"""Which rows are there already, by their keys."""

from collections.abc import Sequence

from schemas.statement import Statement
from schemas.tables import REQUEST_RESPONSE
from services.sql.nodes import AnyOf, Everything, Key
from services.sql.printer import Scope, print_filter


def print_kept(organization_id: str, keys: Sequence[Key]) -> Statement:
    """The highest `kept_version` of each of `keys` that there is a row of, be it a deleted one."""
    scope = Scope(organization_id, Everything())
    key = ", ".join(name for name in REQUEST_RESPONSE.identity if name != REQUEST_RESPONSE.tenant)
    rows = f"FROM {REQUEST_RESPONSE.name} WHERE {REQUEST_RESPONSE.tenant} = {scope.tenant}"
    among = print_filter(AnyOf(tuple(keys)), scope)
    return scope.statement(f"SELECT {key}, max(version) AS kept_version {rows} AND {among} GROUP BY {key}")
