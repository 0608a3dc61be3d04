"""The named aggregations. Each is one line: its SQL over the rows of a group, its unit, and what it means.

Costs are sums over the rows whose cost is known; `unpriced_requests` says how many are not in them. Where there are
rows and the cost of none is known, the sum is unknown too, and not zero. Savings go by the same rule, over cached
responses, and `unpriced_cache_hits` says how many of those are not in them. So do counts of usage, over the rows with
reported usage, and `requests_without_usage` says how many are not in them.
"""

from collections.abc import Iterable, Mapping

import msgspec

from schemas.usage import COUNTS, INPUT, TOKEN_CLASSES


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    sql: str
    unit: str
    meaning: str


_UNREPORTED = "countIf(usage_source = 'none')"


def _sum(names: Iterable[str]) -> str:
    """A sum over the requests with known usage; no value when there are requests and the usage of none is known."""
    return f"if(count() > 0 AND {_UNREPORTED} = count(), NULL, sum({' + '.join(names)}))"


def _rate(part: str, whole: str) -> str:
    """A share between 0 and 1; no value when there is nothing to share."""
    return f"if({whole} = 0, NULL, {part} / {whole})"


_PRICED_TOKENS = "sumIf(all_tokens, cost_usd IS NOT NULL)"
_ERRORS = "countIf(outcome IN ('provider_error', 'upstream_error', 'timed_out', 'refused'))"
_HITS = "countIf(outcome = 'cached')"
_UNPRICED_HITS = "countIf(outcome = 'cached' AND cache_saved_usd IS NULL)"
_CACHE_REQUESTS = "countIf(cache_enabled OR outcome = 'cached')"
_PRICED = "countIf(cost_usd IS NOT NULL)"
_UNPRICED_WITHOUT_TOKENS = "countIf(cost_usd IS NULL AND all_tokens = 0)"

_MEASURES = (
    ("requests", "count()", "requests", "all requests, whatever their outcome"),
    ("cost_usd", "if(count() = 0, 0, sum(cost_usd))", "USD", "what the requests with a known cost cost together"),
    ("unpriced_requests", "countIf(cost_usd IS NULL)", "requests", "requests whose cost is unknown"),
    ("priced_request_share", _rate(_PRICED, "count()"), "share", "requests with a known cost"),
    ("priced_token_share", _rate(_PRICED_TOKENS, "sum(all_tokens)"), "share", "known tokens that have a known cost"),
    (
        "unpriced_requests_without_tokens",
        _UNPRICED_WITHOUT_TOKENS,
        "requests",
        "cost and tokens unknown: in no share of tokens",
    ),
    ("average_cost_usd", _rate("sum(cost_usd)", "count(cost_usd)"), "USD", "cost of one request with a known cost"),
    ("requests_without_usage", _UNREPORTED, "requests", "usage not reported: in no count of tokens"),
    ("cache_hits", _HITS, "requests", "served from the response cache"),
    ("cache_requests", _CACHE_REQUESTS, "requests", "allowed to be served from the response cache"),
    ("cache_hit_rate", _rate(_HITS, _CACHE_REQUESTS), "share", "cache hits of the requests that allowed it"),
    ("cache_savings_usd", f"if({_HITS} = 0, 0, sum(cache_saved_usd))", "USD", "what cached responses would have cost"),
    ("unpriced_cache_hits", _UNPRICED_HITS, "requests", "cache hits of which it is unknown what they saved"),
    ("average_latency_ms", "if(count() = 0, NULL, avg(latency_ms))", "ms", "from first byte in to last byte out"),
    ("p50_latency_ms", "if(count() = 0, NULL, quantileExact(0.5)(latency_ms))", "ms", "median latency"),
    ("p95_latency_ms", "if(count() = 0, NULL, quantileExact(0.95)(latency_ms))", "ms", "latency of the slowest 5%"),
    ("p99_latency_ms", "if(count() = 0, NULL, quantileExact(0.99)(latency_ms))", "ms", "latency of the slowest 1%"),
    ("active_users", "uniqExactIf(user_id, user_id != '')", "users", "users that are named"),
    ("sessions", "uniqExactIf((session_id, session_name), session_id != '')", "sessions", "sessions, by id and name"),
    ("errors", _ERRORS, "requests", "ended by the provider, the network, a timeout or a refusal"),
    ("error_rate", _rate(_ERRORS, "count()"), "share", "errors of all requests"),
    ("first_request_at", "if(count() = 0, NULL, min(request_created_at))", "timestamp", "the earliest request"),
    ("last_request_at", "if(count() = 0, NULL, max(request_created_at))", "timestamp", "the latest request"),
)

_MEANINGS = {
    "total_tokens": "prompt, completion, reasoning and citations, without cache tokens",
    "prompt_tokens": "uncached input of every kind",
    "completion_tokens": "output of every kind without reasoning",
    "prompt_cache_read_tokens": "input read from the provider's cache",
    "prompt_cache_write_tokens": "input written to the provider's cache",
    "prompt_cache_read_audio_tokens": "audio among the input read from the cache",
    "prompt_cache_write_5m_tokens": "input written to the cache for five minutes",
    "prompt_cache_write_1h_tokens": "input written to the cache for an hour",
    "prompt_audio_tokens": "audio among the prompt",
    "prompt_image_tokens": "images among the prompt",
    "prompt_audio_seconds": "audio that is counted by its length",
    "reasoning_tokens": "reasoning output",
    "completion_audio_tokens": "audio among the completion",
    "completion_image_tokens": "images among the completion",
    "citation_tokens": "output that quotes what was searched",
    "web_searches": "searches of the web",
    "file_searches": "searches of files",
}
_USED = tuple((name, _sum(parts), name.rpartition("_")[2], _MEANINGS[name]) for name, parts in COUNTS.items())

MEASURES: Mapping[str, Measure] = {
    name: Measure(name=name, sql=sql, unit=unit, meaning=meaning) for name, sql, unit, meaning in (*_MEASURES, *_USED)
}

_COST_COVERAGE = (
    *("requests", "unpriced_requests", "priced_request_share", "priced_token_share"),
    "unpriced_requests_without_tokens",
)

# What stands beside an amount or a count, so that it is not taken for all: first of how many requests it is, and how
# many of these are not in it.
COVERAGE: Mapping[str, tuple[str, ...]] = dict.fromkeys(COUNTS, ("requests", "requests_without_usage")) | {
    "cost_usd": _COST_COVERAGE,
    "average_cost_usd": _COST_COVERAGE,
    "cache_savings_usd": ("cache_hits", "unpriced_cache_hits"),
}

# Those whose figures of all groups together add up to the total's.
ADDED_UP = frozenset(
    {
        *("requests", "errors", "cost_usd", "unpriced_requests", "unpriced_requests_without_tokens"),
        *("requests_without_usage", *COUNTS),
        *("cache_hits", "cache_requests", "cache_savings_usd", "unpriced_cache_hits"),
    }
)

# For coverage over groups of groups: shares do not add up, and these do.
ALL_TOKENS = Measure(name="all_tokens", sql="sum(all_tokens)", unit="tokens", meaning="of every class")
PRICED_TOKENS = Measure(
    name="priced_tokens", sql=_PRICED_TOKENS, unit="tokens", meaning="of every class, in requests with a known cost"
)


# For what could not be priced: everything that has to be, and where to look.
ALL_PROMPT_TOKENS = Measure(
    name="all_prompt_tokens",
    sql=_sum(INPUT),
    unit="tokens",
    meaning="input, cached or not",
)
ALL_COMPLETION_TOKENS = Measure(
    name="all_completion_tokens",
    sql=_sum(name for name in TOKEN_CLASSES if name not in INPUT),
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
