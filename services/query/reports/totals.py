"""What groups of requests cost together, and how much of that is known. Sums of sums keep their coverage."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from services.query.reports.groups import Group
from services.sql.measures import ADDED_UP, ALL_TOKENS, COVERAGE, MEASURES, PRICED_TOKENS, Measure

SPEND: Final[tuple[Measure, ...]] = (
    *(MEASURES["cost_usd"], MEASURES["requests"], MEASURES["unpriced_requests"]),
    *(MEASURES["unpriced_requests_without_tokens"], ALL_TOKENS, PRICED_TOKENS),
)


class SpendTotals(msgspec.Struct, frozen=True, kw_only=True):
    """Requests, and what those with a known cost cost. They add up; shares are computed at the end."""

    known_usd: Decimal = Decimal(0)
    requests: int = 0
    unpriced_requests: int = 0
    unpriced_requests_without_tokens: int = 0
    all_tokens: int = 0
    priced_tokens: int = 0

    @property
    def cost_usd(self) -> Decimal | None:
        """None when there are requests and the cost of none is known."""
        return None if self.requests and self.unpriced_requests == self.requests else self.known_usd


_FIELDS: Final = SpendTotals.__struct_fields__


def spend_totals_of(group: Group) -> SpendTotals:
    """Of a group with the measures `SPEND`."""
    figures = dict(group.figures)
    return SpendTotals(known_usd=figures.pop("cost_usd") or Decimal(0), **{name: figures[name] for name in _FIELDS[1:]})


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
        name: (figure or 0) - sum(group.figures[name] or 0 for group in shown) if name in ADDED_UP else None
        for name, figure in total.figures.items()
    }
    for name in COVERAGE.keys() & rest.keys():
        requests, unpriced, *_ = COVERAGE[name]
        if rest[requests] and rest[requests] == rest[unpriced]:
            rest[name] = None
    return rest


def spend_of(totals: SpendTotals) -> dict[str, Any]:
    """The fields of `schemas.api.requests.Spend`."""
    return {
        "cost_usd": totals.cost_usd,
        "requests": totals.requests,
        "unpriced_requests": totals.unpriced_requests,
        "priced_request_share": share_of(totals.requests - totals.unpriced_requests, totals.requests),
        "priced_token_share": share_of(totals.priced_tokens, totals.all_tokens),
        "unpriced_requests_without_tokens": totals.unpriced_requests_without_tokens,
    }


def share_of(part: Decimal | int | None, whole: Decimal | int | None) -> float | None:
    """None when either is unknown, or there is nothing to share."""
    return None if part is None or not whole else float(Decimal(part) / Decimal(whole))
