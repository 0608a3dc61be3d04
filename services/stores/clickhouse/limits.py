"""Limits of one query as the engine's settings, and what its errors say of them."""

import re
from collections.abc import Mapping
from typing import Final

from clickhouse_connect.driver.exceptions import Error

from schemas.errors import QueryLimitExceeded
from schemas.query_limits import QueryLimits

# A query may also meet the limit of all queries together, which is no fault of its own.
_OF_ONE_QUERY: Final = re.compile(r"query memory limit exceeded|\(for query\)", re.IGNORECASE)
_NARROWER: Final = "choose a shorter period, or filter by an id, a user, a session or a property"
_SMALLER: Final = "choose a shorter period, fewer dimensions, or a lower limit"


def limit_settings(limits: QueryLimits) -> Mapping[str, object]:
    return {
        "max_execution_time": limits.time_s,
        "timeout_overflow_mode": "throw",
        "max_rows_to_read": limits.read_rows,
        "read_overflow_mode": "throw",
        "max_memory_usage": limits.memory_bytes,
        "max_result_rows": limits.result_rows,
        "result_overflow_mode": "throw",
    }


def exceeded_limit(error: Error, limits: QueryLimits) -> QueryLimitExceeded | None:
    """Which of `limits` the engine stopped the query for, and how to stay within it; None where it was for none."""
    match error.name:
        case "TIMEOUT_EXCEEDED" | "TOO_SLOW":
            return _exceeded(f"takes longer than {limits.time_s:g} s", "TIMEOUT_S", _NARROWER)
        case "TOO_MANY_ROWS":
            return _exceeded(f"reads more than {limits.read_rows:,} rows", "MAX_READ_ROWS", _NARROWER)
        case "TOO_MANY_ROWS_OR_BYTES":
            return _exceeded(f"finds more than {limits.result_rows:,} rows", "MAX_RESULT_ROWS", _SMALLER)
        case "MEMORY_LIMIT_EXCEEDED" if _OF_ONE_QUERY.search(str(error)):
            return _exceeded(f"needs more than {limits.memory_bytes:,} bytes of memory", "MAX_MEMORY_BYTES", _SMALLER)
        case _:
            return None


def _exceeded(what: str, setting: str, advice: str) -> QueryLimitExceeded:
    return QueryLimitExceeded(f"the query {what}, which is its limit (FAREBOX_QUERY_{setting}): {advice}")
