"""DeepSeek, which has prices by the hour of the day.

Source: https://api-docs.deepseek.com/quick_start/pricing ("from September 5th, 2025, 16:00 UTC"; later, peak hours on
weekdays that are no public holiday in China; weekends are off-peak all day since 2026-08-23)
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from services.domain.providers.price_list import OffPeak, PriceGap, PriceList
from services.domain.providers.record import Provider

_BY_THE_HOUR: Final = "deepseek-(flash|v4-flash|v4-pro)"
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
)
# The last holidays known: of those of a later year the government tells in November of the year before.
_OFF_PEAK: Final = (
    OffPeak(models=_BY_THE_HOUR, weekends=True, since=datetime(2026, 8, 23, tzinfo=UTC)),
    *(OffPeak(models=_BY_THE_HOUR, since=first, until=first + timedelta(days)) for first, days in _HOLIDAYS),
)

DEEPSEEK: Final = Provider(
    name="DEEPSEEK",
    title="DeepSeek",
    label="deepseek",
    paths_like_routes=("anthropic",),
    base_url="https://api.deepseek.com",
    chat_path="/chat/completions",
    hosts=r"api\.deepseek\.com",
    stream_usage_paths=("/completions",),
    credential_headers=("Authorization",),
    request_id_headers=("x-ds-trace-id", "x-request-id", "cf-ray"),
    prices=PriceList(seller="deepseek", gaps=_GAPS, off_peak=_OFF_PEAK),
)
