"""What one statement is about, and whose rows it may see."""

from datetime import datetime
from typing import Final

from schemas.errors import InvalidRequest
from schemas.statement import Bound, Statement
from schemas.tables import Kind, Operator, Table
from services.sql.measures import SCORE, Measure
from services.sql.nodes import And, Behind, Compare, Everything, Filter, HasKey, Not, Or

MAX_SQL = 131_000  # characters, all of one byte: a server takes no longer field of a form (http_max_field_value_size)

_STARTS: Final = frozenset({Operator.EQUALS, Operator.GT, Operator.GTE})
_ENDS: Final = frozenset({Operator.EQUALS, Operator.LT, Operator.LTE})


class Scope:
    """What one statement is about: the organization, the period its rows are from, and what fills its placeholders."""

    def __init__(self, organization_id: str, where: Filter) -> None:
        self._names: dict[tuple[str, Bound], str] = {}
        self.period = _period(where)
        self._organization_id = organization_id
        self._is_narrow = is_narrow(where)
        self.tenant = self.bind(organization_id, "String")

    def about(self, where: Filter) -> "Scope":
        """For a part of the same statement that is about other rows of the organization. They share placeholders."""
        other = Scope(self._organization_id, where)
        other._names = self._names
        self._is_narrow &= other._is_narrow
        return other

    def bind(self, value: Bound, param_type: str) -> str:
        """The placeholder that stands for `value`: the only way a value comes near SQL."""
        name = self._names.setdefault((param_type, value), f"p{len(self._names)}")
        return f"{{{name}:{param_type}}}"

    def statement(self, sql: str, *, is_cheap: bool = False, timeout_s: float | None = None) -> Statement:
        """`is_cheap`: for another reason than its filter.

        Raises: InvalidRequest when the SQL is longer than the warehouse takes.
        """
        if len(sql) > MAX_SQL:
            raise InvalidRequest(f"generated query is {len(sql)} characters, limit {MAX_SQL}: simplify the filter")
        return Statement(
            sql=sql,
            parameters={name: value for (_, value), name in self._names.items()},
            organization_id=self._organization_id,
            is_cheap=is_cheap or self._is_narrow,
            timeout_s=timeout_s,
        )


def from_rows(table: Table, where: str, scope: Scope, *, final: bool = True, alias: str = "", joined: str = "") -> str:
    """What a statement reads. No other place reads a table of requests, so that none forgets whose rows it may see.

    `joined` is what stands beside the rows, which have an `alias` then.
    """
    name = f"{table.name} AS {alias}" if alias else table.name
    tenant = f"{alias}.{table.tenant}" if alias else table.tenant
    return f"FROM {name}{' FINAL' if final else ''}{joined} WHERE {tenant} = {scope.tenant} AND {where}"


def compile_measure(measure: Measure, scope: Scope) -> str:
    """Its SQL. What a client named a score is bound, as all else that clients write."""
    return measure.sql if measure.score is None else measure.sql.replace(SCORE, scope.bind(measure.score, "String"))


def is_narrow(where: Filter) -> bool:
    """Whether `where` names the rows by their ids or keys, and searches no texts."""
    terms = where.terms if isinstance(where, And) else (where,)
    return any(_names_rows(term) for term in terms) and not searches_bodies(where)


def _names_rows(term: Filter) -> bool:
    match term:
        case HasKey():
            return True
        case Compare(column=column, operator=Operator.EQUALS | Operator.ONE_OF):
            return column.sql == "request_id"
        case _:
            return False


def searches_bodies(where: Filter) -> bool:
    """Whether the texts of bodies have to be read to tell which rows fulfil `where`."""
    match where:
        case And(terms) | Or(terms):
            return any(map(searches_bodies, terms))
        case Not(term):
            return searches_bodies(term)
        case Compare(column=column):
            return column.kind is Kind.BODY
        case _:
            return False


def bounds_of(where: Filter) -> tuple[datetime | None, datetime | None]:
    """Between which timestamps all rows were created that fulfil `where`; None where it sets no bound."""
    match where:
        case Compare(column=column, operator=operator, value=datetime() as at) if column.sql == "request_created_at":
            return at if operator in _STARTS else None, at if operator in _ENDS else None
        case Behind(key, descending):
            at = key.request_created_at
            return (None, at) if descending else (at, None)
        case And(terms):
            bounds = [bounds_of(term) for term in terms]
            starts = (start for start, _ in bounds if start is not None)
            ends = (end for _, end in bounds if end is not None)
            return max(starts, default=None), min(ends, default=None)
        case _:
            return None, None


def _period(where: Filter) -> Filter:
    """The bounds on the creation timestamp that hold for every row of the response."""
    match where:
        case Behind():
            return where
        case Compare(column=column) if column.sql == "request_created_at":
            return where
        case And(terms):
            bounds = tuple(bound for bound in map(_period, terms) if not isinstance(bound, Everything))
            return And(bounds) if bounds else Everything()
        case _:
            return Everything()
