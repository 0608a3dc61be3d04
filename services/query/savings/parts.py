"""Groups in parts of one price each, as the warehouse returns them, and what the groups that are shown leave over."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import msgspec

from schemas.errors import InvalidRequest
from schemas.price import Price
from services.ports.warehouse import Row, Warehouse
from services.query.prices.views import decode_price
from services.query.reports.groups import value_of
from services.sql.prices import compile_prices

MAX_PARTS: Final = 20_000  # of all groups together
MAX_EDGES: Final = 16  # of context tiers that are told apart


class Part(msgspec.Struct, frozen=True):
    """Figures of the requests with one key. They add up."""

    key: tuple[Any, ...]
    figures: Mapping[str, Any]


class Parted(msgspec.Struct, frozen=True):
    """A group, or what others leave of the whole."""

    by: tuple[Any, ...]
    parts: Sequence[Part]


class Whole(msgspec.Struct, frozen=True):
    total: Parted
    groups: Sequence[Parted]
    is_cut: bool  # there are more groups

    def shown(self, ranked: Sequence[Parted], limit: int, figures: Sequence[str]) -> tuple[Sequence[Parted], Parted]:
        """The first of its groups as they are `ranked`, and what they leave of the total."""
        shown = ranked[:limit]
        left = {part.key: dict(part.figures) for part in self.total.parts}
        for part in (part for group in shown for part in group.parts):
            for name in figures:
                left[part.key][name] -= part.figures[name]
        return shown, Parted((), [Part(key, figures) for key, figures in left.items()])


def whole_of(rows: Sequence[Row], dimensions: int, keys: Sequence[str], figures: Sequence[str]) -> Whole:
    """Raises: InvalidRequest when one group alone has too many parts."""
    names = [f"d{position}" for position in range(dimensions)]
    parts = [
        (
            row["total"],
            tuple(value_of(row[name]) for name in names),
            Part(tuple(row[key] for key in keys), _figures(row, figures)),
        )
        for row in rows
    ]
    total = Parted((), [part for is_total, _, part in parts if is_total])
    of_groups = ((by, part) for is_total, by, part in parts if not is_total)
    groups = [Parted(by, [part for _, part in found]) for by, found in groupby(of_groups, lambda pair: pair[0])]
    is_cut = len(rows) == MAX_PARTS
    if is_cut and dimensions:
        groups = groups[:-1]  # there may be more parts of it
    if is_cut and not groups:
        raise InvalidRequest(f"there are more than {MAX_PARTS} models, prices and kinds of usage: filter by model")
    return Whole(total, groups, is_cut)


def _figures(row: Row, figures: Sequence[str]) -> Mapping[str, Any]:
    return {name: row[name] for name in figures}


async def prices_of(organization_id: str, price_ids: Iterable[str], warehouse: Warehouse) -> Mapping[str, Price]:
    """Of those that are stored, by their ids."""
    wanted = sorted({price_id for price_id in price_ids if price_id})
    if not wanted:
        return {}
    rows = await warehouse.query(compile_prices(organization_id, wanted))
    return {row["price_id"]: decode_price(row["price"]) for row in rows}


def edges_of(prices: Collection[Price]) -> list[int]:
    """The sizes of prompts above which any of `prices` is another one, the smallest first."""
    edges = {threshold for price in prices for rate in price.rates.values() for threshold, _ in rate.tiers}
    limits = {price.max_prompt_tokens for price in prices if price.max_prompt_tokens is not None}
    return sorted(edges | limits)[:MAX_EDGES]


def smallest_prompt(edges: Sequence[int], exceeded: int) -> int:
    """Of a context tier."""
    return edges[exceeded - 1] + 1 if exceeded else 0
