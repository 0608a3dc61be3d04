"""The rows that stand under given keys, as a log that would replace them needs to know them."""

from collections.abc import Sequence

from schemas.statement import Statement
from schemas.tables import REQUEST_RESPONSE
from services.sql.compile import compile_filter
from services.sql.nodes import Everything, HasKey, Key
from services.sql.scope import Scope, from_rows


def print_standing(organization_id: str, keys: Sequence[Key], names: Sequence[str]) -> Statement:
    """`names` of the newest version of each of `keys` that there is a row of, be it a deleted one."""
    scope = Scope(organization_id, Everything())
    key = ", ".join(name for name in REQUEST_RESPONSE.identity if name != REQUEST_RESPONSE.tenant)
    rows = from_rows(REQUEST_RESPONSE, compile_filter(HasKey(tuple(keys)), scope), scope, final=False)
    return scope.statement(f"SELECT {key}, {', '.join(names)} {rows} ORDER BY version DESC LIMIT 1 BY {key}")
