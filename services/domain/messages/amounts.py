"""Numbers as people read them in a message. Unknown is said, and never shown as zero."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from schemas.notice import NoticeUnit

UNKNOWN: Final = "unknown"
_CENT: Final = Decimal("0.01")
_LEAST: Final = Decimal("0.000001")
_SECOND_MS: Final = 1000


def shown(amount: Decimal | None, unit: NoticeUnit) -> str:
    """Rounded: dollars to the cent, and below one to six digits."""
    if amount is None or not amount.is_finite():
        return UNKNOWN
    match unit:
        case NoticeUnit.USD:
            return f"{'-' if amount < 0 else ''}{_dollars(abs(amount))}"
        case NoticeUnit.SHARE:
            return f"{_plain(amount * 100, Decimal('0.1'))}%"
        case NoticeUnit.MILLISECONDS if abs(amount) >= _SECOND_MS:
            return f"{_plain(amount / _SECOND_MS, _CENT)} s"
        case NoticeUnit.MILLISECONDS:
            return f"{_plain(amount, Decimal(1))} ms"
        case NoticeUnit.COUNT:
            return _plain(amount, _CENT)


def signed(amount: Decimal | None, unit: NoticeUnit) -> str:
    """The same with its sign, for differences."""
    text = shown(amount, unit)
    return f"+{text}" if amount is not None and amount > 0 else text


def percent(share: Decimal | None) -> str:
    """Whole percent; '' where the share is not known."""
    return "" if share is None else f"{_plain(share * 100, Decimal(1))}%"


def _dollars(amount: Decimal) -> str:
    if amount == 0 or amount >= _CENT:
        return f"${amount:,.2f}"
    return f"${amount:.6f}" if amount >= _LEAST else f"<${_LEAST}"


def _plain(amount: Decimal, step: Decimal) -> str:
    """With separators of thousands, and without zeros at the end of a fraction."""
    text = f"{amount.quantize(step, ROUND_HALF_EVEN):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
