"""Which buckets are alike: the same hour of the week or of the day, as clocks in a time zone show it."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import Final

import msgspec

from services.domain.reports.calendar import bucket_of, bucket_starts, instant_of

BUCKETS: Final = {"hour": 24, "day": 1}  # that can be judged, and how many a day has
_DAILY: Final = 14  # earlier buckets of the same time of day, or earlier days, that are compared with


class Season(StrEnum):
    """With what a bucket is compared, from the closest on."""

    WEEK = "hour_of_week"  # the same hour of the same weekday; of days the same weekday
    DAY = "hour_of_day"  # the same hour of any day; of days any day
    OVERALL = "overall"


class Seasons(msgspec.Struct, frozen=True, kw_only=True):
    """The buckets of a time, by position. What they are compared with lies before them, the latest last."""

    starts: Sequence[datetime]  # aware UTC
    end: datetime  # of the time: the last bucket may not be over
    over: int  # buckets that are, from the first one on
    per_day: int
    weekly: Sequence[Sequence[int]]
    daily: Sequence[Sequence[int]]

    def end_of(self, position: int) -> datetime:
        return self.starts[position + 1] if position + 1 < len(self.starts) else self.end

    def counted(self, until: datetime | None) -> "Seasons":
        """The same while events are counted `until` then: what ends later is not over. None: nothing is known to be."""
        ends = (*self.starts[1:], self.end)
        over = 0 if until is None else min(self.over, bisect_right(ends, until))
        return msgspec.structs.replace(self, over=over)


def seasons_of(start: datetime, end: datetime, bucket: str, zone: tzinfo) -> Seasons:
    """Of the buckets that have a part between `start`, at which one begins, and `end`."""
    starts = [instant_of(each, zone) for each in bucket_starts(start, end, bucket, zone)]
    weeks: dict[tuple[int, int], list[int]] = {}
    days: dict[int, list[int]] = {}
    weekly, daily = [], []
    for position, at in enumerate(starts):
        local = at.astimezone(zone)
        hour = local.hour if bucket == "hour" else 0
        same_week, same_day = weeks.setdefault((local.weekday(), hour), []), days.setdefault(hour, [])
        weekly.append(tuple(same_week))
        daily.append(tuple(same_day[-_DAILY:]))
        same_week.append(position)
        same_day.append(position)
    return Seasons(
        starts=starts,
        end=end,
        over=len(starts) - (instant_of(bucket_of(end, bucket, zone), zone) < end),
        per_day=BUCKETS[bucket],
        weekly=weekly,
        daily=daily,
    )
