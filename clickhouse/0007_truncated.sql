-- One more reason why a cost is unknown: the response was larger than what is kept of one, and its figures were cut away.
--
-- Why it is like this:
--
-- Only the list of names grows, so no part is written anew, and a value keeps its number for ever.
ALTER TABLE request_response_rmt MODIFY COLUMN cost_state
    Enum8('priced' = 1, 'free' = 2, 'unknown_model' = 3, 'no_usage' = 4, 'partial' = 5, 'truncated' = 6);

ALTER TABLE cost_correction
    MODIFY COLUMN cost_state
        Enum8('priced' = 1, 'free' = 2, 'unknown_model' = 3, 'no_usage' = 4, 'partial' = 5, 'truncated' = 6),
    MODIFY COLUMN prior_cost_state
        Enum8('priced' = 1, 'free' = 2, 'unknown_model' = 3, 'no_usage' = 4, 'partial' = 5, 'truncated' = 6);
