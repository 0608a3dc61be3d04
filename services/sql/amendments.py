"""The statements of amendments: which rows they are of, and rows written anew with all of theirs.

A row with amendments is a copy of its latest version. What they set replaces what it had, the latest of each name, so
it makes no difference which of them that version had already. It is written only with more amendments than it has.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from schemas.amendment import FEEDBACK
from schemas.record import RequestRecord
from schemas.statement import Statement
from schemas.tables import AMENDMENT, PROPERTY_COLUMNS, REQUEST_RESPONSE, Operator
from schemas.timestamps import EPOCH
from schemas.versions import MAX_AMENDMENTS
from services.sql.filters import compile_filter
from services.sql.nodes import And, Everything, Filter, HasKey, Key, comparison
from services.sql.scope import Scope, from_rows

AMENDED: Final = ("scores", "feedback_us", "amended_us")  # columns that only amendments set
STORED: Final = (*RequestRecord.__struct_fields__, *AMENDED)

_KEY: Final = "request_created_at, request_id"
_TEXTS: Final = "Map(String, String)"
_NUMBERS: Final = "Map(String, Int64)"


def compile_has_amendments(organization_id: str) -> Statement:
    """One row where the organization has amendments, none where it has not."""
    scope = Scope(organization_id, Everything())
    amendments = from_rows(AMENDMENT, "1", scope, final=False)
    return scope.statement(f"SELECT 1 AS found {amendments} LIMIT 1", is_cheap=True)


def compile_amended_ids(organization_id: str, ids: Sequence[str]) -> Statement:
    """The `request_id` of each of `ids` that has amendments."""
    scope = Scope(organization_id, Everything())
    named = f"request_id IN {scope.bind(tuple(ids), 'Array(UUID)')}"
    return scope.statement(f"SELECT DISTINCT request_id {from_rows(AMENDMENT, named, scope, final=False)}")


def compile_keys_of_ids(organization_id: str, ids: Sequence[str], since: datetime | None) -> Statement:
    """The keys of all rows with `ids`; of those created from `since` on, where that is given."""
    period: Filter = Everything() if since is None else comparison("request_created_at", Operator.GTE, since)
    scope = Scope(organization_id, period)
    condition = f"{compile_filter(period, scope)} AND request_id IN {scope.bind(tuple(ids), 'Array(UUID)')}"
    return scope.statement(f"SELECT DISTINCT {_KEY} {from_rows(REQUEST_RESPONSE, condition, scope, final=False)}")


def compile_latest_of_id(organization_id: str, request_id: str, created_at: datetime | None) -> Statement:
    """Key, version and the names of what is set, of the latest request with this id, or of that of `created_at`."""
    where: Filter = comparison("request_id", Operator.EQUALS, request_id)
    if created_at is not None:
        where = And((where, comparison("request_created_at", Operator.EQUALS, created_at)))
    scope = Scope(organization_id, where)
    rows = from_rows(REQUEST_RESPONSE, compile_filter(where, scope), scope, final=False)
    columns = f"{_KEY}, version, mapKeys(properties) AS property_names, mapKeys(scores) AS score_names"
    return scope.statement(f"SELECT {columns} {rows} ORDER BY request_created_at DESC, version DESC LIMIT 1")


def compile_bearer(organization_id: str, session_id: str, name: str) -> Statement:
    """The key of the request that has the property `name` for its session, or is to have it: else the first one."""
    where = comparison("session_id", Operator.EQUALS, session_id)
    scope = Scope(organization_id, where)
    rows = from_rows(REQUEST_RESPONSE, compile_filter(where, scope), scope)
    has = f"mapContains(properties, {scope.bind(name.lower(), 'String')})"
    return scope.statement(f"SELECT {_KEY} {rows} ORDER BY {has} DESC, {_KEY} LIMIT 1")


def compile_set_on_session(organization_id: str, session_id: str, name: str) -> Statement:
    """`value` of the property `name` that was set last on a request of the session; no row where none was."""
    where = comparison("session_id", Operator.EQUALS, session_id)
    scope = Scope(organization_id, where)
    key = scope.bind(name.lower(), "String")
    of_session = f"SELECT request_id {from_rows(REQUEST_RESPONSE, compile_filter(where, scope), scope)}"
    named = f"mapContains(properties, {key}) AND request_id IN ({of_session})"
    amendments = from_rows(AMENDMENT, named, scope, final=False)
    latest = "ORDER BY amended_us DESC, UUIDToNum(amendment_id) DESC LIMIT 1"
    return scope.statement(f"SELECT properties[{key}] AS value {amendments} {latest}")


def compile_amended(organization_id: str, keys: Sequence[Key]) -> Statement:
    """Writes those of the rows with `keys` anew that lack amendments of theirs."""
    scope = Scope(organization_id, Everything())
    values = ", ".join(_REPLACED.get(name, f"r.{name}") for name in STORED)
    join = "r.request_created_at = a.request_created_at AND r.request_id = a.request_id"
    rows = f"FROM ({_latest(keys, scope)}) AS r INNER JOIN ({_folded(keys, scope)}) AS a ON {join}"
    lacks = f"r.is_deleted = 0 AND bitAnd(r.version, {MAX_AMENDMENTS}) < a.amendments"
    return scope.statement(
        f"INSERT INTO {REQUEST_RESPONSE.name} ({', '.join(STORED)}) SELECT {values} {rows} WHERE {lacks}"
    )


def _latest(keys: Sequence[Key], scope: Scope) -> str:
    """The latest version of each row. Without FINAL, which would read all columns of all rows near them.

    All in one read: between two of them another worker could write a version that only one of them saw.
    """
    rows = from_rows(REQUEST_RESPONSE, compile_filter(HasKey(tuple(keys)), scope), scope, final=False)
    return f"SELECT {', '.join(STORED)}, is_deleted {rows} ORDER BY version DESC LIMIT 1 BY {_KEY}"


def _folded(keys: Sequence[Key], scope: Scope) -> str:
    """By key: how many amendments it has, and what they set together."""
    named = f"request_id IN {scope.bind(tuple(key.request_id for key in keys), 'Array(UUID)')}"
    columns = "request_id, request_created_at, amended_us, amendment_id, properties, spellings, scores"
    # One that was delivered again counts once.
    once = "LIMIT 1 BY request_id, amended_us, amendment_id"
    stored = f"SELECT {columns} {from_rows(AMENDMENT, named, scope, final=False)} {once}"
    wanted = f"SELECT arrayJoin({_zipped(keys, scope)}) AS k, k.1 AS created_at, k.2 AS id"
    each = scope.bind(EPOCH, "DateTime64(3, 'UTC')")
    in_order = (
        "arraySort(one -> (one.1, one.2),"
        " groupArray((s.amended_us, UUIDToNum(s.amendment_id), s.properties, s.spellings, s.scores)))"
    )
    rated = f"mapContains(s.scores, {scope.bind(FEEDBACK, 'String')})"
    folded = {
        "request_created_at": "w.created_at",
        "request_id": "w.id",
        "in_order": in_order,
        "amendments": f"least(count(), {MAX_AMENDMENTS})",
        "feedback_us": f"maxIf(s.amended_us, {rated})",
        "amended_us": "max(s.amended_us)",
        "property_pairs": _latest_first(3),
        "spelling_pairs": _latest_first(4),
        "score_pairs": _latest_first(5),
        "properties": _folded_map("property_pairs", _TEXTS),
        "spellings": f"mapValues({_folded_map('spelling_pairs', _TEXTS)})",
        "scores": _folded_map("score_pairs", _NUMBERS),
    }
    selected = ", ".join(f"{sql} AS {name}" for name, sql in folded.items())
    joined = f"FROM ({wanted}) AS w INNER JOIN ({stored}) AS s ON w.id = s.request_id"
    return (
        f"SELECT {selected} {joined} WHERE s.request_created_at IN (w.created_at, {each}) GROUP BY w.created_at, w.id"
    )


def _latest_first(position: int) -> str:
    """The names and values of the maps at `position`, the latest first."""
    pairs = f"arrayMap(one -> arrayZip(mapKeys(one.{position}), mapValues(one.{position})), in_order)"
    return f"arrayReverse(arrayFlatten({pairs}))"


def _folded_map(pairs: str, type_: str) -> str:
    """One map: of a name that is among `pairs` several times, the value of the latest. In time linear in `pairs`."""
    return f"CAST(arrayFilter((pair, nth) -> nth = 1, {pairs}, arrayEnumerateUniq({pairs}.1)), '{type_}')"


def _zipped(keys: Sequence[Key], scope: Scope) -> str:
    created = scope.bind(tuple(key.request_created_at for key in keys), "Array(DateTime64(3, 'UTC'))")
    ids = scope.bind(tuple(key.request_id for key in keys), "Array(UUID)")
    return f"arrayZip({created}, {ids})"


def _replaced() -> Mapping[str, str]:
    """The columns that amendments set, from the row `r` and its amendments `a`. Sorted: no order is left to chance."""
    names = ", ".join(f"'{name}'" for name in PROPERTY_COLUMNS)
    own = f"mapFilter((name, value) -> name NOT IN ({names}), a.properties)"
    kept = "arrayFilter(name -> NOT mapContains(a.properties, lowerUTF8(name)), r.property_spellings)"
    new = f"arrayFilter(name -> lowerUTF8(name) NOT IN ({names}), a.spellings)"
    columns = {
        column.sql: f"if(mapContains(a.properties, '{name}'), a.properties['{name}'], r.{column.sql})"
        for name, column in PROPERTY_COLUMNS.items()
    }
    return columns | {
        "version": f"r.version - bitAnd(r.version, {MAX_AMENDMENTS}) + a.amendments",
        "properties": f"mapSort(mapUpdate(CAST(r.properties, '{_TEXTS}'), {own}))",
        "property_spellings": f"arraySort(arrayDistinct(arrayConcat(CAST({kept}, 'Array(String)'), {new})))",
        "scores": "mapSort(a.scores)",
        "feedback_us": "a.feedback_us",
        "amended_us": "a.amended_us",
    }


_REPLACED: Final = _replaced()
