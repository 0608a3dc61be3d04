"""How long the responses had taken that the response cache served again."""

from schemas.statement import Statement
from schemas.tables import REQUEST_RESPONSE
from services.sql.filters import compile_filter
from services.sql.nodes import Filter
from services.sql.scope import Scope, from_rows

_CACHED = "'cached'"


def compile_time_saved(organization_id: str, hits: Filter) -> Statement:
    """`saved_ms`, the latencies of the requests that `hits` refer to, once for each hit; and how many `known_hits` have
    one. What a hit refers to may be older than the hits."""
    scope = Scope(organization_id, hits)
    rows = from_rows(REQUEST_RESPONSE, compile_filter(hits, scope), scope)
    references = f"SELECT cache_reference_id, count() AS hits {rows} GROUP BY cache_reference_id"
    key = ", ".join(REQUEST_RESPONSE.identity)
    ids = f"request_id IN (SELECT cache_reference_id {rows})"
    versions = f"({key}) IN (SELECT {key} {from_rows(REQUEST_RESPONSE, ids, scope, final=False)})"
    originals = (
        "SELECT request_id, argMax(latency_ms, request_created_at) AS latency_ms"
        f" {from_rows(REQUEST_RESPONSE, f'{versions} AND outcome != {_CACHED}', scope)} GROUP BY request_id"
    )
    joined = f"FROM ({references}) AS hit INNER JOIN ({originals}) AS original"
    return scope.statement(
        "SELECT sum(hit.hits * original.latency_ms) AS saved_ms, sum(hit.hits) AS known_hits"
        f" {joined} ON hit.cache_reference_id = original.request_id"
    )
