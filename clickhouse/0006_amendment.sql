-- What was set on requests after they finished: properties, scores and feedback. Rows are derived from it.
--
-- Why it is like this:
--
-- A row has several writers: its request's event, logs of the same call, re-pricings, and amendments, which none of them
-- knows. So an amendment is kept here first, and never changes. Then the row is copied inside the warehouse with all
-- amendments that are here, under a version that counts them. Whoever writes a row derives it afterwards in the same way:
-- of two who do so at the same time, the one who saw more wins, whichever is written last.
-- For that the amendments of a request may only become more. So the key holds the amendment's own id: one that is
-- delivered again replaces itself, and one that sets the same name later is kept beside the first. Delete them together
-- with the rows of their requests and not before.
-- The key orders ids as text does, not as the engine orders UUIDs: those that Farebox draws begin with the time, and what
-- is looked up for new requests then lies together, at the end.
-- request_created_at says which request of an id that was used again; the beginning of 1970 stands for each of them, also
-- for one that has not come yet.
CREATE TABLE IF NOT EXISTS amendment
(
    organization_id    LowCardinality(String),
    request_id         UUID,
    amended_us         UInt64 CODEC(Delta, ZSTD(1)),
    amendment_id       UUID,
    request_created_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    key_id             LowCardinality(String),
    properties         Map(String, String) CODEC(ZSTD(1)),
    spellings          Map(String, String) CODEC(ZSTD(1)),
    scores             Map(String, Int64) CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (organization_id, UUIDToNum(request_id), amended_us, amendment_id)
SETTINGS index_granularity = 1024, fsync_after_insert = 1, fsync_part_directory = 1;
