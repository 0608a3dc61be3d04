"""What one statement is about, and whose rows it may see."""

from schemas.errors import InvalidRequest
from schemas.statement import Bound, Statement
from schemas.tables import Kind, Operator, Table
from services.sql.nodes import And, Compare, Everything, Filter, HasKey, Not, Or

MAX_SQL = 131_000  # characters, all of one byte: a server takes no longer field of a form (http_max_field_value_size)


class Scope:
    """What one statement is about: the organization, the period its rows are from, and what fills its placeholders."""

    def __init__(self, organization_id: str, where: Filter) -> None:
        self._names: dict[tuple[str, Bound], str] = {}
        self.period = _period(where)
        self._organization_id = organization_id
        self._is_narrow = is_narrow(where)
        self.tenant = self.bind(organization_id, "String")

    def bind(self, value: Bound, param_type: str) -> str:
        """The placeholder that stands for `value`: the only way a value comes near SQL."""
        name = self._names.setdefault((param_type, value), f"p{len(self._names)}")
        return f"{{{name}:{param_type}}}"

    def statement(self, sql: str, *, is_cheap: bool = False) -> Statement:
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
        )


def from_rows(table: Table, where: str, scope: Scope, *, final: bool = True, alias: str = "", joined: str = "") -> str:
    """What a statement reads. No other place reads a table of requests, so that none forgets whose rows it may see.

    `joined` is what stands beside the rows, which have an `alias` then.
    """
    name = f"{table.name} AS {alias}" if alias else table.name
    tenant = f"{alias}.{table.tenant}" if alias else table.tenant
    return f"FROM {name}{' FINAL' if final else ''}{joined} WHERE {tenant} = {scope.tenant} AND {where}"


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


def _period(where: Filter) -> Filter:
    """The bounds on the creation timestamp that hold for every row of the response."""
    match where:
        case Compare(column=column) if column.sql == "request_created_at":
            return where
        case And(terms):
            bounds = tuple(bound for bound in map(_period, terms) if not isinstance(bound, Everything))
            return And(bounds) if bounds else Everything()
        case _:
            return Everything()
