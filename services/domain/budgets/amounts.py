"""Dollars as the whole nanodollars of counters: what is spent is rounded up, and what may be spent down."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Final

NANO: Final = 9  # decimals
MAX_LIMIT_USD: Final = Decimal(5_000_000)  # what is far above it has no exact number in Redis: 2**53 nanodollars

_EXACT: Final = Context(prec=60)


def spent_nano(usd: Decimal) -> int:
    """At least `usd`."""
    return int(usd.scaleb(NANO, _EXACT).to_integral_value(ROUND_CEILING))


def limit_nano(usd: Decimal) -> int:
    """At most `usd`."""
    return int(usd.scaleb(NANO, _EXACT).to_integral_value(ROUND_FLOOR))


def usd_of(nano: int) -> Decimal:
    """Exact."""
    return Decimal(nano).scaleb(-NANO, _EXACT)
