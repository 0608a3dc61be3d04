"""How a cost is distributed over sessions, users or requests: statements about one figure each."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from schemas.statement import Statement
from schemas.tables import REQUEST_RESPONSE, Operator
from services.sql.filters import compile_filter
from services.sql.measures import REQUESTS
from services.sql.nodes import And, Everything, Filter, Not, comparison
from services.sql.scope import Scope, from_rows

PERCENTS: Final = (25, 50, 75, 90, 95, 99)

_ONE: Final = "toString(request_id) AS id, '' AS name, cost_usd AS figure, 1 AS requests, request_created_at AS first"
_OF_GROUP: Final = f"sum(cost_usd) AS figure, {REQUESTS} AS requests, min(request_created_at) AS first"
_SELECTED: Final = {
    "request": (_ONE, ""),
    "session": (f"session_id AS id, session_name AS name, {_OF_GROUP}", " GROUP BY session_id, session_name"),
    "user": (f"user_id AS id, '' AS name, {_OF_GROUP}", " GROUP BY user_id"),
}
_NAMED: Final = {"session": "session_id", "user": "user_id"}


class CostOfEach(msgspec.Struct, frozen=True, kw_only=True):
    """The known cost of each named session or user, or of each request, that fulfils `where`."""

    organization_id: str
    of: str  # session, user or request
    where: Filter

    def counted(self) -> Filter:
        """Holds for the requests that are in some figure."""
        named = _NAMED.get(self.of)
        is_named = Not(comparison(named, Operator.EQUALS, "")) if named else Everything()
        return And((is_named, self.where))


def compile_figures(costs: CostOfEach, rank_of_usd: Decimal | None = None) -> Statement:
    """How many there are (`count`), of how many it is `known`, their `total`, `lowest`, `highest` and `percentiles`.

    With an amount also how many are `below` and `above` it.
    """
    scope = Scope(costs.organization_id, costs.where)
    shares = ", ".join(f"0.{percent}" for percent in PERCENTS)
    selected = (
        "count() AS count, count(figure) AS known, sum(figure) AS total, min(figure) AS lowest, max(figure) AS highest,"
        f" quantilesExactIf({shares})(assumeNotNull(figure), figure IS NOT NULL) AS percentiles"
    )
    if rank_of_usd is not None:
        bound = scope.bind(rank_of_usd, "Decimal(38, 12)")
        selected += f", countIf(figure < {bound}) AS below, countIf(figure > {bound}) AS above"
    return scope.statement(f"SELECT {selected} {_from(costs, scope)}")


def compile_bars(costs: CostOfEach, edges: Sequence[Decimal]) -> Statement:
    """How many (`count`) have a cost in each `bar`, and what they cost (`total`).

    A bar is from the edge of its position on, counted from 1, before the next one; the last has no end.
    """
    scope = Scope(costs.organization_id, costs.where)
    texts = scope.bind(tuple(f"{edge:f}" for edge in edges), "Array(String)")
    bar = f"arrayCount(edge -> figure >= edge, arrayMap(text -> toDecimal128(text, 12), {texts})) AS bar"
    rows = f"{_from(costs, scope)} WHERE figure IS NOT NULL"
    return scope.statement(f"SELECT {bar}, count() AS count, sum(figure) AS total {rows} GROUP BY bar ORDER BY bar")


def compile_outliers(costs: CostOfEach, above: Decimal, limit: int) -> Statement:
    """Those that cost more, the dearest first; with how many there are (`count`) and what they cost (`total`)."""
    scope = Scope(costs.organization_id, costs.where)
    bound = scope.bind(above, "Decimal(38, 12)")
    rows = f"{_from(costs, scope)} WHERE ifNull(figure > {bound}, 0)"
    selected = "id, name, figure, requests, first, count() OVER () AS count, sum(figure) OVER () AS total"
    order = f"ORDER BY figure DESC, id, name LIMIT {scope.bind(limit, 'UInt64')}"
    return scope.statement(f"SELECT {selected} {rows} {order}")


def _from(costs: CostOfEach, scope: Scope) -> str:
    selected, grouped = _SELECTED[costs.of]
    rows = from_rows(REQUEST_RESPONSE, compile_filter(costs.counted(), scope), scope)
    return f"FROM (SELECT {selected} {rows}{grouped})"
