"""What groups of requests cost together, and how much of that is known. Sums of sums keep their coverage."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from services.query.reports.groups import Group
from services.sql.measures import ALL_TOKENS, COVERAGE, MEASURES, PRICED_TOKENS, Measure, Source
from services.sql.score_measures import adds_up

SPEND: Final[tuple[Measure, ...]] = (
    *(MEASURES["cost_usd"], MEASURES["requests"], MEASURES["attempts"], MEASURES["unpriced_requests"]),
    *(MEASURES["unpriced_requests_without_tokens"], ALL_TOKENS, PRICED_TOKENS),
)


class SpendTotals(msgspec.Struct, frozen=True, kw_only=True):
    """Requests, and what those with a known cost cost. They add up; shares are computed at the end."""

    known_usd: Decimal = Decimal(0)
    requests: int = 0
    attempts: int = 0
    unpriced_requests: int = 0
    unpriced_requests_without_tokens: int = 0
    all_tokens: int = 0
    priced_tokens: int = 0

    @property
    def cost_usd(self) -> Decimal | None:
        """None when there are attempts and the cost of none is known."""
        return None if self.attempts and self.unpriced_requests == self.attempts else self.known_usd


_FIELDS: Final = SpendTotals.__struct_fields__
_OF_VALUE: Final = frozenset(name for name, measure in MEASURES.items() if measure.source is Source.VALUE)


def spend_totals_of(group: Group) -> SpendTotals:
    """Of a group with the measures `SPEND`."""
    figures = group.figures
    return SpendTotals(known_usd=figures["cost_usd"] or Decimal(0), **{name: figures[name] for name in _FIELDS[1:]})


def sum_of(parts: Iterable[SpendTotals]) -> SpendTotals:
    total = SpendTotals()
    for totals in parts:
        total = SpendTotals(**{name: getattr(total, name) + getattr(totals, name) for name in _FIELDS})
    return total


def rest_of(whole: SpendTotals, part: SpendTotals) -> SpendTotals:
    return SpendTotals(**{name: getattr(whole, name) - getattr(part, name) for name in _FIELDS})


def rest_figures(total: Group, shown: Sequence[Group]) -> dict[str, Any]:
    """What `shown` leave of the total, by measure; None for what does not add up, and for what is unknown."""
    rest = {
        name: (figure or 0) - sum(group.figures[name] or 0 for group in shown) if adds_up(name) else None
        for name, figure in total.figures.items()
    }
    for name in (COVERAGE.keys() & rest.keys()) - _OF_VALUE:
        whole, unknown, *_ = COVERAGE[name]
        if rest[whole] and rest[whole] == rest[unknown]:
            rest[name] = None
    return rest | _rest_of_value(total, shown, rest)


def _rest_of_value(total: Group, shown: Sequence[Group], rest: Mapping[str, Any]) -> dict[str, Any]:
    """Unknown where it is of the groups. The margin is not what margins leave: those of unknown cost are in none."""
    if "value_usd" not in rest:
        return {}
    groups = [group.figures["value_usd"] for group in shown]
    value = None if total.figures["value_usd"] is None or None in groups else rest["value_usd"]
    if "margin_usd" not in rest:
        return {"value_usd": value}
    margin = None if value is None or rest["cost_usd"] is None else value - rest["cost_usd"]
    return {"value_usd": value, "margin_usd": margin}


def spend_of(totals: SpendTotals) -> dict[str, Any]:
    """The fields of `schemas.api.requests.Spend`."""
    return {
        "cost_usd": totals.cost_usd,
        "requests": totals.requests,
        "attempts": totals.attempts,
        "unpriced_requests": totals.unpriced_requests,
        "priced_request_share": share_of(totals.attempts - totals.unpriced_requests, totals.attempts),
        "priced_token_share": share_of(totals.priced_tokens, totals.all_tokens),
        "unpriced_requests_without_tokens": totals.unpriced_requests_without_tokens,
    }


def share_of(part: Decimal | int | None, whole: Decimal | int | None) -> float | None:
    """None when either is unknown, or there is nothing to share."""
    return None if part is None or not whole else float(Decimal(part) / Decimal(whole))
