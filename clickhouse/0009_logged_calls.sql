-- Which key sent or logged a request, and what a log of it replaced.
--
-- Why it is like this:
--
-- A key that may write can log any id and timestamp, so a row says whose log it is: only the same key may log the call
-- again, and only for a day. What stood before is kept on the row, since nothing that was charged changes silently.
-- first_logged_us is 0 for what passed the proxy, and for all rows from before: those no log replaces. Versions of logs
-- lie below those of requests that passed, so that a request that passed wins whichever comes first.
ALTER TABLE request_response_rmt
    ADD COLUMN IF NOT EXISTS key_id LowCardinality(String) AFTER response_bytes,
    ADD COLUMN IF NOT EXISTS first_logged_us UInt64 CODEC(T64, LZ4) AFTER key_id,
    ADD COLUMN IF NOT EXISTS replaced String CODEC(ZSTD(3)) AFTER first_logged_us;
