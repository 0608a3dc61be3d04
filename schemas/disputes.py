"""Where a reported cost contradicts the one that we calculate, as SQL over one row.

The rule is that of `costs_differ` in `domain/pricing/bill.py`: by more than a hundredth of the larger, and by more than
half a unit of the last decimal that was reported, from thousandths of a dollar on.
"""

from decimal import Decimal
from typing import Final

IS_BILL: Final = "startsWith(price_id, 'bill/')"
CALCULATED: Final = f"if({IS_BILL}, calculated_cost_usd, cost_usd)"
COMPARED: Final = f"(provider_cost_usd IS NOT NULL AND {CALCULATED} IS NOT NULL)"

_REPORTED: Final = "toDecimal128(provider_cost_usd, 12)"
_OURS: Final = f"toDecimal128({CALCULATED}, 12)"
_ROUNDED_BY: Final = ", ".join(
    f"truncate({_REPORTED}, {decimals}) = {_REPORTED}, toDecimal128('{Decimal(5).scaleb(-decimals - 1):f}', 12)"
    for decimals in range(3, 12)
)
_DIFFERENCE: Final = f"abs({_REPORTED} - {_OURS})"

DISPUTED: Final = (
    f"ifNull({_DIFFERENCE} * 100 > greatest({_REPORTED}, {_OURS})"
    f" AND {_DIFFERENCE} > multiIf({_ROUNDED_BY}, toDecimal128('0', 12)), false)"
)
