"""The statements that erase a user: what was said is deleted, and who said it has a name that says nothing.

Costs, tokens and properties stay, so that no total changes. Rows are rewritten on the disk, unlike by a newer version,
which would leave the old one there until parts are merged.
"""

from typing import Final

from schemas.statement import Statement
from schemas.tables import REQUEST_BODY, REQUEST_RESPONSE, ROLLUP, VALUE, Table
from schemas.versions import AMENDMENT_BITS
from services.sql.nodes import Everything
from services.sql.scope import Scope, from_rows

_KEY: Final = "request_created_at, request_id"
# Of a row's version; an amendment writes the row anew, but not its bodies.
_CHARGE: Final = f"bitShiftRight(version, {AMENDMENT_BITS})"
_ON_DISK: Final = "SETTINGS mutations_sync = 1"


def compile_traces(organization_id: str, user_ids: tuple[str, ...]) -> Statement:
    """One row: how many `requests` have one of the users, and how many `traces`, rows of any version, name one."""
    scope = Scope(organization_id, Everything())
    users = scope.bind(user_ids, "Array(String)")
    traces = (
        (REQUEST_RESPONSE, _has_user(users)),
        (REQUEST_RESPONSE, _had_user(users)),
        (VALUE, _has_user(users)),
        (ROLLUP, f"hasAny(groups.user_id, {users})"),
    )
    counts = (f"(SELECT count() {from_rows(table, where, scope, final=False)})" for table, where in traces)
    requests = f"SELECT count() {from_rows(REQUEST_RESPONSE, _has_user(users), scope)}"
    return scope.statement(f"SELECT ({requests}) AS requests, {' + '.join(counts)} AS traces")


def compile_erasure(organization_id: str, user_id: str, pseudonym: str) -> list[Statement]:
    """In this order: bodies are found by either name, so to run all of them again does what had not been done."""
    scope = Scope(organization_id, Everything())
    old, new = scope.bind(user_id, "String"), scope.bind(pseudonym, "String")
    users = scope.bind((user_id,), "Array(String)")
    renamed_groups = f"arrayMap(name -> if(name = {old}, {new}, name), groups.user_id)"
    return [
        # What stood in a row before it was logged again may name the user too.
        _updated(REQUEST_RESPONSE, _has_user(users), scope, user_id=new, replaced="''"),
        _updated(REQUEST_RESPONSE, _had_user(users), scope, replaced="''"),
        _without_bodies(scope.bind((user_id, pseudonym), "Array(String)"), scope),
        _updated(VALUE, _has_user(users), scope, user_id=new),
        _updated(ROLLUP, f"has(groups.user_id, {old})", scope, **{"`groups.user_id`": renamed_groups}),
    ]


def _has_user(users: str) -> str:
    return f"user_id IN {users}"


def _had_user(users: str) -> str:
    """Before the call was logged again."""
    return f"arrayExists(one -> has({users}, JSONExtractString(one, 'user_id')), JSONExtractArrayRaw(replaced))"


def _without_bodies(users: str, scope: Scope) -> Statement:
    """All of requests that are the users' now; of those that were, what was logged while they were."""
    now = from_rows(REQUEST_RESPONSE, _has_user(users), scope)
    once = from_rows(REQUEST_RESPONSE, _has_user(users), scope, final=False)
    is_theirs = f"({_KEY}) IN (SELECT {_KEY} {now})"
    was_theirs = f"({_KEY}, {_CHARGE}) IN (SELECT {_KEY}, {_CHARGE} {once})"
    return _altered(REQUEST_BODY, "DELETE", f"({is_theirs} OR {was_theirs})", scope)


def _updated(table: Table, where: str, scope: Scope, **values: str) -> Statement:
    """With `values`, which are SQL, by column."""
    changes = ", ".join(f"{column} = {value}" for column, value in values.items())
    return _altered(table, f"UPDATE {changes}", where, scope)


def _altered(table: Table, change: str, where: str, scope: Scope) -> Statement:
    theirs = f"{table.tenant} = {scope.tenant} AND {where}"
    return scope.statement(f"ALTER TABLE {table.name} {change} WHERE {theirs} {_ON_DISK}")
