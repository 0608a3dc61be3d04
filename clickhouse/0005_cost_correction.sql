-- What a re-pricing changed: one row per corrected request, with its cost before and after.
--
-- Why it is like this:
--
-- History never changes silently. A correction is kept here before the row is written anew, so whatever happens in
-- between, each run can be looked at, and undone: the prior values go back, under a version that is newer still.
-- A correction names the version of the row that it was decided on. Rows are written by copying that version inside the
-- warehouse and replacing the money, so nothing else of a row passes through a process, or changes.
-- The key is the run and the request, so a run that repeats a chunk after a break replaces its own rows.
CREATE TABLE IF NOT EXISTS cost_correction
(
    organization_id         LowCardinality(String),
    reprice_id              LowCardinality(String),
    request_created_at      DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    request_id              UUID,
    row_version             UInt64 CODEC(Delta, ZSTD(1)),
    version                 UInt64 CODEC(Delta, ZSTD(1)),
    cost_usd                Nullable(Decimal(18, 12)) CODEC(ZSTD(1)),
    cost_state              Enum8('priced' = 1, 'free' = 2, 'unknown_model' = 3, 'no_usage' = 4, 'partial' = 5, 'truncated' = 6),
    price_id                LowCardinality(String),
    other_models            String CODEC(ZSTD(3)),
    original_cost_usd       Nullable(Decimal(18, 12)) CODEC(ZSTD(1)),
    prior_cost_usd          Nullable(Decimal(18, 12)) CODEC(ZSTD(1)),
    prior_cost_state        Enum8('priced' = 1, 'free' = 2, 'unknown_model' = 3, 'no_usage' = 4, 'partial' = 5, 'truncated' = 6),
    prior_price_id          LowCardinality(String),
    prior_other_models      String CODEC(ZSTD(3)),
    prior_original_cost_usd Nullable(Decimal(18, 12)) CODEC(ZSTD(1)),
    prior_reprice_id        LowCardinality(String)
)
ENGINE = ReplacingMergeTree
ORDER BY (organization_id, reprice_id, request_created_at, request_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
