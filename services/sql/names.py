"""The names and values that a query uses, and statements that find which of them were never seen, and what is near."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from schemas.statement import Statement
from schemas.tables import PROPERTY_SPELLING, REQUEST_RESPONSE, Kind, Operator, Table
from services.sql.filters import compile_filter
from services.sql.nodes import And, ByProperty, Compare, Dimension, Everything, Filter, Not, Or
from services.sql.scope import Scope, from_rows

MAX_LOOKED_UP: Final = 16  # values of one filter
_MAX_NAME_BYTES: Final = 200  # of what is compared with other names
_MAX_DIFFERENT_BYTES: Final = 8
_MAX_CANDIDATES: Final = 10_000  # different values
# That no index knows.
_LONG_TEXTS: Final = frozenset({"target_url", "path(target_url)", "session_path", "toString(scores)"})


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """What a query names that may never have been seen."""

    properties: tuple[str, ...]  # in lower case
    values: tuple[Compare, ...]  # that are found without reading much, or are not there
    # That take as long to find as it takes to read a column, or that every row of a result has: only worth a look where
    # the result is empty.
    searched: tuple[Compare, ...]


def names_of(where: Filter, by: Sequence[Dimension | str] = ()) -> Names:
    """Of a filter, and of what its rows are grouped by or sorted by; at most `MAX_LOOKED_UP` values of each kind."""
    terms = tuple(dict.fromkeys(_comparisons(where)))
    keys = [term.key for term in terms if term.key is not None and term.column.sql == "properties"]
    keys += [part.key if isinstance(part, ByProperty) else part for part in by if isinstance(part, ByProperty | str)]
    values = [term for term in terms if _names_a_value(term)]
    required = set(_required(where))
    at_once = [term for term in values if _is_quick(term) and term not in required]
    return Names(
        properties=tuple(dict.fromkeys(keys)),
        values=tuple(at_once)[:MAX_LOOKED_UP],
        searched=tuple(term for term in values if term not in at_once)[:MAX_LOOKED_UP],
    )


def _comparisons(where: Filter) -> Iterator[Compare]:
    match where:
        case And(terms) | Or(terms):
            for term in terms:
                yield from _comparisons(term)
        case Not(term):
            yield from _comparisons(term)
        case Compare():
            yield where
        case _:
            pass


def _required(where: Filter) -> Iterator[Compare]:
    """The comparisons that hold for every row."""
    match where:
        case And(terms):
            for term in terms:
                yield from _required(term)
        case Compare():
            yield where
        case _:
            pass


def _names_a_value(term: Compare) -> bool:
    """Bodies and ids are not names; '' and "has no value" are no values."""
    of_text = term.column.kind is Kind.TEXT or (term.column.kind is Kind.TEXT_MAP and term.column.sql == "properties")
    return of_text and isinstance(term.value, str) and term.value != ""


def _is_quick(term: Compare) -> bool:
    return term.operator is Operator.EQUALS and term.column.sql not in _LONG_TEXTS


def compile_seen(organization_id: str, values: Sequence[Compare]) -> Statement:
    """The `place` in `values` of each that some request of the organization has, or had."""
    scope = Scope(organization_id, Everything())
    found = (
        f"(SELECT {place} AS place {from_rows(REQUEST_RESPONSE, compile_filter(value, scope), scope, final=False)}"
        " LIMIT 1)"
        for place, value in enumerate(values)
    )
    places = f"FROM ({' UNION ALL '.join(found)})"
    return scope.statement(f"SELECT place {places}")


def compile_nearest_property(organization_id: str, key: str) -> Statement | None:
    """The `nearest` lower-case name of a property that the organization uses; none where `key` is too short or long."""
    return _nearest(Scope(organization_id, Everything()), "property_key", key, PROPERTY_SPELLING)


def compile_nearest_value(organization_id: str, value: Compare) -> Statement | None:
    """The `nearest` value of the same column or property; none where the value is a pattern, too short or too long."""
    if value.operator is not Operator.EQUALS or not isinstance(value.value, str):
        return None
    scope = Scope(organization_id, Everything())
    sql = value.column.sql
    text = sql if value.key is None else f"{sql}[{scope.bind(value.key, 'String')}]"
    return _nearest(scope, f"toString({text})", value.value, REQUEST_RESPONSE)


def _nearest(scope: Scope, text: str, name: str, table: Table) -> Statement | None:
    """The one among the texts that differs least from `name`, ignoring case: in a third of its bytes at most."""
    size = len(name.encode(errors="surrogatepass"))
    if not 0 < size <= _MAX_NAME_BYTES:
        return None
    reach = min(size // 3, _MAX_DIFFERENT_BYTES)
    bounds = f"length({text}) BETWEEN {max(size - reach, 1)} AND {size + reach}"
    rows = from_rows(table, bounds, scope, final=False)
    known = f"FROM (SELECT DISTINCT {text} AS known {rows} LIMIT {_MAX_CANDIDATES})"
    distance = f"damerauLevenshteinDistance(lowerUTF8(known), lowerUTF8({scope.bind(name, 'String')}))"
    near = f"{known} WHERE distance <= {reach} ORDER BY distance, nearest LIMIT 1"
    return scope.statement(f"SELECT known AS nearest, {distance} AS distance {near}")
