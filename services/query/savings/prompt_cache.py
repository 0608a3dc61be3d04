"""What broken prompt caches of providers cost: writes that nobody read, and input that was paid in full again."""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final

import msgspec
from fastapi import Response

from schemas.api.savings import CacheLossGroup, CacheLossView, LossView, PromptCacheRequest, PromptCacheView
from schemas.price import Price
from schemas.tables import REQUEST_RESPONSE
from schemas.timestamps import unix_us
from schemas.usage import CACHE_WRITE
from services.domain.savings.prompt_cache import Kept, Loss, Lost, kept_of, loss_of
from services.query.dependencies import Service, ServiceDep
from services.query.http.auth import Reader
from services.query.http.csv import WantsCsv
from services.query.reports.sealed import Found
from services.query.reports.totals import share_of
from services.query.savings.parts import MAX_PARTS, Part, Parted, edges_of, prices_of, smallest_prompt, whole_of
from services.query.savings.question import SavingsQuestion, Table, period_total, savings_question, savings_response
from services.sql.nodes import And, Report
from services.sql.savings.prompt_cache import (
    FIGURES,
    KEYS,
    MIN_PROMPT,
    WRITES,
    compile_cache_prices,
    compile_cache_use,
)

_HOW: Final = ("certain", "likely")
_AMOUNTS: Final = ("unread_writes", "repaid_input", "lost")

ASSUMPTIONS: Final = (
    f"Only requests of one model with reported usage and a prompt of {MIN_PROMPT} tokens or more: shorter ones are "
    "hardly ever cached.",
    "A request shows how much was read and written, and not what. Certainly unread is what was written while nobody "
    "in the organization read anything of the same provider and model for as long as it may have lasted: half an hour "
    "for the shortest lifetime, else an hour or twelve. Likely unread is also what nobody in the same session read.",
    "Certainly paid again is what the request before with the same fingerprint and provider key had in the cache, as "
    "far as this one did not read it, within the shortest lifetime: five minutes, else an hour or twelve. Likely paid "
    "again is also what the request before in the same session and path had.",
    "An unread write loses its price less that of plain input; input that is paid again loses the price of plain input "
    "less that of reading it. What was before the period, or could still be read after it, is left out.",
)


class Losses(msgspec.Struct, frozen=True):
    """Of some parts, by how sure it is."""

    loss: Loss = Loss()
    tokens: int = 0
    unpriced_tokens: int = 0


async def savings_of_prompt_caches(
    body: PromptCacheRequest, organization_id: Reader, service: ServiceDep, as_csv: WantsCsv
) -> Response:
    """What was lost to broken prompt caches of providers, between two bounds, and how much input was read from them."""
    asked = savings_question(body, organization_id, service.clock.now())
    table = partial(_table, names=asked.names) if as_csv else None
    return await savings_response(asked, found_losses(asked, body, service), service, table)


async def found_losses(asked: SavingsQuestion, body: PromptCacheRequest, service: Service) -> Found:
    """Raises: InvalidRequest, StoreUnavailable."""
    question = asked.question
    organization_id, among = question.organization_id, question.period.filter()
    (shares, period), used = await asyncio.gather(
        period_total(asked, service),
        service.warehouse.query(compile_cache_prices(organization_id, And((among, question.where)))),
    )
    prices = await prices_of(organization_id, (row["price"] for row in used), service.warehouse)
    edges = edges_of(prices.values())
    report = Report(
        table=REQUEST_RESPONSE,
        organization_id=organization_id,
        where=question.where,
        measures=(),
        by=asked.by,
        limit=MAX_PARTS,
    )
    end_ms = unix_us(question.period.end) // 1000
    rows = await service.warehouse.query(compile_cache_use(report, among, end_ms, edges))
    whole = whole_of(rows, len(asked.by), KEYS, FIGURES)
    judge = partial(_judged, prices=prices, edges=edges)
    views = [(group, judge(group)) for group in whole.groups]
    views.sort(key=lambda pair: pair[1].lost.likely_usd or Decimal(0), reverse=True)
    shown, left = whole.shown([group for group, _ in views], body.limit, FIGURES)
    truncated = whole.is_cut or len(whole.groups) > body.limit
    view = PromptCacheView(
        start=question.period.start,
        end=question.period.end,
        total=judge(whole.total),
        rows=[CacheLossGroup(by=asked.group(group.by), **dict(found)) for group, found in views[: len(shown)]],
        rest=judge(left) if truncated else None,
        truncated=truncated,
        assumptions=list(ASSUMPTIONS),
    )
    return Found(data=view, shares=shares, is_empty=not period["requests"])


def _judged(group: Parted, prices: Mapping[str, Price], edges: Sequence[int]) -> CacheLossView:
    certain, likely = (_losses(group, how, prices, edges) for how in _HOW)
    amounts = {
        "unread_writes": (certain.loss.unread_usd, likely.loss.unread_usd),
        "repaid_input": (certain.loss.repaid_usd, likely.loss.repaid_usd),
    }
    amounts["lost"] = (_both(certain), _both(likely))
    sums = {name: sum(part.figures[name] for part in group.parts) for name in FIGURES}
    kept = _kept(group, prices, edges)
    fields: dict[str, Any] = _tokens(sums) | {
        "read_saved_usd": None if kept is None else kept.read_usd,
        "write_extra_usd": None if kept is None else kept.written_usd,
    }
    fields |= {name: _loss_view(pair, (certain, likely)) for name, pair in amounts.items()}
    return CacheLossView(unpriced_lost_tokens=likely.unpriced_tokens, **fields)


def _tokens(sums: Mapping[str, int]) -> dict[str, Any]:
    unread = {how: sum(sums[f"unread_{how}_{name}"] for name in WRITES) for how in _HOW}
    repaid = {how: sum(sums[f"repaid_{how}_{kind}"] for kind in ("plain", "written")) for how in _HOW}
    return {
        "requests": sums["requests"],
        "other_requests": sums["other_requests"],
        "input_tokens": sums["input_tokens"],
        "cache_read_tokens": sums["read_tokens"],
        "cache_write_tokens": sums["written_tokens"],
        "read_share": share_of(sums["read_tokens"], sums["input_tokens"]),
        **{f"unread_write_tokens_{how}": count for how, count in unread.items()},
        **{f"repaid_tokens_{how}": count for how, count in repaid.items()},
    }


def _kept(group: Parted, prices: Mapping[str, Price], edges: Sequence[int]) -> Kept | None:
    """Of the parts with a known price; None where something was cached, and all of it at unknown prices."""
    read = written = Decimal(0)
    used = [part for part in group.parts if part.figures["read_tokens"] or part.figures["written_tokens"]]
    known = 0
    for part in used:
        price_id, exceeded = part.key
        writes = {name: part.figures[f"of_text_{short}"] for name, short in zip(CACHE_WRITE, WRITES, strict=True)}
        price, context = prices.get(price_id), smallest_prompt(edges, exceeded)
        kept = kept_of(part.figures["of_text_read"], writes, price, context)
        if kept is not None:
            known += 1
            read += kept.read_usd
            written += kept.written_usd
    return None if used and not known else Kept(read_usd=read, written_usd=written)


def _losses(group: Parted, how: str, prices: Mapping[str, Price], edges: Sequence[int]) -> Losses:
    unread = repaid = Decimal(0)
    tokens = unpriced = 0
    for part in group.parts:
        lost, (price_id, exceeded) = _lost(part, how), part.key
        tokens += lost.tokens
        loss = loss_of(lost, prices.get(price_id), smallest_prompt(edges, exceeded)) if lost.tokens else Loss()
        if loss is None:
            unpriced += lost.tokens
            continue
        unread += loss.unread_usd
        repaid += loss.repaid_usd
    return Losses(Loss(unread_usd=unread, repaid_usd=repaid), tokens, unpriced)


def _both(losses: Losses) -> Decimal:
    return losses.loss.unread_usd + losses.loss.repaid_usd


def _lost(part: Part, how: str) -> Lost:
    return Lost(
        unread={name: part.figures[f"unread_{how}_{short}"] for name, short in zip(CACHE_WRITE, WRITES, strict=True)},
        repaid=part.figures[f"repaid_{how}_plain"],
        repaid_written=part.figures[f"repaid_{how}_written"],
    )


def _loss_view(amounts: tuple[Decimal, Decimal], of: tuple[Losses, Losses]) -> LossView:
    certain, likely = (
        None if losses.tokens and losses.tokens == losses.unpriced_tokens else usd
        for usd, losses in zip(amounts, of, strict=True)
    )
    return LossView(certain_usd=certain, likely_usd=likely)


def _table(view: PromptCacheView, names: Sequence[str]) -> Table:
    groups: list[tuple[str, Sequence[Any], CacheLossView]] = [("group", row.by, row) for row in view.rows]
    blank = [None] * len(names)
    ends = [(line, blank, of) for line, of in (("rest", view.rest), ("total", view.total)) if of is not None]
    lines = [[line, *by, *_flat(of).values()] for line, by, of in (*groups, *ends)]
    return Table("prompt_cache", ["line", *names, *_flat(view.total)], lines)


def _flat(of: CacheLossView) -> Mapping[str, object]:
    shown = of.model_dump(exclude={"by"})
    for name in _AMOUNTS:
        shown |= {f"{name}_{end}": amount for end, amount in shown.pop(name).items()}
    return shown
