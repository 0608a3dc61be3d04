"""Statements that compute buckets anew: which are not complete, and the groups of some of them.

They are the only ones about rows of several organizations: nobody sees what they find.
"""

from collections.abc import Sequence
from typing import Final

from schemas.statement import Statement
from schemas.tables import REQUEST_RESPONSE, ROLLUP
from services.sql.nodes import Everything
from services.sql.rollup.grains import FACTS, MAX_GROUPS, Grain
from services.sql.scope import Scope, from_rows

# Read from the projection `touched_hours`, which has the same expressions.
_HOUR: Final = "toStartOfHour(request_created_at)"
TOUCHED: Final = f"{_HOUR} AS hour, max(inserted_us) AS touched_us, count() AS stored"
# Later ones have no bucket: a time in seconds has 32 bits.
_LATEST: Final = "toDateTime64('2100-01-01 00:00:00', 3, 'UTC')"


def compile_outdated(grain: Grain, quiet_us: int, limit: int) -> Statement:
    """The first buckets with rows that were written since they were computed: `organization_id`, `bucket`, `stored`.

    `bucket` is in unix seconds, `stored` the number of rows in it. Those touched in the last `quiet_us` are left out:
    they will probably be touched again.
    """
    rows = f"FROM {REQUEST_RESPONSE.name} GROUP BY organization_id, {_HOUR}"
    hours = f"FROM (SELECT organization_id, {TOUCHED} {rows}) GROUP BY organization_id, starts_at"
    latest = "max(touched_us) AS latest_us, sum(stored) AS rows_stored"
    kept = f"FROM {ROLLUP.name} WHERE grain = '{grain.name}' GROUP BY organization_id, starts_at"
    joined = (
        f"FROM (SELECT organization_id, {grain.unit.start_of('hour')} AS starts_at, {latest} {hours}) AS t"
        f" LEFT JOIN (SELECT organization_id, starts_at, max(complete_until_us) AS until_us {kept}) AS c"
        " USING (organization_id, starts_at)"
    )
    sql = (
        f"SELECT organization_id, toUnixTimestamp(starts_at) AS bucket, rows_stored AS stored {joined}"
        " WHERE latest_us >= until_us AND latest_us < toUnixTimestamp64Micro(now64(6)) - {quiet_us:Int64}"
        " ORDER BY organization_id, bucket LIMIT {limit:UInt64}"
    )
    return Statement(sql=sql, parameters={"quiet_us": quiet_us, "limit": limit})


def compile_computed(grain: Grain, organization_id: str, buckets: Sequence[int], settle_us: int) -> Statement:
    """Writes `buckets`, in unix seconds: complete but for what began to be written in the last `settle_us`."""
    scope = Scope(organization_id, Everything())
    listed = scope.bind(tuple(buckets), "Array(UInt32)")
    starts_at = grain.unit.start_of("request_created_at")
    first, end = (
        f"toDateTime64({scope.bind(second, 'UInt32')}, 3, 'UTC')"
        for second in (min(buckets), max(buckets) + int(grain.unit.length.total_seconds()))
    )
    wanted = grain.unit.is_in("request_created_at", listed)
    within = f"request_created_at >= {first} AND request_created_at < {end} AND {wanted}"
    folds = [f"{fact.folded_by}({fact.of_row}) AS f_{fact.name}" for fact in FACTS.values()]
    keys = ", ".join(grain.columns)
    rows = from_rows(REQUEST_RESPONSE, f"{within} AND request_created_at < {_LATEST}", scope)
    summed = f"SELECT {starts_at} AS bucket, {keys}, {', '.join(folds)} {rows} GROUP BY bucket, {keys}"
    groups = f"FROM ({summed}) GROUP BY bucket"
    names = [*grain.columns, *(f"f_{name}" for name in FACTS)]
    # As tuples: an array of what has no value everywhere would be shorter than those beside it.
    grouped = f"if(found > {MAX_GROUPS}, [], groupArray(({', '.join(names)})))"
    found = f"SELECT bucket, count() AS found, {grouped} AS all_groups {groups}"
    until_us = f"toUnixTimestamp64Micro(now64(6)) - {scope.bind(settle_us, 'Int64')}"
    columns = [
        *("organization_id", "grain", "starts_at", "is_whole", "complete_until_us"),
        *(f"groups.{name}" for name in (*grain.columns, *FACTS)),
    ]
    values = [
        *(scope.tenant, f"'{grain.name}'", "w.bucket", f"found <= {MAX_GROUPS}", until_us),
        *(f"all_groups.{position}" for position in range(1, len(names) + 1)),
    ]
    # A bucket whose last request was deleted has no groups, and is complete all the same.
    every = f"SELECT toDateTime(arrayJoin({listed}), 'UTC') AS bucket"
    joined = f"FROM ({every}) AS w LEFT JOIN ({found}) AS g USING (bucket)"
    return scope.statement(f"INSERT INTO {ROLLUP.name} ({', '.join(columns)}) SELECT {', '.join(values)} {joined}")
