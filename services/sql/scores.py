"""The statement of scores in time. A request counts once for each score that it has, so this is no report."""

from schemas.statement import Statement
from schemas.tables import REQUEST_RESPONSE
from services.sql.compile import compile_dimension
from services.sql.filters import compile_filter
from services.sql.nodes import ByTime, Filter
from services.sql.scope import Scope, from_rows


def compile_scores_in_time(organization_id: str, where: Filter, in_time: ByTime, limit: int) -> Statement:
    """By bucket `d0` and name `d1` of a score, in this order: its average `m0`, of `m1` requests."""
    scope = Scope(organization_id, where)
    rows = from_rows(REQUEST_RESPONSE, f"notEmpty(scores) AND {compile_filter(where, scope)}", scope)
    pairs = "arrayJoin(arrayZip(mapKeys(scores), mapValues(scores))) AS score"
    scored = f"SELECT {compile_dimension(in_time, scope)} AS d0, {pairs} {rows}"
    grouped = f"FROM ({scored}) GROUP BY d0, d1 ORDER BY d0, d1 LIMIT {scope.bind(limit, 'UInt64')}"
    return scope.statement(f"SELECT d0, toString(score.1) AS d1, avg(score.2) AS m0, count() AS m1 {grouped}")
