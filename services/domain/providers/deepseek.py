"""DeepSeek, which has prices by the hour of the day.

Source: https://api-docs.deepseek.com/quick_start/pricing ("from September 5th, 2025, 16:00 UTC"; later, peak hours on
weekdays that are no public holiday in China)
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from services.domain.providers.price_list import PriceGap, PriceList
from services.domain.providers.record import Provider

_BY_THE_HOUR: Final = "deepseek-(flash|v4-flash|v4-pro)"
_WORKDAYS_ONLY: Final = "The shipped price of these hours holds on China's working days only: add your own for others."
_HOLIDAYS: Final = ((datetime(2026, 9, 25, tzinfo=UTC), 1), (datetime(2026, 10, 1, tzinfo=UTC), 7))
_GAPS: Final = (
    PriceGap(
        models="deepseek-(chat|reasoner)",
        since=datetime(2025, 9, 5, 16, tzinfo=UTC),
        why="The shipped price ended on 2025-09-05 at 16:00 UTC, and what followed is not shipped: add your own.",
    ),
    PriceGap(
        models=_BY_THE_HOUR,
        since=datetime(2026, 8, 16, 16, tzinfo=UTC),
        until=datetime(2026, 8, 17, tzinfo=UTC),
        why="The next price began at 16:00 UTC, which the shipped one does not include: add your own for these hours.",
    ),
    PriceGap(models=_BY_THE_HOUR, hours=True, weekends=True, why=_WORKDAYS_ONLY),
    *(
        PriceGap(models=_BY_THE_HOUR, hours=True, since=first, until=first + timedelta(days), why=_WORKDAYS_ONLY)
        for first, days in _HOLIDAYS
    ),
)

DEEPSEEK: Final = Provider(
    name="DEEPSEEK",
    title="DeepSeek",
    credential_headers=("Authorization",),
    prices=PriceList(seller="deepseek", gaps=_GAPS),
)
