"""What a response cache would have saved of the prompts that came again."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final

from fastapi import Response

from schemas.api.savings import Repeated, RepeatedGroup, RepeatedPrompt, RepeatsRequest, RepeatsView
from services.ports.warehouse import Row
from services.query.dependencies import Service, ServiceDep
from services.query.http.auth import Reader
from services.query.http.csv import WantsCsv
from services.query.reports.question import dimensions_of
from services.query.reports.sealed import Found
from services.query.savings.question import SavingsQuestion, Table, period_total, savings_question, savings_response
from services.sql.nodes import And
from services.sql.savings.repeats import PIECE, Repeats, compile_prompts, compile_repeats

_COUNTS: Final = ("requests", "unpriced_requests", "hits", "unpriced_hits")
_AMOUNTS: Final = ("cost_usd", "saved_usd")
_FIGURES: Final = tuple(Repeated.model_fields)
_OF_PROMPT: Final = ("request_fingerprint", "example_request_id")

ASSUMPTIONS: Final = (
    "Requests are the same prompt where provider, URL and fingerprint are: their bodies may differ in users, metadata, "
    "seed, stream and the like, which a cache that compares whole bodies has to be told to leave out "
    "(Helicone-Cache-Ignore-Keys).",
    "The cache is empty when the period begins, stores whole responses of status 200 when they have ended, and serves "
    "each until its maximum age has passed since then.",
    "A hit saves what the request did cost. Where sampling is meant to give another response each time, there is "
    "nothing to save.",
    f"A prompt that came more than {PIECE} times is replayed in pieces, each with an empty cache.",
)


async def savings_of_repeats(
    body: RepeatsRequest, organization_id: Reader, service: ServiceDep, as_csv: WantsCsv
) -> Response:
    """What a response cache would have saved: by group, and of the prompts that came again, in exact dollars."""
    asked = savings_question(body, organization_id, service.clock.now())
    table = partial(_table, names=asked.names) if as_csv else None
    scope = dimensions_of(body.scope, body.time_zone)
    return await savings_response(asked, found_repeats(asked, body, service), service, table, scope)


async def found_repeats(asked: SavingsQuestion, body: RepeatsRequest, service: Service) -> Found:
    """Raises: InvalidRequest, StoreUnavailable."""
    question = asked.question
    repeats = Repeats(
        organization_id=question.organization_id,
        where=And((question.period.filter(), question.where)),
        by=asked.by,
        scope=dimensions_of(body.scope, body.time_zone),
        max_age_ms=body.max_age_s * 1000,
        limit=max(body.limit, body.top) + 1,
    )
    (shares, period), rows = await asyncio.gather(
        period_total(asked, service), service.warehouse.query(compile_repeats(repeats))
    )
    total, *_ = _of_kind("total", rows)
    groups, prompts = _of_kind("group", rows), _of_kind("prompt", rows)[: body.top]
    truncated = len(groups) > body.limit
    shown = groups[: body.limit]
    known = await _known(repeats, prompts, service)
    # A request that was corrected meanwhile may have another fingerprint, so that nothing is known of its prompt.
    listed = [row for row in prompts if row["id"] in known]
    view = RepeatsView(
        start=question.period.start,
        end=question.period.end,
        period_cost_usd=period["cost_usd"],
        total=_repeated(total),
        rows=[RepeatedGroup(by=asked.group(_values(row, asked)), **_figures(row)) for row in shown],
        rest=_repeated(_left(total, shown)) if truncated else None,
        truncated=truncated,
        prompts=[_prompt(row, known[row["id"]]) for row in listed],
        other_prompts=_repeated(_left(total, listed)),
        assumptions=list(ASSUMPTIONS),
    )
    return Found(data=view, shares=shares, is_empty=not period["requests"])


def _of_kind(kind: str, rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["kind"] == kind]


def _values(row: Row, asked: SavingsQuestion) -> list[Any]:
    return [row[f"d{position}"] for position in range(len(asked.by))]


def _repeated(row: Mapping[str, Any]) -> Repeated:
    return Repeated(**_figures(row))


def _figures(row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `Repeated`: an amount is unknown where it is of requests none of which has a known cost."""
    figures = {name: row[name] for name in _COUNTS} | {name: row[name] or Decimal(0) for name in _AMOUNTS}
    for amount, requests, unpriced in zip(_AMOUNTS, ("requests", "hits"), _COUNTS[1::2], strict=True):
        if figures[requests] and figures[requests] == figures[unpriced]:
            figures[amount] = None
    return figures


def _left(total: Row, shown: Iterable[Row]) -> Mapping[str, Any]:
    """What `shown` leave of the total."""
    left = {name: total[name] or 0 for name in (*_COUNTS, *_AMOUNTS)}
    for row in shown:
        for name in left:
            left[name] -= row[name] or 0
    return left


async def _known(repeats: Repeats, prompts: Sequence[Row], service: Service) -> Mapping[str, Row]:
    """Who sent these prompts and when, by their ids."""
    if not prompts:
        return {}
    ids, fingerprints = ([row[name] for row in prompts] for name in ("id", "fingerprint"))
    found = await service.warehouse.query(compile_prompts(repeats, ids, fingerprints))
    return {row["id"]: row for row in found}


def _prompt(row: Row, known: Row) -> RepeatedPrompt:
    about = {name: value for name, value in known.items() if name != "id"}
    return RepeatedPrompt(request_fingerprint=row["fingerprint"], **about, **_figures(row))


def _table(view: RepeatsView, names: Sequence[str]) -> Table:
    """A line for each group, or without groups for each prompt; then the rest and the total."""
    blank: list[object] = [None] * (len(names) or len(_OF_PROMPT))
    if names:
        lines = [["group", *row.by, *_amounts(row)] for row in view.rows]
        rest = view.rest
    else:
        lines = [["prompt", *(getattr(row, name) for name in _OF_PROMPT), *_amounts(row)] for row in view.prompts]
        rest = view.other_prompts
    lines += [[line, *blank, *_amounts(of)] for line, of in (("rest", rest), ("total", view.total)) if of is not None]
    return Table("repeats", ["line", *(names or _OF_PROMPT), *_FIGURES], lines)


def _amounts(of: Repeated) -> list[object]:
    shown = of.model_dump()
    return [shown[name] for name in _FIGURES]
