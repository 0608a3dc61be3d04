"""The same usage at another model's price, or at that of another service tier, as a range."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final

import msgspec
from fastapi import Response

from schemas.api.requests import NameWarning
from schemas.api.savings import (
    Alternative,
    AlternativeRequest,
    RangeUsd,
    WhatIfFigures,
    WhatIfGroup,
    WhatIfRequest,
    WhatIfView,
)
from schemas.price import Price, PriceBook, ShippedBook
from schemas.tables import REQUEST_RESPONSE
from schemas.usage import USAGE_CLASSES
from services.domain.pricing.price_book import LayeredPrices
from services.domain.savings.what_if import SAME, Apart, Bounds, Use, bounds_at
from services.query.dependencies import Service, ServiceDep
from services.query.http.auth import Reader
from services.query.http.csv import WantsCsv
from services.query.reports.groups import run_report
from services.query.reports.sealed import Found
from services.query.savings.parts import MAX_PARTS, Part, Parted, Whole, edges_of, smallest_prompt, whole_of
from services.query.savings.question import SavingsQuestion, Table, period_total, savings_question, savings_response
from services.sql.measures import MEASURES
from services.sql.nodes import And, Report
from services.sql.savings.what_if import FIGURES, KEYS, compile_usage
from services.sql.sort import group_by_column
from services.sql.values import shown as in_quotes

_MAX_MODELS: Final = 1000  # whose context tiers are looked up
_BY_MODEL: Final = (group_by_column("provider"), group_by_column("model"))
_MODEL_USE: Final = tuple(MEASURES[name] for name in ("cost_usd", "first_request_at", "last_request_at"))

_ASSUMED: Final = (
    "Only requests of one model whose cost and usage are known, and for all of whose usage the alternative has a "
    "price, are compared; prices are those in force when the requests were made, and the context tier is that of the "
    "prompt as it was counted.",
    "Input that was read from a prompt cache or written to one may be so there too, or be plain input: the cheaper is "
    "in the lower bound of the cost, the dearer in the upper one.",
)
_OF_TIERS: Final = (
    "At another service tier the same model uses the same tokens. Batches are returned within a day, flex "
    "responses may take long, and be refused: whether requests can wait is not known here."
)
_OF_MODELS: Final = (
    "Another model may count the same input up to {input} apart, and its output may be up to {output} longer or "
    "shorter; reasoning counts as output. Whether its responses are as good is not known here."
)


class Setting(msgspec.Struct, frozen=True):
    """What the value of a part depends on beside itself."""

    alternative: AlternativeRequest
    book: PriceBook
    edges: Sequence[int]
    apart: Apart


async def savings_at_other_prices(
    body: WhatIfRequest, organization_id: Reader, service: ServiceDep, as_csv: WantsCsv
) -> Response:
    """What the same usage would have cost at other models' or service tiers' prices, with its assumptions."""
    asked = savings_question(body, organization_id, service.clock.now())
    table = partial(_table, names=asked.names) if as_csv else None
    return await savings_response(asked, found_alternatives(asked, body, service), service, table)


async def found_alternatives(asked: SavingsQuestion, body: WhatIfRequest, service: Service) -> Found:
    """Raises: InvalidRequest, StoreUnavailable."""
    question = asked.question
    report = Report(
        table=REQUEST_RESPONSE,
        organization_id=question.organization_id,
        where=And((question.period.filter(), question.where)),
        measures=_MODEL_USE,
        by=_BY_MODEL,
        limit=_MAX_MODELS,
    )
    rows, (shares, period), (_, models) = await asyncio.gather(
        service.price_rows.list_prices(question.organization_id),
        period_total(asked, service),
        run_report(report, service.warehouse),
    )
    book = LayeredPrices(service.shipped, rows)
    used = [(*group.by, group.figures[measure.name]) for group in models for measure in _MODEL_USE[1:]]
    edges = await asyncio.to_thread(_edges, body.alternatives, used, book)
    parts = msgspec.structs.replace(report, measures=(), by=asked.by, limit=MAX_PARTS)
    found = await service.warehouse.query(compile_usage(parts, edges))
    whole = whole_of(found, len(asked.by), KEYS, (*FIGURES, "last"))
    apart = Apart(input=body.input_tokens_within, output=body.output_tokens_within)
    settings = [Setting(one, book, edges, apart) for one in body.alternatives]
    view = await asyncio.to_thread(_view, asked, body, whole, settings)
    warnings = await asyncio.to_thread(_unpriced, body.alternatives, used, book, service.shipped)
    return Found(data=view, shares=shares, is_empty=not period["requests"], warnings=warnings)


def _unpriced(
    alternatives: Iterable[AlternativeRequest], used: Sequence[tuple[Any, ...]], book: PriceBook, shipped: ShippedBook
) -> list[NameWarning]:
    """Models of `alternatives` that no provider of `used` has a price of, at any of their timestamps."""
    return [
        _unknown_model(one, shipped.nearest(one.provider, one.model, used[0][-1]))
        for one in alternatives
        if one.model
        and used
        and all(book.price_at(one.provider or provider or "", one.model, at) is None for provider, _, at in used)
    ]


def _unknown_model(one: AlternativeRequest, nearest: Price | None) -> NameWarning:
    name = None if nearest is None else nearest.model
    meant = f"; the nearest is {in_quotes(name)}" if name else ""
    whose = f" of {one.provider}" if one.provider else ""
    text = f"no price is known for the model {in_quotes(one.model)}{whose}, so nothing is compared with it{meant}"
    return NameWarning(code="unknown_model", message=text, column=None, name=one.model, nearest=name)


def _view(asked: SavingsQuestion, body: WhatIfRequest, whole: Whole, settings: Sequence[Setting]) -> WhatIfView:
    """The total is the sum of what is shown: each bound is rounded once."""
    judged = [(group, _figures(group, settings)) for group in whole.groups]
    judged.sort(key=lambda pair: max(figures.saving.low_usd for figures in pair[1]), reverse=True)
    shown, left = whole.shown([group for group, _ in judged], body.limit, FIGURES)
    of_shown, rest = [figures for _, figures in judged[: len(shown)]], _figures(left, settings)
    truncated = whole.is_cut or len(whole.groups) > body.limit
    return WhatIfView(
        start=asked.question.period.start,
        end=asked.question.period.end,
        alternatives=[_alternative(one) for one in body.alternatives],
        total=[_sum(figures) for figures in zip(rest, *of_shown, strict=True)],
        rows=[
            WhatIfGroup(by=asked.group(group.by), figures=figures)
            for group, figures in zip(shown, of_shown, strict=True)
        ],
        rest=rest if truncated else None,
        truncated=truncated,
        assumptions=_assumptions(body),
    )


def _edges(alternatives: Iterable[AlternativeRequest], used: Iterable[tuple[Any, ...]], book: PriceBook) -> list[int]:
    """Of the context tiers of all prices that may be needed: of `used` providers and models, at a timestamp each."""
    prices = (
        book.price_at(one.provider or provider or "", one.model or model or "", timestamp, one.service_tier)
        for one in alternatives
        for provider, model, timestamp in used
    )
    return edges_of([price for price in prices if price is not None])


def _figures(group: Parted, settings: Iterable[Setting]) -> list[WhatIfFigures]:
    return [_of_alternative(group, setting) for setting in settings]


def _of_alternative(group: Parted, setting: Setting) -> WhatIfFigures:
    requests = other = 0
    cost_usd, bounds = Decimal(0), Bounds()
    for part in group.parts:
        found = _bounds(part, setting) if part.key[0] and part.figures["requests"] else None
        if found is None:
            other += part.figures["requests"]
            continue
        requests += part.figures["requests"]
        cost_usd += part.figures["cost_usd"]
        bounds += found
    exact = bounds.rounded()
    return _compared(requests, cost_usd, exact, other)


def _compared(requests: int, cost_usd: Decimal, bounds: Bounds, other: int) -> WhatIfFigures:
    return WhatIfFigures(
        requests=requests,
        cost_usd=cost_usd,
        alternative=RangeUsd(low_usd=bounds.low_usd, high_usd=bounds.high_usd),
        saving=RangeUsd(low_usd=cost_usd - bounds.high_usd, high_usd=cost_usd - bounds.low_usd),
        exact=bounds.low_usd == bounds.high_usd,
        other_requests=other,
    )


def _bounds(part: Part, setting: Setting) -> Bounds | None:
    _, provider, model, price_id, _, exceeded, _ = part.key
    one = setting.alternative
    price = _price(provider, model, part.figures["last"], setting)
    if price is None:
        return None
    if price.id == price_id:  # it was charged so
        return Bounds(low_usd=part.figures["cost_usd"], high_usd=part.figures["cost_usd"])
    is_same = (one.provider or provider, one.model or model) == (provider, model)
    use = Use(
        requests=part.figures["requests"],
        usage={name: part.figures[name] for name in USAGE_CLASSES},
        context_tokens=smallest_prompt(setting.edges, exceeded),
    )
    return bounds_at(use, price, SAME if is_same else setting.apart)


def _price(provider: str, model: str, timestamp: Any, setting: Setting) -> Price | None:
    one = setting.alternative
    return setting.book.price_at(one.provider or provider, one.model or model, timestamp, one.service_tier)


def _sum(figures: Iterable[WhatIfFigures]) -> WhatIfFigures:
    """Of groups and the rest, as they are shown."""
    parts = list(figures)
    low, high = (
        sum((getattr(part.alternative, name) for part in parts), Decimal(0)) for name in ("low_usd", "high_usd")
    )
    return _compared(
        sum(part.requests for part in parts),
        sum((part.cost_usd for part in parts), Decimal(0)),
        Bounds(low_usd=low, high_usd=high),
        sum(part.other_requests for part in parts),
    )


def _alternative(one: AlternativeRequest) -> Alternative:
    return Alternative(
        provider=one.provider or None,
        model=one.model or None,
        service_tier=one.service_tier,
        kind="model" if one.model or one.provider else "service_tier",
    )


def _assumptions(body: WhatIfRequest) -> list[str]:
    kinds = {_alternative(one).kind for one in body.alternatives}
    apart = {"input": f"{body.input_tokens_within:.0%}", "output": f"{body.output_tokens_within:.0%}"}
    return [
        *_ASSUMED,
        *([_OF_TIERS] if "service_tier" in kinds else []),
        *([_OF_MODELS.format(**apart)] if "model" in kinds else []),
    ]


def _table(view: WhatIfView, names: Sequence[str]) -> Table:
    """A line for each group and alternative; then those of the rest and of the total."""
    groups: list[tuple[str, Sequence[object], Sequence[WhatIfFigures]]] = [
        ("group", row.by, row.figures) for row in view.rows
    ]
    blank = [None] * len(names)
    ends = [(line, blank, of) for line, of in (("rest", view.rest), ("total", view.total)) if of is not None]
    lines = [
        [line, *by, *_named(alternative), *_amounts(figures).values()]
        for line, by, of in (*groups, *ends)
        for alternative, figures in zip(view.alternatives, of, strict=True)
    ]
    columns = _amounts(view.total[0])
    return Table("what_if", ["line", *names, "provider", "model", "service_tier", *columns], lines)


def _named(alternative: Alternative) -> Sequence[object]:
    return alternative.provider, alternative.model, alternative.service_tier


def _amounts(figures: WhatIfFigures) -> Mapping[str, object]:
    flat = figures.model_dump()
    for name in ("alternative", "saving"):
        flat |= {f"{name}_{end}": amount for end, amount in flat.pop(name).items()}
    return flat
