"""The notices of a budget: one for each of its thresholds in a period, by ids that are always the same."""

from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Final

from schemas.budget import Budget, Period
from schemas.notice import Notice, NoticeKind, NoticeLevel, NoticeSource, NoticeUnit
from services.domain.budgets.amounts import limit_nano, usd_of
from services.domain.budgets.slots import window_of

_ALL: Final = 100  # percent
_SEPARATOR: Final = "\x1f"


def threshold_notices(budget: Budget, value: str, spent_nano: int, at: datetime, sealed_s: int) -> list[Notice]:
    """Of each threshold that `spent_nano` has reached, in the ledger as it was sealed at `sealed_s`, in unix time."""
    limit = limit_nano(budget.limit_at(at))
    window = window_of(budget, at)
    return [
        Notice(
            notice_id=_id_of(budget, value, at, percent),
            organization_id=budget.organization_id,
            source=NoticeSource.BUDGET,
            source_id=budget.id,
            name=budget.name,
            kind=NoticeKind.FIRING if percent == budget.thresholds[0] else NoticeKind.ESCALATED,
            level=NoticeLevel.CRITICAL if percent >= _ALL else NoticeLevel.WARNING,
            created_at=at,
            group={budget.property or budget.segment.value: value} if value else {},
            metric="cost",
            unit=NoticeUnit.USD,
            value=usd_of(spent_nano),
            threshold=usd_of(limit * percent // _ALL),
            threshold_label=f"{percent} % of ${usd_of(limit).normalize():f}",
            window_start=window.start,
            window_end=window.end,
            zone=budget.time_zone,
            complete_until=datetime.fromtimestamp(sealed_s, UTC),
        )
        for percent in budget.thresholds
        if Decimal(spent_nano) * _ALL >= Decimal(limit) * percent
    ]


def _id_of(budget: Budget, value: str, at: datetime, percent: int) -> str:
    """Of a rolling period once in its length."""
    start = window_of(budget, at).start.timestamp()
    if budget.period is Period.ROLLING:
        start = at.timestamp() // budget.window_s * budget.window_s
    parts = (budget.id, value, str(int(start)), str(percent))
    return f"budget-{sha256(_SEPARATOR.join(parts).encode()).hexdigest()[:40]}"
