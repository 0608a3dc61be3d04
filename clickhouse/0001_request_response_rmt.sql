-- One row per finished request: who sent it, what it used, what it cost. Everything shown or summed is read from here.
--
-- Why it is like this:
--
-- The sort key is the identity: organization, creation timestamp, request id. The proxy fixes all three once and no rule
-- can change them, so an event delivered again replaces its own row and adds nothing. Model, provider, user and cost
-- are outside the key: a correction may change them, and a row whose key changed would never be replaced.
-- The version comes from the event, never from now(): an old event delivered late must not beat a correction. Its last
-- bits count the amendments in the row, so that a row with more of them beats the same one with fewer.
-- Inserts need no deduplication token for the same reason: sums are read with FINAL, and FINAL sees each request once.
--
-- Money is Decimal(18, 12) US dollars: a price per million tokens with six decimals is exact per token, and sums widen
-- to Decimal(38, 12). cost_usd is NULL exactly when the cost is unknown, and cost_state says why; NULL is not zero.
--
-- Where a response carries the provider's own bill, cost_usd is that bill, price_id begins with bill/, and what our prices
-- make of it stands in calculated_cost_usd. Everywhere else cost_usd is what we calculate, and the column is NULL.
--
-- A model may have another one work for it: an advisor, or one that draws. The classes and the cost are those of all of
-- them, so that every total is whole, and price_id is that of model. What the others used of it, at which price and for
-- how much, is in other_models as JSON: the rest is the model's own. It is empty but for one request in thousands, and
-- read for receipts and re-pricing only.
--
-- properties has lower case keys, so that matching ignores case; property_spellings keeps the client's spelling.
-- property_pairs is what the index can prune by: filters on keys and on values apart do not know which belong together.
-- A request that came from no cache has the nil UUID as its cache reference: one byte of null map a row is saved.
--
-- An attempt that another one followed and that may have been billed is a row of its own, which names the client's request
-- in attempt_of; a client's request has the nil UUID there. So requests are the rows with is_call, attempts are all rows,
-- and what they cost together is a plain sum. is_call is computed from the row, as it is read by every count.
--
-- all_tokens is what the coverage of a sum is weighed by: the share of tokens that have a known cost. From the sixteen
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
-- What is known of a request only while it passes: provider_key_hash and request_fingerprint are keyed hashes, 16 hex
-- digits that ZSTD packs into nine bytes. The ids have indexes, since they are looked up one by one.
--
-- scores, feedback_us and amended_us, the times of the last rating and of the last amendment, come from amendments only
-- (0006_amendment.sql), so no event writes them. Properties may come from both.
--
-- inserted_us is when the statement that wrote the row began, by the warehouse's own clock; nobody writes it, and it says
-- nothing about a request. touched_hours keeps the latest of each hour within the part itself, so that which hours have
-- changed is on disk exactly when the rows are, whoever wrote them and whatever crashed (0008_rollup.sql).
--
-- A page of requests that lie far apart, as those of one user, reads seventy columns of a granule for each row. So granules
-- are of 1024 rows, and a compressed block is as small as one granule of a column: that reads a third of what granules of
-- 8192 do, sums over years take no longer, and the table is 7% larger. Smaller ones gain little more. A projection by user
-- would halve it again, at twice the disk, and not for pages of one model or property.
--
-- The worker moves on in the event log once an insert has returned, so an insert must be on disk by then: fsync.
-- A month that has been quiet for an hour is merged into one part, where FINAL costs nothing.
CREATE TABLE IF NOT EXISTS request_response_rmt
(
    organization_id                LowCardinality(String),
    request_created_at             DateTime64(3, 'UTC') CODEC(Delta, LZ4),
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
    prompt_cache_read_image_tokens UInt32 CODEC(T64, ZSTD(1)),
    prompt_cache_write_5m_tokens   UInt32 CODEC(T64, ZSTD(1)),
    prompt_cache_write_1h_tokens   UInt32 CODEC(T64, ZSTD(1)),
    prompt_cache_write_12h_tokens  UInt32 CODEC(T64, ZSTD(1)),
    prompt_audio_tokens            UInt32 CODEC(T64, ZSTD(1)),
    prompt_image_tokens            UInt32 CODEC(T64, ZSTD(1)),
    prompt_video_tokens            UInt32 CODEC(T64, ZSTD(1)),
    prompt_audio_ms                UInt32 CODEC(T64, ZSTD(1)),
    prompt_characters              UInt32 CODEC(T64, ZSTD(1)),
    completion_tokens              UInt32 CODEC(T64, ZSTD(1)),
    reasoning_tokens               UInt32 CODEC(T64, ZSTD(1)),
    completion_audio_tokens        UInt32 CODEC(T64, ZSTD(1)),
    completion_image_tokens        UInt32 CODEC(T64, ZSTD(1)),
    completion_video_tokens        UInt32 CODEC(T64, ZSTD(1)),
    citation_tokens                UInt32 CODEC(T64, ZSTD(1)),
    web_searches                   UInt32 CODEC(T64, ZSTD(1)),
    file_searches                  UInt32 CODEC(T64, ZSTD(1)),
    document_pages                 UInt32 CODEC(T64, ZSTD(1)),
    annotated_pages                UInt32 CODEC(T64, ZSTD(1)),
    usage_source                   Enum8('none' = 1, 'provider' = 2, 'drained' = 3, 'estimated' = 4, 'request' = 5),
    usage_mismatch                 Bool,
    usage_incomplete               Bool,
    provider_usage                 String CODEC(ZSTD(3)),
    service_tier                   LowCardinality(String),
    cost_usd                       Nullable(Decimal(18, 12)) CODEC(LZ4),
    cost_state                     Enum8('priced' = 1, 'free' = 2, 'unknown_model' = 3, 'no_usage' = 4, 'partial' = 5,
                                         'truncated' = 6),
    price_id                       LowCardinality(String),
    provider_cost_usd              Nullable(Decimal(18, 12)) CODEC(ZSTD(1)),
    calculated_cost_usd            Nullable(Decimal(18, 12)) CODEC(ZSTD(1)),
    calculated_price_id            LowCardinality(String),
    other_models                   String CODEC(ZSTD(3)),
    reprice_id                     LowCardinality(String),
    original_cost_usd              Nullable(Decimal(18, 12)) CODEC(ZSTD(1)),
    cache_enabled                  Bool,
    cache_reference_id             UUID CODEC(ZSTD(1)),
    cache_saved_usd                Nullable(Decimal(18, 12)) CODEC(ZSTD(1)),
    budget_reserved_usd            Nullable(Decimal(18, 12)) CODEC(ZSTD(1)),
    attempt_of                     UUID CODEC(ZSTD(1)),
    request_bytes                  UInt64 CODEC(T64, ZSTD(1)),
    response_bytes                 UInt64 CODEC(T64, ZSTD(1)),
    key_id                         LowCardinality(String),
    provider_key_hash              LowCardinality(String),
    provider_organization          LowCardinality(String),
    provider_project               LowCardinality(String),
    provider_request_id            String CODEC(ZSTD(1)),
    provider_response_id           String CODEC(ZSTD(1)),
    request_fingerprint            String CODEC(ZSTD(1)),
    response_model                 LowCardinality(String),
    proxy_id                       LowCardinality(String),
    first_logged_us                UInt64 CODEC(T64, LZ4),
    logged_us                      UInt64 CODEC(T64, LZ4),
    replaced                       String CODEC(ZSTD(3)),
    scores                         Map(LowCardinality(String), Int64) CODEC(LZ4),
    feedback_us                    UInt64 CODEC(T64, LZ4),
    amended_us                     UInt64 CODEC(T64, LZ4),
    is_deleted                     UInt8 DEFAULT 0,
    property_pairs                 Array(UInt64) MATERIALIZED arrayMap((name, value) -> cityHash64(name, value), mapKeys(properties), mapValues(properties)),
    all_tokens                     UInt64 MATERIALIZED prompt_tokens + prompt_cache_read_tokens + prompt_cache_read_audio_tokens
        + prompt_cache_read_image_tokens + prompt_cache_write_5m_tokens + prompt_cache_write_1h_tokens
        + prompt_cache_write_12h_tokens + prompt_audio_tokens + prompt_image_tokens + prompt_video_tokens
        + completion_tokens + reasoning_tokens + completion_audio_tokens + completion_image_tokens
        + completion_video_tokens + citation_tokens
        CODEC(T64, LZ4),
    is_call                        UInt8 MATERIALIZED attempt_of = toUUID('00000000-0000-0000-0000-000000000000') CODEC(LZ4),
    inserted_us                    UInt64 MATERIALIZED toUnixTimestamp64Micro(now64(6)) CODEC(Delta, ZSTD(1)),

    INDEX by_request_id request_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_user_id user_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_session_id session_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_provider_request_id provider_request_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_provider_response_id provider_response_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_attempt_of attempt_of TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_request_fingerprint request_fingerprint TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_property_pair property_pairs TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_property_name mapKeys(properties) TYPE bloom_filter(0.01) GRANULARITY 1,
    PROJECTION touched_hours
    (
        SELECT organization_id, toStartOfHour(request_created_at), max(inserted_us), count()
        GROUP BY organization_id, toStartOfHour(request_created_at)
    )
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(request_created_at)
ORDER BY (organization_id, request_created_at, request_id)
SETTINGS index_granularity = 1024,
         min_compress_block_size = 4096,
         fsync_after_insert = 1,
         fsync_part_directory = 1,
         min_age_to_force_merge_seconds = 3600,
         min_age_to_force_merge_on_partition_only = 1,
         deduplicate_merge_projection_mode = 'rebuild';
