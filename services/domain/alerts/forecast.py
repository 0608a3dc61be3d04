"""What a sum will be when its window ends, at the pace of its whole hours or days: as the Overview shows a month."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from schemas.alert import CalendarUnit

LEAST_BUCKETS: Final = 5  # whole ones, below which there is no pace

# By which buckets the pace of a window is measured.
PACES: Final[Mapping[CalendarUnit, str]] = {
    CalendarUnit.HOUR: "5_minutes",
    CalendarUnit.DAY: "hour",
    CalendarUnit.WEEK: "hour",
    CalendarUnit.MONTH: "day",
    CalendarUnit.QUARTER: "day",
}


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """`pace` is what a bucket adds; the one that is not over yet still adds `missing`."""

    known: Decimal
    pace: Decimal
    at_end: Decimal
    starts: Sequence[datetime]  # of the buckets that are still to come, and the end of the window
    missing: Decimal

    def reaches(self, threshold: Decimal) -> datetime | None:
        """By the end of which bucket the sum is there, if all goes on like this; None: not in this window."""
        so_far = self.known + self.missing
        for end in self.starts:
            if so_far >= threshold:
                return end
            so_far += self.pace
        return None


def forecast_of(whole: Sequence[Decimal], current: Decimal | None, starts: Sequence[datetime]) -> Forecast | None:
    """`whole` are the sums of the buckets that are over, `current` that of the one that is not; None: all are.

    `starts`: where the following buckets start, and the end of the window as the last. None while there are too few.
    """
    if len(whole) < LEAST_BUCKETS:
        return None
    known = sum(whole, current or Decimal(0))
    pace = sum(whole, Decimal(0)) / len(whole)
    missing = Decimal(0) if current is None else max(Decimal(0), pace - current)
    at_end = known + missing + pace * (len(starts) - 1)
    return Forecast(known=known, pace=pace, at_end=at_end, starts=starts, missing=missing)
