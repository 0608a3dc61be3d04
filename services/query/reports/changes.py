"""What changed between two periods: the difference of cost by group, and its reasons."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any, Final, TypeAlias

import msgspec
from fastapi import Response

from schemas.api.changes import ChangedGroup, ChangesRequest, ChangesView, CostDifference, CostOfPeriod, CostReasons
from schemas.api.reports import Presence
from schemas.errors import InvalidRequest
from schemas.price import Price
from schemas.tables import REQUEST_RESPONSE
from schemas.usage import USAGE_CLASSES
from services.domain.reports.cost_change import CostChange, ModelUse, cost_change, sum_of
from services.domain.reports.worth import worth_of
from services.ports.warehouse import Warehouse
from services.query.dependencies import Service, ServiceDep
from services.query.http.auth import Reader
from services.query.http.csv import WantsCsv, block_lines, changes_csv
from services.query.prices.views import decode_price
from services.query.reports.files import facts_of
from services.query.reports.groups import by_of
from services.query.reports.question import Question, comparison_by, dimensions_of, names_of_parts, question_of
from services.query.reports.report import rows_named
from services.query.reports.response import change_of, in_zone
from services.query.reports.sealed import Found, run_with_shares, sealed_found, sealed_response
from services.sql.changes import PARTS, compile_changes
from services.sql.measures import ROWS
from services.sql.nodes import And, Comparison, Report
from services.sql.prices import compile_prices

MAX_PARTS: Final = 20_000  # that groups are split into, by period, model and price
_NAMES: Final = tuple(measure.name for measure in PARTS)

Model: TypeAlias = tuple[str, str]  # provider and name
Key: TypeAlias = tuple[str, str, str]  # provider, model and price


class Part(msgspec.Struct, frozen=True):
    """What a group used of one model at one price in one period. Figures add up."""

    key: Key
    is_later: bool
    figures: Mapping[str, Any]


class Changed(msgspec.Struct, frozen=True):
    by: tuple[Any, ...]
    parts: Sequence[Part]


async def report_changes(
    body: ChangesRequest, organization_id: Reader, service: ServiceDep, as_csv: WantsCsv
) -> Response:
    """Why a cost differs from an earlier one: volume, model mix, tokens, caches, prices and coverage, by group.

    With `Accept: text/csv` as CSV.
    """
    question = question_of(body, organization_id, service.clock.now())
    by = dimensions_of(body.by, body.time_zone)
    found = _found_changes(question, body, service)
    if not as_csv:
        return await sealed_response(found, service, organization_id, question.where, by)
    shown, seal, warnings = await sealed_found(found, service, organization_id, question.where, by)
    assert isinstance(shown.data, ChangesView)
    facts = facts_of("changes", question, rows_named(shown.data, has_groups=bool(by)), seal, service)
    return changes_csv(shown.data, names_of_parts(body.by), block_lines(facts), warnings=warnings)


async def _found_changes(question: Question, body: ChangesRequest, service: Service) -> Found:
    """With the shares of the later period."""
    later = Report(
        table=REQUEST_RESPONSE,
        organization_id=question.organization_id,
        where=And((question.period.filter(), question.where)),
        measures=(ROWS,),
    )
    view = await changes(question, body, service.warehouse)
    shares, _, _ = await run_with_shares(later, service.warehouse)
    is_empty = not (view.total.before.requests or view.total.after.requests)
    return Found(data=view, shares=shares, is_empty=is_empty)


async def changes(question: Question, body: ChangesRequest, warehouse: Warehouse) -> ChangesView:
    """Raises: InvalidRequest, StoreUnavailable."""
    assert question.compared is not None
    query = comparison_by(question, body.by, PARTS, MAX_PARTS)
    total, groups, is_cut = await _found(query, body.limit + 1, warehouse)
    prices = await _prices(question.organization_id, total.parts, warehouse)
    shown, truncated = groups[: body.limit], is_cut or len(groups) > body.limit
    rest = Changed((), _left(total, shown))
    reasons = [_reasons(group, prices) for group in shown]
    other = _reasons(rest, prices) if truncated or not body.by else CostChange()
    return ChangesView(
        start=question.period.start,
        end=question.period.end,
        compared_start=question.compared.start,
        compared_end=question.compared.end,
        total=CostDifference(**_difference(total, sum_of((*reasons, other)))),
        rows=[
            ChangedGroup(
                by=[in_zone(value, question.zone) for value in group.by],
                presence=_presence(group),
                **_difference(group, reason),
            )
            for group, reason in zip(shown, reasons, strict=True)
        ],
        rest=CostDifference(**_difference(rest, other)) if truncated else None,
        truncated=truncated,
    )


async def _found(query: Comparison, limit: int, warehouse: Warehouse) -> tuple[Changed, list[Changed], bool]:
    """The total, the first groups in order, and whether there are more parts of them than are looked at."""
    rows = await warehouse.query(compile_changes(query, limit))
    totals = [_part(row) for row in rows if row["total"]]
    of_groups = ((by_of(row, query.report), _part(row)) for row in rows if not row["total"])
    groups = [Changed(by, [part for _, part in parts]) for by, parts in groupby(of_groups, lambda pair: pair[0])]
    is_cut = len(rows) == MAX_PARTS
    if is_cut:
        groups.pop()  # there may be more parts of it
    if is_cut and not groups:
        raise InvalidRequest(f"by: one group alone has more than {MAX_PARTS} models and prices: filter by model")
    return Changed((), totals), groups, is_cut


def _part(row: Mapping[str, Any]) -> Part:
    figures = {name: row[f"m{position}"] or 0 for position, name in enumerate(_NAMES)}
    return Part((row["provider"], row["model"], row["price_id"]), row["here"] == 1, figures)


def _left(total: Changed, shown: Iterable[Changed]) -> list[Part]:
    """What `shown` leave of the total."""
    left = {(part.key, part.is_later): dict(part.figures) for part in total.parts}
    for part in (part for group in shown for part in group.parts):
        figures = left[part.key, part.is_later]
        for name in _NAMES:
            figures[name] -= part.figures[name]
    return [Part(key, is_later, figures) for (key, is_later), figures in left.items()]


async def _prices(organization_id: str, parts: Iterable[Part], warehouse: Warehouse) -> Mapping[Model, Price]:
    """Of each model the price that most of its requests had in the earlier period; if it had none, in the later one."""
    priced = [part for part in parts if part.key[2] and part.figures["priced"]]
    ranked = sorted(priced, key=lambda part: (not part.is_later, part.figures["priced"], part.key))
    chosen = {part.key[:2]: part.key[2] for part in ranked}
    if not chosen:
        return {}
    rows = await warehouse.query(compile_prices(organization_id, sorted(set(chosen.values()))))
    known = {row["price_id"]: decode_price(row["price"]) for row in rows}
    return {model: known[price_id] for model, price_id in chosen.items() if price_id in known}


def _reasons(group: Changed, prices: Mapping[Model, Price]) -> CostChange:
    before, after = (_uses(group, prices, is_later=is_later) for is_later in (False, True))
    return cost_change(before, after)


def _uses(group: Changed, prices: Mapping[Model, Price], *, is_later: bool) -> dict[Model, ModelUse]:
    uses: dict[Model, ModelUse] = {}
    for part in group.parts:
        if part.is_later is not is_later:
            continue
        model, figures = part.key[:2], part.figures
        usage = {name: figures[name] for name in USAGE_CLASSES}
        uncached, value = worth_of(usage, figures["paid"], prices.get(model))
        use = ModelUse(
            requests=figures["requests"],
            priced=figures["priced"],
            paid=figures["paid"],
            uncached_value=uncached,
            value=value,
            cost_usd=Decimal(figures["cost_usd"]),
        )
        uses[model] = _added(uses.get(model, ModelUse()), use)
    return uses


def _added(one: ModelUse, other: ModelUse) -> ModelUse:
    return ModelUse(**{name: getattr(one, name) + getattr(other, name) for name in ModelUse.__struct_fields__})


def _difference(group: Changed, reasons: CostChange) -> dict[str, Any]:
    """The fields of `CostDifference`."""
    before, after = (_cost(group, is_later=is_later) for is_later in (False, True))
    change = change_of(after.cost_usd, before.cost_usd)
    return {
        "before": before,
        "after": after,
        "difference_usd": (after.cost_usd or Decimal(0)) - (before.cost_usd or Decimal(0)),
        "relative": change.relative if change else None,
        "reasons": CostReasons(**msgspec.structs.asdict(reasons)),
    }


def _cost(group: Changed, *, is_later: bool) -> CostOfPeriod:
    figures = [part.figures for part in group.parts if part.is_later is is_later]
    requests, priced = (sum(part[name] for part in figures) for name in ("requests", "priced"))
    known = sum((Decimal(part["cost_usd"]) for part in figures), Decimal(0))
    return CostOfPeriod(
        cost_usd=known if priced or not requests else None, requests=requests, unpriced_requests=requests - priced
    )


def _presence(group: Changed) -> Presence:
    periods = {part.is_later for part in group.parts}
    return Presence.BOTH if len(periods) == 2 else Presence.NEW if True in periods else Presence.GONE
