"""What one query may take of the warehouse."""

import msgspec


class QueryLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Beyond any of them a query is refused, and what it has found is thrown away: part of a sum would be no sum."""

    time_s: float = 30
    read_rows: int = 1_000_000_000
    memory_bytes: int = 2 * 2**30
    result_rows: int = 1_000_000
