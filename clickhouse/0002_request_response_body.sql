-- The bodies of a request and its response, as text, under the identity of its row in request_response_rmt.
--
-- Why it is like this:
--
-- Bodies are a hundred times larger than what is known about a request, hold personal data, and are read one at a time.
-- Apart from the rows they never slow a sum, and they are deleted after 90 days while the cost is kept.
-- Partitions are weeks and are dropped whole, so deleting rewrites nothing.
-- Granules are small because one body is wanted at a time: 256 are decompressed to find it instead of 8192.
CREATE TABLE IF NOT EXISTS request_response_body
(
    organization_id    LowCardinality(String),
    request_created_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    request_id         UUID,
    version            UInt64 CODEC(Delta, ZSTD(1)),
    request_body       String CODEC(ZSTD(3)),
    response_body      String CODEC(ZSTD(3)),
    is_deleted         UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toMonday(request_created_at)
ORDER BY (organization_id, request_created_at, request_id)
TTL toDateTime(request_created_at) + INTERVAL 90 DAY
SETTINGS index_granularity = 256,
         ttl_only_drop_parts = 1,
         fsync_after_insert = 1,
         fsync_part_directory = 1;
