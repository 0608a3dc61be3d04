-- Which properties an organization uses, and how each was spelled when it was first used.
--
-- Why it is like this:
--
-- Clients spell a property as they like and match it in any case; answers show one spelling, that of the first use.
-- "First" is by the request's creation timestamp, then by request id, then by the spelling itself: a minimum. The minimum
-- of a set does not depend on the order in which it was seen, nor on how often, so replays and late events change
-- nothing that they should not. This is the one kind of view that may be filled on insert; sums may not.
--
-- Read it with GROUP BY, since parts may not be merged yet:
--   SELECT property_key, tupleElement(min(first_use), 'spelling') AS spelling
--   FROM organization_property WHERE organization_id = {organization:String} GROUP BY property_key
CREATE TABLE IF NOT EXISTS organization_property
(
    organization_id LowCardinality(String),
    property_key    String,
    first_use       SimpleAggregateFunction(min, Tuple(used_at DateTime64(3, 'UTC'), request_id UUID, spelling String))
)
ENGINE = AggregatingMergeTree
ORDER BY (organization_id, property_key)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS organization_property_first_use TO organization_property AS
SELECT
    organization_id,
    lowerUTF8(spelling) AS property_key,
    min(tuple(request_created_at, request_id, toString(spelling))) AS first_use
FROM request_response_rmt
ARRAY JOIN property_spellings AS spelling
WHERE is_deleted = 0
GROUP BY organization_id, property_key;
