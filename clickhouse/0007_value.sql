-- What users, customers and features earned, as clients give it: amounts, whom and what they are for, and when.
--
-- Why it is like this:
--
-- Nothing is overwritten. A correction is a new version under the same id and a deletion is one too, each with its source,
-- its time and the key that gave it, so that finance can see what stood here before. The version is the time in unix
-- microseconds; the newest one of an id counts. Writing the same version again changes nothing.
-- user_id and properties are those of requests, with names in lower case and the same index expression: a filter on them
-- reads the same for both tables.
-- An amount belongs to a period, of a millisecond or of years, and is spread over it evenly when it is read.
-- There are few rows beside requests, and all of an organization's are read at once: no partitions and no indexes.
CREATE TABLE IF NOT EXISTS value
(
    organization_id LowCardinality(String),
    value_id        String CODEC(ZSTD(1)),
    version         UInt64 CODEC(ZSTD(1)),
    is_deleted      Bool,
    starts_at       DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    ends_at         DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    user_id         String CODEC(ZSTD(1)),
    properties      Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    value_usd       Decimal(38, 12) CODEC(ZSTD(1)),
    source          LowCardinality(String),
    key_id          LowCardinality(String),
    property_pairs  Array(UInt64) MATERIALIZED arrayMap((name, value) -> cityHash64(name, value), mapKeys(properties), mapValues(properties))
)
ENGINE = ReplacingMergeTree
ORDER BY (organization_id, value_id, version)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
