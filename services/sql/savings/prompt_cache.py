"""What was written to prompt caches of providers and never read, and what had been cached and was paid again.

A row knows how much was read and written, and not what: which write a read is of can only be bounded. `certain` and
`likely` are the bounds, and README says what they mean. What came before and after a request is looked for among all
requests of the period, whatever the filter: others may have read what a user wrote.

Requests in which other models took part are left out: their tokens have several prices, and so have their cached ones.
That they read something counts all the same, so that no write is wrongly taken for unread.
"""

from collections.abc import Sequence
from typing import Final

from schemas.statement import Statement
from schemas.tables import REQUEST_RESPONSE
from schemas.usage import CACHE_READ, CACHE_WRITE, INPUT
from services.sql.compile import compile_dimension
from services.sql.filters import compile_filter
from services.sql.nodes import Filter, Report
from services.sql.savings.parts import CONTEXT, PRICE, SEVERAL_MODELS, compile_parts, context_tier
from services.sql.scope import Scope, from_rows

MIN_PROMPT: Final = 1024  # tokens: shorter prompts are cached by none of the large providers
# Seconds by the longest lifetime that was written. A write is unread where nobody reads for all of the first; what was
# written or read is surely still cached for the second: OpenAI's shortest lifetime is half an hour, Anthropic's 5 min.
_UNREAD_AFTER: Final = "multiIf(w12h > 0, 43200000, w1h > 0, 3600000, 1800000)"
_KEPT: Final = "multiIf(w12h > 0, 43200000, w1h > 0, 3600000, 300000)"

KEYS: Final = ("price", "context")
WRITES: Final = ("w5m", "w1h", "w12h")
_UNREAD: Final = {
    f"unread_{how}_{name}": f"sumIf({name}, unread_{how})" for how in ("certain", "likely") for name in WRITES
}
_REPAID: Final = {
    f"repaid_{how}_{kind}": f"sum({sql})"
    for how in ("certain", "likely")
    for kind, sql in (
        ("plain", f"least(repaid_{how}, plain)"),
        ("written", f"repaid_{how} - least(repaid_{how}, plain)"),
    )
}
_SUMS: Final = {
    "requests": "countIf(NOT several)",
    "other_requests": "countIf(several)",
    **{f"{name}_tokens": f"sumIf({name}, NOT several)" for name in ("input", "read", "written")},
    "of_text_read": "sumIf(read_text, NOT several)",
    **{f"of_text_{name}": f"sumIf({name}, NOT several)" for name in WRITES},
}
FIGURES: Final = (*_SUMS, *_UNREAD, *_REPAID)

_CACHED: Final = " + ".join((*CACHE_READ, *CACHE_WRITE))
_ACCOUNT: Final = "provider, model, provider_key_hash"
_NEXT: Final = "ORDER BY came DESC, id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
_BEFORE: Final = "ORDER BY came, id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"


def compile_cache_prices(organization_id: str, where: Filter) -> Statement:
    """`price`, each by which a request was charged that read or wrote a cache."""
    scope = Scope(organization_id, where)
    rows = from_rows(REQUEST_RESPONSE, f"{compile_filter(where, scope)} AND {_CACHED} > 0", scope)
    return scope.statement(f"SELECT DISTINCT toString({PRICE}) AS price {rows} ORDER BY price LIMIT 1000")


def compile_cache_use(report: Report, among: Filter, end_ms: int, edges: Sequence[int]) -> Statement:
    """Parts of each group by `KEYS`, with the sums `FIGURES`.

    The report is about some of the requests of the period `among`, which ends at `end_ms`. `context` is how many of the
    `edges` the prompts exceed. The report's limit is one of parts.
    """
    scope = Scope(report.organization_id, among)
    names = [f"d{position}" for position in range(len(report.by))]
    dimensions = [f"{compile_dimension(by, scope)} AS {name}" for by, name in zip(report.by, names, strict=True)]
    chosen = f"{compile_filter(report.where, scope)} AS chosen"
    tier = f"toUInt8({context_tier(edges, scope)}) AS context"
    rows = from_rows(REQUEST_RESPONSE, f"{compile_filter(among, scope)} AND {_long_enough()}", scope)
    requests = f"FROM (SELECT {', '.join((*dimensions, chosen, tier, *_columns()))} {rows})"
    beside = [
        "chosen",
        *names,
        *KEYS,
        "several",
        "came",
        "plain",
        "input",
        "read",
        "written",
        "read_text",
        *WRITES,
        *_sequences(),
    ]
    found = f"FROM (SELECT {', '.join(beside)} {requests})"
    judged = f"FROM (SELECT *, {', '.join(_judgements(scope.bind(end_ms, 'Int64')))} {found} WHERE chosen)"
    lost = " + ".join(sql for name, sql in (*_UNREAD.items(), *_REPAID.items()) if "likely" in name)
    return compile_parts(judged, names, KEYS, _SUMS | _UNREAD | _REPAID, lost, report.limit, scope)


def _long_enough() -> str:
    return f"usage_source IN ('provider', 'drained') AND outcome != 'cached' AND {CONTEXT} >= {MIN_PROMPT}"


def _columns() -> tuple[str, ...]:
    """Of each request. Numbers stand for its account, and for the prompt, the session and the path in it; 0 is none."""
    known_prompt = "request_fingerprint != '' AND provider_key_hash != ''"
    in_session = f"{_ACCOUNT}, session_id, session_name"
    return (
        f"toString({PRICE}) AS price",
        "toUnixTimestamp64Milli(request_created_at) AS came",
        "toUnixTimestamp64Milli(response_created_at) AS ended",
        "request_id AS id",
        f"{SEVERAL_MODELS} AS several",
        "toInt64(prompt_tokens) AS plain",
        f"toInt64({' + '.join(INPUT)}) AS input",
        f"toInt64({' + '.join(CACHE_READ)}) AS read",
        f"toInt64({' + '.join(CACHE_WRITE)}) AS written",
        "toInt64(prompt_cache_read_tokens) AS read_text",
        *(f"toInt64({name}) AS {short}" for name, short in zip(CACHE_WRITE, WRITES, strict=True)),
        "cityHash64(provider, model) AS model_key",
        f"if({known_prompt}, cityHash64({_ACCOUNT}, target_url, request_fingerprint), 0) AS prompt_key",
        f"if(session_id = '', 0, cityHash64({in_session})) AS session_key",
        f"if(session_id = '', 0, cityHash64({in_session}, session_path)) AS path_key",
    )


def _sequences() -> tuple[str, ...]:
    """When something was read next, and what the request before had in the cache, and until when."""
    reads = "min(if(read > 0, came, NULL))"
    return (
        "session_key",
        "prompt_key",
        "path_key",
        f"{reads} OVER (PARTITION BY model_key {_NEXT}) AS next_read",
        f"{reads} OVER (PARTITION BY session_key {_NEXT}) AS next_read_in_session",
        *(
            f"lagInFrame({sql}) OVER (PARTITION BY {key}_key {_BEFORE}) AS {key}_{name}"
            for key in ("prompt", "path")
            for name, sql in (
                ("cached", "if(several, 0, read + written)"),
                ("ended", "ended"),
                ("until", f"came + {_KEPT}"),
            )
        ),
    )


def _judgements(end_ms: str) -> tuple[str, ...]:
    late = f"came + {_UNREAD_AFTER}"
    over = f"(NOT several AND written > 0 AND {late} <= {end_ms})"
    alone = f"session_key != 0 AND (next_read_in_session IS NULL OR next_read_in_session > {late})"
    return (
        f"{over} AND (next_read IS NULL OR next_read > {late}) AS unread_certain",
        f"unread_certain OR ({over} AND {alone}) AS unread_likely",
        f"{_repaid('prompt')} AS repaid_certain",
        f"greatest(repaid_certain, {_repaid('path')}) AS repaid_likely",
    )


def _repaid(key: str) -> str:
    """Tokens that the request before in the same sequence had in the cache, and this one paid in full."""
    again = f"NOT several AND {key}_key != 0 AND {key}_ended <= came AND came < {key}_until"
    return f"if({again}, least(greatest({key}_cached - read, 0), plain + written), 0)"
