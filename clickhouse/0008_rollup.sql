-- Sums by hour, day and week of what dashboards ask for, so that a year of them is read from thousands of rows.
--
-- Why it is like this:
--
-- Nothing is ever added up on insert: a request that is delivered again, corrected, amended or charged again would count
-- twice or not at all. A bucket, one hour, day or week of an organization, is computed anew from the rows as FINAL shows them.
-- All groups of a bucket are one row, in arrays. So a newer version replaces all of them at once, and a group whose last
-- request has moved to another one is gone with it: with a row for each group its old sum would stay.
--
-- complete_until_us says which writes are in a bucket: all that began before. A bucket counts only while no row of it was
-- written since, which its rows say themselves (inserted_us in 0001): whatever crashes, an old sum is never shown. A
-- statement that writes rows may take a while until they can be seen, so a bucket is complete until some minutes before
-- it was computed. Where it is not, the rows are read instead.
--
-- A bucket of very many groups would be no faster to read than its rows: then groups are empty and is_whole is false,
-- which is in the key, so that it is not computed again and again, and takes nothing away that is being read.
--
-- Each grain has groups by other columns, and those it does not group by are empty.
CREATE TABLE IF NOT EXISTS rollup
(
    organization_id   LowCardinality(String),
    grain             Enum8('model' = 1, 'user' = 2, 'feature' = 3),
    starts_at         DateTime('UTC'),
    is_whole          Bool,
    complete_until_us UInt64,
    groups            Nested
    (
        provider                       LowCardinality(String),
        model                          LowCardinality(String),
        key_id                         LowCardinality(String),
        user_id                        String,
        properties                     Map(LowCardinality(String), String),
        attempts                       UInt64,
        requests                       UInt64,
        unpriced                       UInt64,
        priced                         UInt64,
        cost_usd                       Nullable(Decimal(38, 12)),
        all_tokens                     UInt64,
        priced_tokens                  UInt64,
        unpriced_without_tokens        UInt64,
        unreported                     UInt64,
        errors                         UInt64,
        hits                           UInt64,
        unpriced_hits                  UInt64,
        cache_requests                 UInt64,
        cache_saved_usd                Nullable(Decimal(38, 12)),
        latency_ms                     UInt64,
        first_request_at               DateTime64(3, 'UTC'),
        last_request_at                DateTime64(3, 'UTC'),
        prompt_tokens                  UInt64,
        prompt_cache_read_tokens       UInt64,
        prompt_cache_read_audio_tokens UInt64,
        prompt_cache_read_image_tokens UInt64,
        prompt_cache_write_5m_tokens   UInt64,
        prompt_cache_write_1h_tokens   UInt64,
        prompt_cache_write_12h_tokens  UInt64,
        prompt_audio_tokens            UInt64,
        prompt_image_tokens            UInt64,
        prompt_video_tokens            UInt64,
        prompt_audio_ms                UInt64,
        prompt_characters              UInt64,
        completion_tokens              UInt64,
        reasoning_tokens               UInt64,
        completion_audio_tokens        UInt64,
        completion_image_tokens        UInt64,
        completion_video_tokens        UInt64,
        citation_tokens                UInt64,
        web_searches                   UInt64,
        file_searches                  UInt64,
        document_pages                 UInt64,
        annotated_pages                UInt64
    )
)
ENGINE = ReplacingMergeTree(complete_until_us)
PARTITION BY toYear(starts_at)
ORDER BY (organization_id, grain, starts_at, is_whole)
SETTINGS index_granularity = 512,
         min_age_to_force_merge_seconds = 3600,
         min_age_to_force_merge_on_partition_only = 1;
