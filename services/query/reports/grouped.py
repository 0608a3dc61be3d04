"""Runs pages of groups and their distributions, and parses what comes back."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from schemas.api.groups import Coverage, HistogramRow
from services.ports.warehouse import Warehouse
from services.query.reports.groups import Group
from services.query.reports.totals import spend_of, spend_totals_of
from services.sql.grouping import (
    BINS,
    GroupOrder,
    Groups,
    PSize,
    compile_bins,
    compile_bounds,
    compile_group_page,
    compile_group_totals,
)

_PICODOLLAR: Final = Decimal("1e-12")


class Summed(msgspec.Struct, frozen=True, kw_only=True):
    """How many groups there are, and the sum of each measure over those that have a value, by name."""

    groups: int
    sums: Mapping[str, Any]
    known: Mapping[str, int]

    def average(self, name: str) -> Any:
        """Of the groups that have a value; None when none has one. Exact to 1e-12 for amounts."""
        return average_of(self.sums[name], self.known[name])


async def page_of_groups(
    groups: Groups, order: GroupOrder, warehouse: Warehouse, *, limit: int, offset: int = 0
) -> list[Group]:
    """In order; an empty dimension is ''. Raises: StoreUnavailable."""
    rows = await warehouse.query(compile_group_page(groups, order, limit, offset))
    return [_group(row, groups) for row in rows]


async def sums_of_groups(groups: Groups, warehouse: Warehouse) -> Summed:
    """Raises: StoreUnavailable."""
    (row,) = await warehouse.query(compile_group_totals(groups))
    names = [measure.name for measure in groups.measures]
    return Summed(
        groups=row["groups"],
        sums={name: row[f"sum{position}"] for position, name in enumerate(names)},
        known={name: row[f"known{position}"] for position, name in enumerate(names)},
    )


async def histogram_of(
    groups: Groups, size: PSize, warehouse: Warehouse, *, interquartile: bool = False
) -> list[HistogramRow]:
    """Of the first measure of `groups`, up to a percentile, in bars of equal width; empty when none has a value.

    With `interquartile` from the opposite percentile on. Raises: StoreUnavailable.
    """
    (bounds,) = await warehouse.query(compile_bounds(groups, size))
    if not bounds["known"]:
        return []
    low = _exact(bounds["lower" if interquartile else "lowest"])
    high = _exact(bounds["upper"])
    edges = [(low + (high - low) * at / BINS).quantize(_PICODOLLAR) for at in range(BINS)] if high > low else [low]
    counted = {row["bin"]: row["groups"] for row in await warehouse.query(compile_bins(groups, edges, high))}
    ends = [*edges[1:], high]
    return [
        HistogramRow(range_start=_text(start), range_end=_text(end), value=counted.get(position, 0))
        for position, (start, end) in enumerate(zip(edges, ends, strict=True), start=1)
    ]


def average_of(total: Any, count: int) -> Any:
    if not count or total is None:
        return None
    return (total / count).quantize(_PICODOLLAR) if isinstance(total, Decimal) else total / count


def coverage_of(group: Group) -> Coverage:
    """Of a group with the measures `SPEND`."""
    spend = spend_of(spend_totals_of(group))
    del spend["cost_usd"]
    return Coverage(**spend)


def figures_named(group: Group, names: Mapping[str, str]) -> dict[str, Any]:
    """Fields of a view by the names of the measures in them."""
    return {field: group.figures[name] for field, name in names.items()}


def _group(row: Mapping[str, Any], groups: Groups) -> Group:
    by: Sequence[Any] = [row[f"d{position}"] for position in range(len(groups.by))]
    figures = {measure.name: row[f"m{position}"] for position, measure in enumerate(groups.measures)}
    return Group(tuple(by), figures)


def _exact(value: object) -> Decimal:
    return Decimal(str(value)).quantize(_PICODOLLAR)


def _text(amount: Decimal) -> str:
    digits = f"{amount:f}"
    return digits.rstrip("0").rstrip(".") if "." in digits else digits
