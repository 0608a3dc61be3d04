-- The columns that most questions read are compressed by LZ4, which is read back several times faster than ZSTD.
--
-- Why it is like this:
--
-- A year of one property is three texts a request: undoing ZSTD was a third of the time of summing up by them. LZ4 takes
-- a tenth more room in all. New parts are written so at once, and old ones when they are merged.
ALTER TABLE request_response_rmt
    MODIFY COLUMN properties CODEC(LZ4),
    MODIFY COLUMN user_id CODEC(LZ4),
    MODIFY COLUMN cost_usd CODEC(LZ4),
    MODIFY COLUMN all_tokens CODEC(T64, LZ4);
