"""What a provider itself says that a response cost: read digit by digit, kept beside our figure and never in its place.

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
    """US dollars, to 1e-12; None when `usage_block` tells no cost, or one that no column can hold."""
    if b"cost" not in usage_block:
        return None
    try:
        told = _costs.decode(usage_block)
        if bytes(told.cost).startswith(b"{"):
            told = _costs.decode(told.cost)
        if told.cost_in_usd_ticks:
            return storable_usd(_decimal.decode(told.cost_in_usd_ticks).scaleb(_TICK_EXPONENT))
        return storable_usd(_decimal.decode(told.cost or told.total_cost or told.estimated_cost))
    except UNDECODABLE:
        return None


def storable_usd(told: Decimal) -> Decimal | None:
    """`told` as a column keeps it; None for what the column cannot hold."""
    if not told.is_finite() or not 0 <= told <= MAX_USD:
        return None
    return told.quantize(UNIT_USD)
