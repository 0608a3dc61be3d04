-- How each property of an organization is spelled, and by how many requests: the most used spelling is the one shown.
--
-- Why it is like this:
--
-- Clients spell a property as they like and match it in any case. Some HTTP libraries send names in lower case, so a
-- spelling with capitals is somebody's own and goes before one without; among those the most used counts, and of
-- equally used ones the first.
-- Requests are counted as a set of identities, whose size does not depend on how often or in what order they came, and
-- the first use is a minimum: so replays and re-pricings change neither. Above some thousands the count is approximate.
-- This is the one kind of view that may be filled on insert; sums may not.
-- Read it with GROUP BY, since parts may not be merged yet.
CREATE TABLE IF NOT EXISTS property_spelling
(
    organization_id LowCardinality(String),
    property_key    String,
    spelling        String,
    first_use       SimpleAggregateFunction(min, Tuple(used_at DateTime64(3, 'UTC'), request_id UUID)),
    requests        AggregateFunction(uniqCombined(12), DateTime64(3, 'UTC'), UUID)
)
ENGINE = AggregatingMergeTree
ORDER BY (organization_id, property_key, spelling)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS property_spelling_used TO property_spelling AS
SELECT
    organization_id,
    lowerUTF8(used) AS property_key,
    toString(used) AS spelling,
    min(tuple(request_created_at, request_id)) AS first_use,
    uniqCombinedState(12)(request_created_at, request_id) AS requests
FROM request_response_rmt
ARRAY JOIN property_spellings AS used
WHERE is_deleted = 0
GROUP BY organization_id, property_key, spelling;
