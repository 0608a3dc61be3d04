"""The named aggregations. Each is one line: its SQL over the rows of a group, its unit, and what it means.

Requests are those of clients; attempts are all rows, of which a request that was retried, or went to another server,
may have several. What a client sees (errors, latencies, cache hits) is of requests; usage, cost, and what is known of
both are of attempts.

Costs are sums over the rows whose cost is known; `unpriced_requests` says how many are not in them. Where there are
rows and the cost of none is known, the sum is unknown too, and not zero. Savings go by the same rule, over cached
responses, and `unpriced_cache_hits` says how many of those are not in them. So do counts of usage, over the rows with
reported usage, and `requests_without_usage` says how many are not in them. An average per user or session is over the
named ones; of cost over those of whom any cost is known, and so are the percentiles of what one of them costs.

Value is what clients say that users and features earned. It is unknown where none was given for what is asked; else
nothing was earned where none was given.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec
from msgspec import structs

from schemas.amendment import FEEDBACK
from schemas.disputes import CALCULATED, COMPARED, DISPUTED
from schemas.usage import COUNTS, TOTAL


class Source(StrEnum):
    """What the SQL of a measure is over."""

    REQUESTS = "requests"  # the rows of a group
    SESSIONS = "sessions"  # the `figure` of each named session of a group: its known cost
    USERS = "users"  # likewise of each named user
    VALUE = "value"  # the `value`, `entries` and `cost` of a group


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    sql: str
    unit: str
    meaning: str
    source: Source = Source.REQUESTS
    score: str | None = None  # the name that clients gave the score, which stands for SCORE in the SQL


SCORE = "{score}"
_UNREPORTED = "countIf(usage_source = 'none')"


def usage_sum(names: Iterable[str]) -> str:
    """A sum over the requests with known usage; no value when there are requests and the usage of none is known."""
    return f"if(count() > 0 AND {_UNREPORTED} = count(), NULL, sum({' + '.join(names)}))"


def _rate(part: str, whole: str) -> str:
    """A share between 0 and 1; no value when there is nothing to share."""
    return f"if({whole} = 0, NULL, {part} / {whole})"


_PRICED_TOKENS = "sumIf(all_tokens, cost_usd IS NOT NULL)"
# Rows of clients' requests. The others are attempts that another one followed: what they cost is summed, and what a
# client sees is that of its request.
REQUESTS = "countIf(is_call)"
_ERRORS = "countIf(is_call AND outcome IN ('provider_error', 'upstream_error', 'timed_out', 'refused'))"
_HITS = "countIf(outcome = 'cached')"
_UNPRICED_HITS = "countIf(outcome = 'cached' AND cache_saved_usd IS NULL)"
_CACHE_REQUESTS = "countIf(is_call AND (cache_enabled OR outcome = 'cached'))"
_PRICED = "countIf(cost_usd IS NOT NULL)"
_UNPRICED_WITHOUT_TOKENS = "countIf(cost_usd IS NULL AND all_tokens = 0)"
_TOTAL_TOKENS = " + ".join(TOTAL)
_MODELS = "uniqExactIf((provider, model), model != '')"
_NAMED = {"user": ("user_id", "user_id != ''"), "session": ("(session_id, session_name)", "session_id != ''")}


def _per(named: str) -> Iterable[tuple[str, str, str, str]]:
    """Averages over the users or sessions that are named."""
    key, is_named = _NAMED[named]
    with_usage = f"{is_named} AND usage_source != 'none'"
    costs = _rate(f"sumIf(cost_usd, {is_named})", f"uniqExactIf({key}, {is_named} AND cost_usd IS NOT NULL)")
    requests = _rate(f"countIf(is_call AND {is_named})", f"uniqExactIf({key}, {is_named})")
    tokens = _rate(f"sumIf({_TOTAL_TOKENS}, {with_usage})", f"uniqExactIf({key}, {with_usage})")
    return (
        (f"cost_per_{named}_usd", costs, "USD", f"cost of one named {named} with any known cost"),
        (f"requests_per_{named}", requests, f"requests per {named}", f"requests of one named {named}"),
        (f"tokens_per_{named}", tokens, f"tokens per {named}", f"total tokens of one named {named} with known usage"),
    )


_STREAMS = "countIf(is_call AND time_to_first_token_ms IS NOT NULL)"


def _if(aggregate: str) -> str:
    """The same of some rows: `quantileExactIf(0.5)` for `quantileExact(0.5)`."""
    name, mark, parameters = aggregate.partition("(")
    return f"{name}If{mark}{parameters}"


def _latency(name: str, aggregate: str, meaning: str) -> tuple[str, str, str, str]:
    return f"{name}_latency_ms", f"if({REQUESTS} = 0, NULL, {_if(aggregate)}(latency_ms, is_call))", "ms", meaning


def _until_first_token(name: str, aggregate: str, meaning: str) -> tuple[str, str, str, str]:
    sql = f"if({_STREAMS} = 0, NULL, {_if(aggregate)}(time_to_first_token_ms, is_call))"
    return f"{name}_time_to_first_token_ms", sql, "ms", meaning


_RATED = f"countIf(mapContains(scores, '{FEEDBACK}'))"
_LIKED = f"countIf(scores['{FEEDBACK}'] > 0)"
_REPORTED_SUM = f"sumIf(provider_cost_usd, {COMPARED})"
_CALCULATED_SUM = f"sumIf({CALCULATED}, {COMPARED})"


def _compared(sql: str) -> str:
    """A sum over the requests with both costs; no value when there are requests and none has both."""
    return f"if(count() = 0, 0, if(countIf({COMPARED}) = 0, NULL, {sql}))"


_MEASURES = (
    ("requests", REQUESTS, "requests", "all requests of clients, whatever their outcome"),
    ("attempts", "count()", "attempts", "rows: requests, and attempts before the last one that may have been billed"),
    ("cost_usd", "if(count() = 0, 0, sum(cost_usd))", "USD", "what the attempts with a known cost cost together"),
    ("unpriced_requests", "countIf(cost_usd IS NULL)", "attempts", "attempts whose cost is unknown"),
    ("priced_request_share", _rate(_PRICED, "count()"), "share", "attempts with a known cost"),
    ("priced_token_share", _rate(_PRICED_TOKENS, "sum(all_tokens)"), "share", "known tokens that have a known cost"),
    (
        "unpriced_requests_without_tokens",
        _UNPRICED_WITHOUT_TOKENS,
        "requests",
        "cost and tokens unknown: in no share of tokens",
    ),
    ("average_cost_usd", _rate("sum(cost_usd)", "count(cost_usd)"), "USD", "cost of one attempt with a known cost"),
    ("provider_cost_usd", _compared(_REPORTED_SUM), "USD", "reported by providers, or by clients that logged calls"),
    ("calculated_cost_usd", _compared(_CALCULATED_SUM), "USD", "what our prices make of the same requests"),
    ("cost_difference_usd", _compared(f"{_REPORTED_SUM} - {_CALCULATED_SUM}"), "USD", "reported less calculated"),
    ("uncompared_requests", f"countIf(NOT {COMPARED})", "requests", "requests without a reported or a calculated cost"),
    ("disputed_requests", f"countIf({DISPUTED})", "requests", "whose reported cost contradicts the calculated one"),
    ("requests_without_usage", _UNREPORTED, "requests", "usage not reported: in no count of tokens"),
    ("cache_hits", _HITS, "requests", "served from the response cache"),
    ("cache_requests", _CACHE_REQUESTS, "requests", "allowed to be served from the response cache"),
    ("cache_hit_rate", _rate(_HITS, _CACHE_REQUESTS), "share", "cache hits of the requests that allowed it"),
    ("cache_savings_usd", f"if({_HITS} = 0, 0, sum(cache_saved_usd))", "USD", "what cached responses would have cost"),
    ("unpriced_cache_hits", _UNPRICED_HITS, "requests", "cache hits of unknown savings"),
    _latency("average", "avg", "from first byte in to last byte out, of all attempts of a request"),
    _latency("p50", "quantileExact(0.5)", "median latency"),
    _latency("p95", "quantileExact(0.95)", "latency of the slowest 5%"),
    _latency("p99", "quantileExact(0.99)", "latency of the slowest 1%"),
    _until_first_token("average", "avg", "of streams, from the request to the first token"),
    _until_first_token("p50", "quantileExact(0.5)", "median of streams"),
    _until_first_token("p95", "quantileExact(0.95)", "of the slowest 5% of streams"),
    _until_first_token("p99", "quantileExact(0.99)", "of the slowest 1% of streams"),
    ("active_users", "uniqExactIf(user_id, user_id != '')", "users", "users that are named"),
    ("sessions", "uniqExactIf((session_id, session_name), session_id != '')", "sessions", "sessions, by id and name"),
    ("models", _MODELS, "models", "billed models that are named, by provider"),
    ("active_days", "uniqExact(toDate(request_created_at, 'UTC'))", "days", "days in UTC with a request"),
    *_per("user"),
    *_per("session"),
    ("errors", _ERRORS, "requests", "ended by the provider, the network, a timeout or a refusal"),
    ("error_rate", _rate(_ERRORS, REQUESTS), "share", "errors of all requests"),
    ("scored_requests", "countIf(notEmpty(scores))", "requests", "with a score or a rating"),
    ("rated_requests", _RATED, "requests", "with a rating"),
    ("positive_rating_share", _rate(_LIKED, _RATED), "share", "rated as good, of those with a rating"),
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
    "prompt_cache_read_image_tokens": "images among the input read from the cache",
    "prompt_cache_write_5m_tokens": "input written to the cache for five minutes, or OpenAI's half an hour",
    "prompt_cache_write_1h_tokens": "input written to the cache for an hour",
    "prompt_cache_write_12h_tokens": "input written to the cache for twelve hours",
    "prompt_audio_tokens": "audio among the prompt",
    "prompt_image_tokens": "images among the prompt",
    "prompt_video_tokens": "video among the prompt",
    "prompt_audio_ms": "audio that is counted by its length",
    "prompt_characters": "characters of texts that were spoken",
    "reasoning_tokens": "reasoning output",
    "completion_audio_tokens": "audio among the completion",
    "completion_image_tokens": "images among the completion",
    "completion_video_tokens": "video among the completion",
    "citation_tokens": "output that quotes what was searched",
    "web_searches": "searches of the web",
    "file_searches": "searches of files",
    "document_pages": "pages that were read",
    "annotated_pages": "pages that were read and annotated",
}
_USED = tuple((name, usage_sum(parts), name.rpartition("_")[2], _MEANINGS[name]) for name, parts in COUNTS.items())

_PERCENTILES = {"p50": "median", "p95": "of the dearest 5%", "p99": "of the dearest 1%", "max": "the highest"}


def _quantile(name: str, of: str) -> str:
    return f"max({of})" if name == "max" else f"quantileExact(0.{name[1:]})({of})"


_COSTS_OF_ONE = (
    *(
        (f"{name}_cost_usd", _quantile(name, "cost_usd"), f"cost of one request: {meaning}", Source.REQUESTS)
        for name, meaning in _PERCENTILES.items()
    ),
    *(
        (f"{name}_cost_per_{named}_usd", _quantile(name, "figure"), f"cost of one named {named}: {meaning}", source)
        for named, source in (("session", Source.SESSIONS), ("user", Source.USERS))
        for name, meaning in _PERCENTILES.items()
    ),
)
# Amounts are divided as floats: a ratio is no money, and its digits do not depend on how large the amounts are.
_VALUES = (
    ("value_usd", "value", "USD", "what was earned, as clients gave it"),
    ("value_entries", "entries", "entries", "given amounts that have a part in it"),
    ("margin_usd", "value - cost", "USD", "value less known cost"),
    ("return_ratio", "if(cost = 0, NULL, toFloat64(value) / toFloat64(cost))", "ratio", "value of one dollar of cost"),
    ("margin_ratio", "if(value = 0, NULL, toFloat64(value - cost) / toFloat64(value))", "share", "margin of the value"),
)

MEASURES: Mapping[str, Measure] = {
    measure.name: measure
    for measure in (
        *(Measure(name=name, sql=sql, unit=unit, meaning=what) for name, sql, unit, what in (*_MEASURES, *_USED)),
        *(
            Measure(name=name, sql=sql, unit="USD", meaning=what, source=source)
            for name, sql, what, source in _COSTS_OF_ONE
        ),
        *(
            Measure(name=name, sql=sql, unit=unit, meaning=what, source=Source.VALUE)
            for name, sql, unit, what in _VALUES
        ),
    )
}

_COST_COVERAGE = (
    *("attempts", "unpriced_requests", "priced_request_share", "priced_token_share"),
    *("unpriced_requests_without_tokens", "requests"),
)

_COMPARISON = ("attempts", "uncompared_requests", "disputed_requests", "requests")
_OF_MARGIN = (*_COST_COVERAGE, "cost_usd", "value_usd", "value_entries")

# How many rows there are, under the name by which surfaces about rows show it.
ROWS = structs.replace(MEASURES["attempts"], name="requests")

# What stands beside an amount or a count, so that it is not taken for all: first of how many attempts it is, and how
# many of these are not in it.
_OF_USAGE = ("attempts", "requests_without_usage", "requests")
COVERAGE: Mapping[str, tuple[str, ...]] = dict.fromkeys(COUNTS, _OF_USAGE) | {
    "cost_usd": _COST_COVERAGE,
    "average_cost_usd": _COST_COVERAGE,
    "provider_cost_usd": _COMPARISON,
    "calculated_cost_usd": _COMPARISON,
    "cost_difference_usd": _COMPARISON,
    "cost_per_user_usd": _COST_COVERAGE,
    "cost_per_session_usd": _COST_COVERAGE,
    "cache_savings_usd": ("cache_hits", "unpriced_cache_hits"),
    **{name: _COST_COVERAGE for name, *_ in _COSTS_OF_ONE},
    "value_usd": ("value_entries",),
    **dict.fromkeys(("margin_usd", "return_ratio", "margin_ratio"), _OF_MARGIN),
}

# Those whose figures of all groups together add up to the total's.
ADDED_UP = frozenset(
    {
        *("requests", "attempts", "errors", "cost_usd", "unpriced_requests", "unpriced_requests_without_tokens"),
        *(
            "provider_cost_usd",
            "calculated_cost_usd",
            "cost_difference_usd",
            "uncompared_requests",
            "disputed_requests",
        ),
        *("requests_without_usage", "scored_requests", "rated_requests", *COUNTS),
        *("cache_hits", "cache_requests", "cache_savings_usd", "unpriced_cache_hits"),
        *("value_usd", "margin_usd"),
    }
)

# Those that are zero where there is no request at all; all others have no value then.
ZERO_OF_NOTHING = ADDED_UP | {"active_users", "sessions", "models", "active_days"}

# For coverage over groups of groups: shares do not add up, and these do.
ALL_TOKENS = Measure(name="all_tokens", sql="sum(all_tokens)", unit="tokens", meaning="of every class")
PRICED_TOKENS = Measure(
    name="priced_tokens", sql=_PRICED_TOKENS, unit="tokens", meaning="of every class, in requests with a known cost"
)
