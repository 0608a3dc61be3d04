"""The statements that erase a user: what was said is deleted, and who said it has a name that says nothing.

Costs, tokens and properties stay, so that no total changes. Rows are rewritten on the disk, unlike by a newer version,
which would leave the old one there until parts are merged.
"""

from typing import Final

from schemas.statement import Statement
from schemas.tables import REQUEST_BODY, REQUEST_RESPONSE, Operator
from services.sql.filters import compile_filter
from services.sql.nodes import Everything, Filter, comparison
from services.sql.scope import Scope, from_rows

_KEY: Final = "request_created_at, request_id"
_ON_DISK: Final = "SETTINGS mutations_sync = 1"


def compile_requests_of_users(organization_id: str, user_ids: tuple[str, ...]) -> Statement:
    """One row: how many requests have one of the users."""
    scope = Scope(organization_id, Everything())
    rows = from_rows(REQUEST_RESPONSE, f"user_id IN {scope.bind(user_ids, 'Array(String)')}", scope)
    return scope.statement(f"SELECT count() AS requests {rows}")


def compile_erasure(organization_id: str, user_id: str, pseudonym: str) -> list[Statement]:
    """In this order, since the rows say which bodies are the user's. To run them again does what had not been done."""
    return [
        _bodies(organization_id, user_id),
        # What stood in a row before it was logged again may name the user too.
        _renamed(REQUEST_RESPONSE.name, "user_id = {new}, replaced = ''", organization_id, user_id, pseudonym),
        _renamed("value", "user_id = {new}", organization_id, user_id, pseudonym),
        _renamed_in_rollup(organization_id, user_id, pseudonym),
    ]


def _of(user_id: str) -> Filter:
    return comparison("user_id", Operator.EQUALS, user_id)


def _bodies(organization_id: str, user_id: str) -> Statement:
    scope = Scope(organization_id, _of(user_id))
    rows = from_rows(REQUEST_RESPONSE, compile_filter(_of(user_id), scope), scope, final=False)
    theirs = f"({_KEY}) IN (SELECT {_KEY} {rows})"
    sql = f"ALTER TABLE {REQUEST_BODY.name} DELETE WHERE organization_id = {scope.tenant} AND {theirs} {_ON_DISK}"
    return scope.statement(sql)


def _renamed(table: str, changes: str, organization_id: str, user_id: str, pseudonym: str) -> Statement:
    scope = Scope(organization_id, _of(user_id))
    set_to = changes.replace("{new}", scope.bind(pseudonym, "String"))
    theirs = f"organization_id = {scope.tenant} AND user_id = {scope.bind(user_id, 'String')}"
    return scope.statement(f"ALTER TABLE {table} UPDATE {set_to} WHERE {theirs} {_ON_DISK}")


def _renamed_in_rollup(organization_id: str, user_id: str, pseudonym: str) -> Statement:
    scope = Scope(organization_id, _of(user_id))
    old, new = scope.bind(user_id, "String"), scope.bind(pseudonym, "String")
    renamed = f"`groups.user_id` = arrayMap(name -> if(name = {old}, {new}, name), groups.user_id)"
    theirs = f"organization_id = {scope.tenant} AND has(groups.user_id, {old})"
    return scope.statement(f"ALTER TABLE rollup UPDATE {renamed} WHERE {theirs} {_ON_DISK}")
