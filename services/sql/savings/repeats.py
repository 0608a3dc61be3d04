"""Prompts that came again, and which of their requests a response cache would have served.

The cache is replayed in the warehouse, prompt by prompt in order of time, as it behaves: a response is stored when it
has ended, if it was whole and its status 200; it is served until its maximum age has passed since then; and requests
that come before the first response has ended are not served. Of several that were on their way together, what is stored
is served from the end of the first until the age of the last. The cache is empty when the period begins.

Prompts are told apart by 64 bits of provider, URL, fingerprint and scope: as many as the fingerprint has itself.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from schemas.statement import Statement
from schemas.tables import REQUEST_RESPONSE
from services.sql.compile import compile_dimension
from services.sql.filters import compile_filter
from services.sql.nodes import Dimension, Filter
from services.sql.scope import Scope, from_rows

# A prompt that came more often is replayed in pieces, each with an empty cache: one hit of so many is missed at most.
# What is carried from request to request is as long as the piece.
PIECE: Final = 10_000
_BLOCK: Final = 8192  # prompts that are replayed side by side; of very many at once the engine is slow

_ASKED: Final = "request_fingerprint != '' AND outcome NOT IN ('cached', 'refused')"
_PROMPT: Final = ("provider", "target_url", "request_fingerprint")

# `kept` is from when and until when the stored response is served, and which requests were; `item` is a request:
# when it came, its id, when its response ended, whether it is stored.
_IS_HIT: Final = "(item.1 >= kept.1 AND item.1 < kept.2)"
_IS_STORED: Final = f"({_IS_HIT} OR NOT item.4)"
_REPLAYED: Final = (
    f"arrayFold((kept, item) -> ("
    f"if({_IS_STORED}, kept.1, if(item.1 < kept.1, least(kept.1, item.3), item.3)), "
    f"if({_IS_STORED}, kept.2, if(item.1 < kept.1, greatest(kept.2, item.3 + {{age}}), item.3 + {{age}})), "
    f"arrayPushBack(kept.3, toUInt8({_IS_HIT}))), "
    "piece, (toInt64(0), toInt64(0), emptyArrayUInt8())).3"
)
_FIGURES: Final = (
    "count() AS requests",
    "countIf(hit) AS hits",
    "sum(cost) AS cost_usd",
    "countIf(cost IS NULL) AS unpriced_requests",
    "sumIf(cost, hit) AS saved_usd",
    "countIf(hit AND cost IS NULL) AS unpriced_hits",
)


class Repeats(msgspec.Struct, frozen=True, kw_only=True):
    """The repeated prompts among some requests. Requests share responses within `scope`."""

    organization_id: str
    where: Filter
    by: tuple[Dimension, ...]
    scope: tuple[Dimension, ...]
    max_age_ms: int
    limit: int  # of groups, and of prompts


def compile_repeats(repeats: Repeats) -> Statement:
    """One row of `kind` total, then those of groups `d0, d1, ...` and of prompts, what would have saved most first.

    A prompt has the fingerprint `fingerprint` and is called `prompt`.
    """
    scope = Scope(repeats.organization_id, repeats.where)
    names = [f"d{position}" for position in range(len(repeats.by))]
    dimensions = [compile_dimension(part, scope) for part in repeats.by]
    item = ", ".join((*_times(), "toUInt8(status = 200 AND outcome = 'completed')", "cost_usd", *dimensions))
    key = _key(repeats.scope, scope)
    requests = _replayed(_prompts(repeats, key, item, scope), names, scope.bind(repeats.max_age_ms, "Int64"))
    sets = ["prompt, fingerprint", *([", ".join(names)] if names else []), ""]
    kind = f"if(grouping(prompt) = 0, 'prompt', {_group_or_total(names)}) AS kind"
    order = ("ifNull(saved_usd, 0) DESC", "hits DESC", "requests DESC", *names, "prompt")
    return scope.statement(
        f"SELECT {', '.join((kind, 'toString(prompt) AS id', 'fingerprint', *names, *_FIGURES))} {requests}"
        f" GROUP BY GROUPING SETS ({', '.join(f'({part})' for part in sets)})"
        f" ORDER BY kind = 'total' DESC, kind, {', '.join(order)}"
        f" LIMIT {scope.bind(repeats.limit, 'UInt64')} BY kind SETTINGS max_block_size = {_BLOCK}"
    )


def _prompts(repeats: Repeats, key: str, item: str, scope: Scope) -> str:
    """The prompts that came again, each with its requests in order of time."""
    again = f"SELECT {key} AS prompt {_rows(repeats, scope)} GROUP BY prompt HAVING count() > 1"
    rows = _rows(repeats, scope, f"{key} IN ({again})")
    sent = f"any(request_fingerprint) AS fingerprint, arraySort(groupArray(({item}))) AS items"
    return f"FROM (SELECT {key} AS prompt, {sent} {rows} GROUP BY prompt)"


def _replayed(prompts: str, names: Sequence[str], max_age_ms: str) -> str:
    """The requests of these prompts, each with its `cost` and dimensions, and whether it is a `hit`."""
    cut = f"arraySplit((_, place) -> place % {PIECE} = 1, items, arrayEnumerate(items))"
    pieces = f"FROM (SELECT prompt, fingerprint, arrayJoin({cut}) AS piece {prompts})"
    replayed = f"FROM (SELECT prompt, fingerprint, piece, {_REPLAYED.format(age=max_age_ms)} AS hits {pieces})"
    shown = [f"item.{place} AS {name}" for place, name in enumerate(("cost", *names), 5)]
    one_by_one = f"{replayed} ARRAY JOIN piece AS item, hits AS hit"
    return f"FROM (SELECT prompt, fingerprint, {', '.join((*shown, 'hit'))} {one_by_one})"


def compile_prompts(repeats: Repeats, ids: Sequence[str], fingerprints: Sequence[str]) -> Statement:
    """Who sent the prompts that are called `ids`, when and to which model, and an example."""
    scope = Scope(repeats.organization_id, repeats.where)
    key = _key(repeats.scope, scope)
    named = f"request_fingerprint IN {scope.bind(tuple(sorted(set(fingerprints))), 'Array(String)')}"
    called = f"toString({key}) IN {scope.bind(tuple(ids), 'Array(String)')}"
    users, features = "user_id != ''", "properties['feature'] != ''"
    return scope.statement(
        f"SELECT toString({key}) AS id,"
        " arraySort(groupUniqArray(3)(model)) AS models,"
        f" uniqExactIf(user_id, {users}) AS users,"
        f" arraySort(groupUniqArrayIf(10)(user_id, {users})) AS user_ids,"
        f" arraySort(groupUniqArrayIf(10)(properties['feature'], {features})) AS features,"
        " min(request_created_at) AS first_request_at, max(request_created_at) AS last_request_at,"
        " toString(argMax(request_id, (ifNull(cost_usd, 0), request_created_at, request_id))) AS example_request_id"
        f" {_rows(repeats, scope, f'{named} AND {called}')} GROUP BY id"
    )


def _times() -> tuple[str, ...]:
    came, ended = (f"toUnixTimestamp64Milli({name})" for name in ("request_created_at", "response_created_at"))
    return came, "request_id", f"greatest({came}, {ended})"


def _key(by: Sequence[Dimension], scope: Scope) -> str:
    parts = [f"ifNull(toString({compile_dimension(part, scope)}), '')" for part in by]
    return f"cityHash64({', '.join((*_PROMPT, *parts))})"


def _rows(repeats: Repeats, scope: Scope, condition: str = "1") -> str:
    where = f"{compile_filter(repeats.where, scope)} AND {_ASKED} AND is_call AND {condition}"
    return from_rows(REQUEST_RESPONSE, where, scope)


def _group_or_total(names: Sequence[str]) -> str:
    return f"if(grouping({names[0]}) = 0, 'group', 'total')" if names else "'total'"
