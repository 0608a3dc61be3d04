"""The cost that a provider itself reports: decoded digit by digit, stored beside our cost and never in its place.

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


class _Costs(msgspec.Struct):
    cost: msgspec.Raw = _NOT_THERE
    total_cost: msgspec.Raw = _NOT_THERE
    estimated_cost: msgspec.Raw = _NOT_THERE
    cost_in_usd_ticks: msgspec.Raw = _NOT_THERE


_costs = msgspec.json.Decoder(_Costs)
_decimal = msgspec.json.Decoder(Decimal)


def reported_cost_usd(usage_block: bytes) -> Decimal | None:
    """US dollars, to 1e-12; None when `usage_block` reports no cost, or one that exceeds the column."""
    if b"cost" not in usage_block:
        return None
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
