"""Where in its window a timestamp counts.

A calendar period is one slot, named by its start. A rolling window has at most 62 of equal length; the one that the
window begins in counts wholly, so that no window of this length ever holds more than the limit.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from schemas.budget import Budget, Period
from services.domain.periods import Window, calendar_window

SLOTS: Final = 60  # of a rolling window, and the ones it begins and ends in
_LATE_S: Final = 86_400  # for what is settled or rebuilt after its window has ended


class Place(msgspec.Struct, frozen=True, kw_only=True):
    slot: int
    oldest_slot: int
    kept_s: int
    resets_at: datetime | None  # None for a rolling window


def place_of(budget: Budget, at: datetime) -> Place:
    """The slot of `at`, and the oldest that counts beside it."""
    if budget.period is Period.ROLLING:
        length_s, now_s = slot_s(budget.window_s), at.timestamp()
        return Place(
            slot=int(now_s // length_s),
            oldest_slot=int((now_s - budget.window_s) // length_s),
            kept_s=budget.window_s + length_s + _LATE_S,
            resets_at=None,
        )
    window = window_of(budget, at)
    slot = int(window.start.timestamp())
    left_s = ceil((window.end - at).total_seconds())
    return Place(slot=slot, oldest_slot=slot, kept_s=left_s + _LATE_S, resets_at=window.end)


def window_of(budget: Budget, at: datetime) -> Window:
    """What counts at `at`: the calendar period, or as much of a rolling window as its slots hold."""
    if budget.period is Period.ROLLING:
        place, length_s = place_of(budget, at), slot_s(budget.window_s)
        start = datetime.fromtimestamp(place.oldest_slot * length_s, UTC)
        return Window(start, datetime.fromtimestamp((place.slot + 1) * length_s, UTC))
    return calendar_window(at, budget.period, ZoneInfo(budget.time_zone))


class LedgerSpan(msgspec.Struct, frozen=True, kw_only=True):
    """What of the ledger counters hold at one time, by slot."""

    start: datetime
    end: datetime
    slot_s: int
    first_slot: int
    forget_before: int  # slots that no clock is late enough for
    kept_s: int


def ledger_span_of(budget: Budget, at: datetime) -> LedgerSpan:
    """What counts in `budget` at `at`."""
    window, place = window_of(budget, at), place_of(budget, at)
    before = place.oldest_slot - 2
    if budget.period is not Period.ROLLING:
        before = int(window_of(budget, window.start - timedelta(seconds=1)).start.timestamp())
    return LedgerSpan(
        start=window.start,
        end=window.end,
        slot_s=slot_s(budget.window_s),
        first_slot=place.oldest_slot,
        forget_before=before,
        kept_s=place.kept_s,
    )


def slot_s(window_s: int) -> int:
    """The length of a slot of a rolling window, in whole seconds."""
    return max(1, ceil(window_s / SLOTS))


def room_at(budget: Budget, slots: Mapping[int, int], room_nano: int, at: datetime) -> datetime:
    """When a rolling window holds `room_nano` or less: enough of its `slots` have left it. At the latest when all have.

    What is reserved is not in it, and is not waited for.
    """
    length_s = slot_s(budget.window_s)
    oldest = place_of(budget, at).oldest_slot
    left = sum(nano for slot, nano in slots.items() if slot >= oldest)
    room_from = at
    for slot in sorted(one for one in slots if one >= oldest):
        if left <= room_nano:
            break
        left -= slots[slot]
        # A slot no longer counts once the window begins behind it.
        room_from = datetime.fromtimestamp((slot + 1) * length_s, UTC) + timedelta(seconds=budget.window_s)
    return max(room_from, at)
