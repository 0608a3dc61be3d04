-- One row per finished request: who sent it, what it used, what it cost. Everything shown or summed is read from here.
--
-- Why it is like this:
--
-- The sort key is the identity: organization, creation timestamp, request id. The proxy fixes all three once and no rule
-- can change them, so an event delivered again replaces its own row and adds nothing. Model, provider, user and cost
-- are outside the key: a correction may change them, and a row whose key changed would never be replaced.
-- The version comes from the event, never from now(): an old event delivered late must not beat a correction.
-- Inserts need no deduplication token for the same reason: sums are read with FINAL, and FINAL sees each request once.
--
-- Money is Decimal(18, 12) US dollars: a price per million tokens with six decimals is exact per token, and sums widen
-- to Decimal(38, 12). cost_usd is NULL exactly when the cost is unknown, and cost_state says why; NULL is not zero.
--
-- properties has lower case keys, so that matching ignores case; property_spellings keeps the client's spelling.
-- property_pairs is what the index can prune by: filters on keys and on values apart do not know which belong together.
-- A request that came from no cache has the nil UUID as its cache reference: one byte of null map a row is saved.
--
-- all_tokens is what the coverage of a sum is weighed by: the share of tokens that have a known cost. From the twelve
-- token columns that share would take longer to compute than the sum; from one it takes next to nothing. It is computed
-- from the row itself, so nobody writes it and it cannot disagree.
--
-- The columns that most queries read are compressed with LZ4, which decompresses several times faster than ZSTD: of a
-- sum over a year by one property, ZSTD was a third. LZ4 takes a tenth more space in all.
--
-- key_id is the key that sent or logged the request: a key that may write can log any id and timestamp, so only the same
-- key may log the call again, and only for a day from first_logged_us, which is 0 for what passed the proxy: that no log
-- replaces. replaced is what stood here before, since nothing that was charged changes silently. Versions of logs lie
-- below those of requests that passed the proxy, so that the latter win whichever comes first. Logs are compared with each
-- other by logged_us, since repricing lifts the version of a row above those of logs recorded before it.
--
-- The worker moves on in the event log once an insert has returned, so an insert must be on disk by then: fsync.
-- A month that has been quiet for an hour is merged into one part, where FINAL costs nothing.
CREATE TABLE IF NOT EXISTS request_response_rmt
(
    organization_id                LowCardinality(String),
    request_created_at             DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    request_id                     UUID,
    version                        UInt64 CODEC(Delta, ZSTD(1)),
    response_created_at            DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    provider                       LowCardinality(String),
    model                          LowCardinality(String),
    request_model                  LowCardinality(String),
    target_url                     String CODEC(ZSTD(1)),
    status                         Int16,
    outcome                        Enum8('completed' = 1, 'provider_error' = 2, 'client_disconnected' = 3, 'upstream_error' = 4,
                                         'timed_out' = 5, 'refused' = 6, 'cached' = 7),
    is_stream                      Bool,
    latency_ms                     UInt32 CODEC(T64, ZSTD(1)),
    time_to_first_token_ms         Nullable(UInt32) CODEC(T64, ZSTD(1)),
    user_id                        String CODEC(LZ4),
    session_id                     String CODEC(ZSTD(1)),
    session_name                   LowCardinality(String),
    session_path                   String CODEC(ZSTD(1)),
    prompt_id                      LowCardinality(String),
    properties                     Map(LowCardinality(String), String) CODEC(LZ4),
    property_spellings             Array(LowCardinality(String)) CODEC(ZSTD(1)),
    prompt_tokens                  UInt32 CODEC(T64, ZSTD(1)),
    prompt_cache_read_tokens       UInt32 CODEC(T64, ZSTD(1)),
    prompt_cache_read_audio_tokens UInt32 CODEC(T64, ZSTD(1)),
    prompt_cache_write_5m_tokens   UInt32 CODEC(T64, ZSTD(1)),
    prompt_cache_write_1h_tokens   UInt32 CODEC(T64, ZSTD(1)),
    prompt_audio_tokens            UInt32 CODEC(T64, ZSTD(1)),
    prompt_image_tokens            UInt32 CODEC(T64, ZSTD(1)),
    prompt_audio_seconds           UInt32 CODEC(T64, ZSTD(1)),
    completion_tokens              UInt32 CODEC(T64, ZSTD(1)),
    reasoning_tokens               UInt32 CODEC(T64, ZSTD(1)),
    completion_audio_tokens        UInt32 CODEC(T64, ZSTD(1)),
    completion_image_tokens        UInt32 CODEC(T64, ZSTD(1)),
    citation_tokens                UInt32 CODEC(T64, ZSTD(1)),
    web_searches                   UInt32 CODEC(T64, ZSTD(1)),
    file_searches                  UInt32 CODEC(T64, ZSTD(1)),
    usage_source                   Enum8('none' = 1, 'provider' = 2, 'drained' = 3, 'estimated' = 4),
    usage_mismatch                 Bool,
    usage_incomplete               Bool,
    provider_usage                 String CODEC(ZSTD(3)),
    service_tier                   LowCardinality(String),
    cost_usd                       Nullable(Decimal(18, 12)) CODEC(LZ4),
    cost_state                     Enum8('priced' = 1, 'free' = 2, 'unknown_model' = 3, 'no_usage' = 4, 'partial' = 5,
                                         'truncated' = 6),
    price_id                       LowCardinality(String),
    provider_cost_usd              Nullable(Decimal(18, 12)) CODEC(ZSTD(1)),
    reprice_id                     LowCardinality(String),
    original_cost_usd              Nullable(Decimal(18, 12)) CODEC(ZSTD(1)),
    cache_enabled                  Bool,
    cache_reference_id             UUID CODEC(ZSTD(1)),
    cache_saved_usd                Nullable(Decimal(18, 12)) CODEC(ZSTD(1)),
    request_bytes                  UInt64 CODEC(T64, ZSTD(1)),
    response_bytes                 UInt64 CODEC(T64, ZSTD(1)),
    key_id                         LowCardinality(String),
    first_logged_us                UInt64 CODEC(T64, LZ4),
    logged_us                      UInt64 CODEC(T64, LZ4),
    replaced                       String CODEC(ZSTD(3)),
    is_deleted                     UInt8 DEFAULT 0,
    property_pairs                 Array(UInt64) MATERIALIZED arrayMap((name, value) -> cityHash64(name, value), mapKeys(properties), mapValues(properties)),
    all_tokens                     UInt64 MATERIALIZED prompt_tokens + prompt_cache_read_tokens + prompt_cache_read_audio_tokens
        + prompt_cache_write_5m_tokens + prompt_cache_write_1h_tokens + prompt_audio_tokens + prompt_image_tokens
        + completion_tokens + reasoning_tokens + completion_audio_tokens + completion_image_tokens + citation_tokens
        CODEC(T64, LZ4),

    INDEX by_request_id request_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_user_id user_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_session_id session_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_property_pair property_pairs TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_property_name mapKeys(properties) TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(request_created_at)
ORDER BY (organization_id, request_created_at, request_id)
SETTINGS fsync_after_insert = 1,
         fsync_part_directory = 1,
         min_age_to_force_merge_seconds = 3600,
         min_age_to_force_merge_on_partition_only = 1;
