"""Sums by group, split into parts that have one price each: what they are worth is decided outside the warehouse."""

from collections.abc import Mapping, Sequence
from typing import Final

from schemas.statement import Statement
from schemas.usage import INPUT
from services.sql.scope import Scope

CONTEXT: Final = " + ".join(INPUT)  # the size of a prompt, by which context tiers are chosen
# By which a request was charged, be it beside a provider's own bill.
PRICE: Final = "if(calculated_price_id != '', calculated_price_id, price_id)"

# Tokens of several models, of which only the billed one has the price of the row.
SEVERAL_MODELS: Final = "(other_models != '')"


def compile_parts(
    rows: str,
    names: Sequence[str],
    keys: Sequence[str],
    figures: Mapping[str, str],
    weight: str,
    limit: int,
    scope: Scope,
) -> Statement:
    """The `figures` of each group `names` by `keys`; first those of the `total`, then the group of most `weight`."""
    group = ["total", *names]
    sets = [[*names, *keys], keys] if names else [keys]
    total = "grouping(d0) AS total" if names else "1 AS total"
    sums = [f"{sql} AS {name}" for name, sql in figures.items()]
    grouping = ", ".join(f"({', '.join(part)})" for part in sets)
    grouped = (
        f"FROM (SELECT {', '.join((total, *names, *keys, *sums, f'{weight} AS weight'))} {rows}"
        f" GROUP BY GROUPING SETS ({grouping}))"
    )
    moved = f"sum(weight) OVER (PARTITION BY {', '.join(group)}) AS moved"
    return scope.statement(
        f"SELECT {', '.join((*group, *keys, *figures, moved))} {grouped}"
        f" ORDER BY total DESC, moved DESC, {', '.join((*names, *keys))} LIMIT {scope.bind(limit, 'UInt64')}"
    )


def context_tier(edges: Sequence[int], scope: Scope) -> str:
    """How many of the `edges` the prompt of a request exceeds."""
    exceeded = (f"({CONTEXT} > {scope.bind(edge, 'UInt64')})" for edge in edges)
    return " + ".join(("toUInt8(0)", *exceeded))
