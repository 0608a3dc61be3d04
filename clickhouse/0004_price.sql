-- Every price that a cost was calculated with, as it was then, so that each row has its receipt for ever.
--
-- Why it is like this:
--
-- The shipped prices are newer after each upgrade, and nobody could redo last year's sums from them. So the worker writes
-- each price that it uses here, before the rows that name it. An id names one content and no other: the ids of shipped
-- prices end in a hash of their content, and an operator's price row never changes. Writing one again, from any process
-- at any time, therefore changes nothing, and reading needs no FINAL.
-- The price is JSON with amounts as text, digit for digit.
-- Prices belong to no organization here. Whoever reads one has its id from a row of their own.
CREATE TABLE IF NOT EXISTS price
(
    price_id String,
    price    String CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree
ORDER BY price_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
