"""The cost that a provider itself reports: decoded digit by digit.

Whether it is the provider's bill, and so the cost, is decided in `domain/pricing/bill.py`.

Sources: https://openrouter.ai/docs/use-cases/usage-accounting (credits are US dollars),
https://docs.perplexity.ai/api-reference/chat-completions-post, https://docs.x.ai/docs/key-information/usage-and-costs
(ten thousand million ticks are a dollar), https://deepinfra.com/docs/advanced/usage
"""

from decimal import Decimal
from typing import Final

import msgspec

from schemas.price import MAX_USD, UNIT_USD
from schemas.undecodable import UNDECODABLE

_TICK_EXPONENT: Final = -10
_NOT_THERE: Final = msgspec.Raw(b"")


class ReportedCost(msgspec.Struct, frozen=True):
    """`usd` is None when no cost is reported, or one that exceeds the column."""

    usd: Decimal | None = None
    is_whole: bool = False  # who reports it charges all of it: no key of the client's own was billed elsewhere


class _Details(msgspec.Struct):
    upstream_inference_cost: Decimal | None = None


class _Costs(msgspec.Struct):
    cost: msgspec.Raw = _NOT_THERE
    total_cost: msgspec.Raw = _NOT_THERE
    estimated_cost: msgspec.Raw = _NOT_THERE
    cost_in_usd_ticks: msgspec.Raw = _NOT_THERE


class _KeyUsed(msgspec.Struct):
    """What OpenRouter says of calls by a key of the client's own: then `cost` is its fee, and the rest is upstream."""

    is_byok: bool | None = None
    cost_details: _Details | None = None

    @property
    def upstream_usd(self) -> Decimal | None:
        upstream_usd = None if self.cost_details is None else self.cost_details.upstream_inference_cost
        return None if upstream_usd is None else storable_usd(upstream_usd)


_costs = msgspec.json.Decoder(_Costs)
_decimal = msgspec.json.Decoder(Decimal)
_key_used = msgspec.json.Decoder(_KeyUsed)
_NOTHING: Final = ReportedCost()


def reported_cost(usage_block: bytes) -> ReportedCost:
    """The cost in `usage_block`, to 1e-12. For a call by the client's own key it is fee and upstream cost together."""
    reported_usd = _cost_usd(usage_block) if b"cost" in usage_block else None
    if reported_usd is None:
        return _NOTHING
    try:
        call = _key_used.decode(usage_block)
    except UNDECODABLE:
        return ReportedCost(usd=reported_usd)
    upstream_usd = call.upstream_usd
    if call.is_byok is None:  # in older responses only calls by an own key had an upstream cost
        return ReportedCost(usd=reported_usd, is_whole=reported_usd > 0 and not upstream_usd)
    if not call.is_byok:
        return ReportedCost(usd=reported_usd, is_whole=True)
    return ReportedCost(usd=None if upstream_usd is None else storable_usd(reported_usd + upstream_usd))


def _cost_usd(usage_block: bytes) -> Decimal | None:
    try:
        costs = _costs.decode(usage_block)
        if bytes(costs.cost).startswith(b"{"):
            costs = _costs.decode(costs.cost)
        if costs.cost_in_usd_ticks:
            return storable_usd(_decimal.decode(costs.cost_in_usd_ticks).scaleb(_TICK_EXPONENT))
        return storable_usd(_decimal.decode(costs.cost or costs.total_cost or costs.estimated_cost))
    except UNDECODABLE:
        return None


def storable_usd(cost_usd: Decimal) -> Decimal | None:
    """`cost_usd` as a column stores it; None for what exceeds the column."""
    if not cost_usd.is_finite() or not 0 <= cost_usd <= MAX_USD:
        return None
    return cost_usd.quantize(UNIT_USD)
