"""The rows of `tests.bench.query`, made in the engine: ours, and the same ones in the design of Helicone's table."""

from datetime import UTC, datetime, timedelta

from rich.progress import Progress

from schemas.statement import Bound, Statement
from services.stores.clickhouse.warehouse import ClickHouseWarehouse

END = datetime(2026, 11, 1, tzinfo=UTC)
DAYS = 365
ORGANIZATION = "org-0"
HELICONE = "helicone_request_response_rmt"
_BATCH = 500_000
_CLOSED = (202511, 202512, *range(202601, 202610))
_HOT_BATCH = 20_000  # the worker's own, in the hot month
_PATIENTLY = "SETTINGS max_execution_time = 0"  # a month of a hundred millions takes minutes
_JITTER_MS = 5000  # requests come at no even distance

# Four organizations of equal size; 10,000 users of whom the first sent most; a long tail of forty features; sessions of
# 2 to 80 requests, for two fifths of the requests; log-normal tokens and latencies.
_ROWS = """
INSERT INTO request_response_rmt
    (organization_id, request_created_at, request_id, version, response_created_at, provider, model, request_model,
     target_url, status, outcome, is_stream, latency_ms, time_to_first_token_ms, user_id, session_id, session_name,
     session_path, properties, property_spellings, prompt_tokens, prompt_cache_read_tokens, completion_tokens,
     usage_source, cost_usd, cost_state, price_id, cache_enabled, cache_reference_id, cache_saved_usd, request_bytes,
     response_bytes)
WITH
    cityHash64(number) AS h,
    cityHash64(number, 1) AS g,
    toUInt64(number * {step:Float64}) + h % {jitter_ms:UInt64} AS created_ms,
    {start:DateTime64(3, 'UTC')} + toIntervalMillisecond(created_ms) AS created_at,
    toUInt32(200 + 600 * exp(randNormal(0, 1, number) * 0.7)) AS latency,
    h % 50 = 0 AS unpriced,
    g % 20 = 0 AS from_cache,
    toUInt32(50 * exp(randNormal(3, 1, number + 1))) AS prompt,
    toUInt32(10 * exp(randNormal(3, 1, number + 2))) AS completion,
    toUInt64(10000 * pow((g % 1000003) / 1000003, 3)) AS user_number,
    toUInt64(40 * pow((h % 1000033) / 1000033, 4)) AS feature_number,
    intDiv(number, [5, 20, 60, 200][1 + intDiv(number, 1200) % 4]) AS session_number,
    ['Document Analysis', 'Chat', 'Research', 'Review'][1 + intDiv(number, 1200) % 4] AS session
SELECT
    concat('org-', toString(number % 4)),
    created_at,
    generateUUIDv4(number),
    toUnixTimestamp64Micro(toDateTime64(created_at, 6, 'UTC')),
    created_at + toIntervalMillisecond(latency),
    ['OPENAI', 'ANTHROPIC'][1 + (h % 7 >= 5)],
    arrayElement(['gpt-4o-mini', 'gpt-4o', 'gpt-4.1', 'o4-mini', 'text-embedding-3-small', 'claude-sonnet-4',
                  'claude-haiku-4'], 1 + h % 7) AS model_name,
    model_name,
    'https://api.openai.com/v1/chat/completions',
    if(h % 40 = 1, 500, 200),
    multiIf(from_cache, 'cached', h % 40 = 1, 'provider_error', 'completed'),
    g % 3 = 0,
    latency,
    if(g % 3 = 0, intDiv(latency, 4), NULL),
    concat('user-', toString(user_number)),
    if(g % 5 < 2, concat('session-', session, toString(session_number)), ''),
    if(g % 5 < 2, session, ''),
    if(g % 5 < 2, '/analyze', ''),
    map('feature', concat('feature-', toString(feature_number)),
        'environment', if(h % 8 = 0, 'development', 'production'),
        'usertier', if(user_number % 5 = 0, 'premium', 'free')),
    ['Feature', 'Environment', 'UserTier'],
    prompt,
    intDiv(prompt, 3),
    completion,
    'provider',
    if(unpriced, NULL, toDecimal64((prompt * 0.15 + completion * 0.6) / 1000000, 12)),
    if(unpriced, 'unknown_model', 'priced'),
    concat('price-', toString(h % 7)),
    from_cache,
    if(from_cache, generateUUIDv4(number + 1), toUUID('00000000-0000-0000-0000-000000000000')),
    if(from_cache, toDecimal64('0.001', 12), NULL),
    prompt * 4,
    completion * 4
FROM numbers({first:UInt64}, {count:UInt64})
"""

# What Helicone's questions read of its table, under its sort key, with its indexes: bodies are empty in both tables.
_HELICONE_TABLE = f"""
CREATE TABLE IF NOT EXISTS {HELICONE}
(
    organization_id          UUID,
    provider                 LowCardinality(String),
    model                    LowCardinality(String) CODEC(ZSTD(1)),
    user_id                  LowCardinality(String),
    request_created_at       DateTime64(3),
    request_id               UUID,
    latency                  Nullable(Int64),
    status                   Int64,
    prompt_tokens            Nullable(Int64),
    completion_tokens        Nullable(Int64),
    prompt_cache_read_tokens Int64,
    time_to_first_token      Nullable(Int64),
    cache_enabled            Bool,
    cache_reference_id       UUID,
    properties               Map(LowCardinality(String), String),
    cost                     UInt64,
    size_bytes               UInt32,
    updated_at               DateTime64(3, 'UTC'),
    INDEX by_name mapKeys(properties) TYPE bloom_filter,
    INDEX by_value mapValues(properties) TYPE bloom_filter,
    INDEX by_id request_id TYPE bloom_filter
)
ENGINE = ReplacingMergeTree(updated_at)
PARTITION BY toYYYYMM(request_created_at)
ORDER BY (organization_id, provider, model, user_id, request_created_at, request_id)
"""
_HELICONE_ROWS = f"""
INSERT INTO {HELICONE}
SELECT reinterpretAsUUID(MD5(organization_id)), provider, model, user_id, request_created_at, request_id, latency_ms,
    status, prompt_tokens, completion_tokens, prompt_cache_read_tokens, time_to_first_token_ms, cache_enabled,
    cache_reference_id,
    if(session_id = '', properties, mapUpdate(properties, map('helicone-session-id', session_id))),
    toUInt64(ifNull(toFloat64(cost_usd), 0) * 1e9), request_bytes + response_bytes, request_created_at
FROM request_response_rmt WHERE toYYYYMM(request_created_at) = {{month:UInt32}} {_PATIENTLY}
"""


async def fill(warehouse: ClickHouseWarehouse, rows: int) -> None:
    """Makes the rows in order of time, and merges every month but the last, as the table's settings do in time.

    Of rows that are there already, made with the same `rows`, only the missing ones are made.
    """
    (stored,) = await warehouse.query(Statement(sql="SELECT count() AS rows FROM request_response_rmt", parameters={}))
    first = int(stored["rows"])
    start = END - timedelta(days=DAYS)
    hot = rows - rows // 50  # from here on in the worker's batches
    with Progress() as progress:
        made = progress.add_task("rows made", total=rows, completed=first)
        while first < rows:
            count = min(_BATCH, hot - first) if first < hot else min(_HOT_BATCH, rows - first)
            step = (DAYS * 86_400_000 - _JITTER_MS) / rows
            parameters: dict[str, Bound] = {
                "start": start,
                "step": step,
                "jitter_ms": _JITTER_MS,
                "first": first,
                "count": count,
            }
            await warehouse.execute(Statement(sql=_ROWS, parameters=parameters))
            first += count
            progress.update(made, completed=first)
        await _merge(warehouse, "request_response_rmt", progress)


async def fill_helicone(warehouse: ClickHouseWarehouse) -> None:
    """The same rows in Helicone's table."""
    await warehouse.execute(Statement(sql=_HELICONE_TABLE, parameters={}))
    with Progress() as progress:
        for month in progress.track((*_CLOSED, 202610), description="months copied"):
            await warehouse.execute(Statement(sql=_HELICONE_ROWS, parameters={"month": month}))
        await _merge(warehouse, HELICONE, progress)


async def _merge(warehouse: ClickHouseWarehouse, table: str, progress: Progress) -> None:
    for month in progress.track(_CLOSED, description="months merged"):
        merge = f"OPTIMIZE TABLE {table} PARTITION {month} FINAL {_PATIENTLY}, optimize_skip_merged_partitions = 1"
        await warehouse.execute(Statement(sql=merge, parameters={}))
