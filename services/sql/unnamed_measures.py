"""Aggregations that no report names: of what could not be priced, where to look at it, and of bodies."""

from schemas.usage import INPUT, TOKEN_CLASSES
from services.sql.measures import Measure, usage_sum

# For what could not be priced: everything that has to be, and where to look.
ALL_PROMPT_TOKENS = Measure(
    name="all_prompt_tokens",
    sql=usage_sum(INPUT),
    unit="tokens",
    meaning="input, cached or not",
)
ALL_COMPLETION_TOKENS = Measure(
    name="all_completion_tokens",
    sql=usage_sum(name for name in TOKEN_CLASSES if name not in INPUT),
    unit="tokens",
    meaning="output, reasoning too",
)
_LATEST = "groupArraySorted(3)((-toUnixTimestamp64Milli(request_created_at), request_id))"
EXAMPLE_IDS = Measure(
    name="example_request_ids",
    sql=f"arrayMap(example -> toString(example.2), {_LATEST})",
    unit="ids",
    meaning="the latest few",
)

# Of bodies, as they are stored; of the table that holds them.
BODY_BYTES = Measure(
    name="body_bytes",
    sql="sum(length(request_body) + length(response_body))",
    unit="bytes",
    meaning="prompts and responses",
)
