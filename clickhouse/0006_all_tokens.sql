-- How many tokens a request took part in, whatever their class: what the coverage of every sum is weighed by.
--
-- Why it is like this:
--
-- A sum of money comes with the share of tokens that have a known cost. Read from their twelve columns that share would
-- take longer than the sum; from one column it takes next to nothing. It is worked out from the row itself, so nobody
-- writes it and it cannot disagree. Rows from before have it worked out when read, until their parts are merged.
ALTER TABLE request_response_rmt
    ADD COLUMN IF NOT EXISTS all_tokens UInt64
    MATERIALIZED prompt_tokens + prompt_cache_read_tokens + prompt_cache_read_audio_tokens
        + prompt_cache_write_5m_tokens + prompt_cache_write_1h_tokens + prompt_audio_tokens + prompt_image_tokens
        + completion_tokens + reasoning_tokens + completion_audio_tokens + completion_image_tokens + citation_tokens
    CODEC(T64, ZSTD(1));
