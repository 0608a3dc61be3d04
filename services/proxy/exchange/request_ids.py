"""Request ids: generated ones are UUID version 7, so that they sort by time; and those that clients gave."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

_DRAWN: Final = 256  # ids that share one system call
MAX_GIVEN: Final = 10_000  # that are remembered, of each organization


class RequestIds:
    """Draws ids. `random_bytes` returns as many random bytes as its argument says."""

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        self._random_bytes = random_bytes
        self._tails: list[str] = []
        self._millisecond = -1
        self._stamp = ""

    def draw(self, timestamp: datetime) -> str:
        """A new id for something that happened at `timestamp`, an aware datetime."""
        millisecond = int(timestamp.timestamp() * 1000)
        if millisecond != self._millisecond:
            self._millisecond = millisecond
            digits = f"{millisecond:012x}"
            self._stamp = f"{digits[:8]}-{digits[8:]}"
        if not self._tails:
            self._tails = self._draw_tails()
        return self._stamp + self._tails.pop()

    def _draw_tails(self) -> list[str]:
        """What follows the stamps: version, variant and 74 random bits."""
        drawn = self._random_bytes(10 * _DRAWN).hex()
        return [_tail(drawn[at : at + 20]) for at in range(0, 20 * _DRAWN, 20)]


def _tail(drawn: str) -> str:
    variant = "89ab"[int(drawn[3], 16) & 3]
    return f"-7{drawn[:3]}-{variant}{drawn[4:7]}-{drawn[7:19]}"


class GivenIds:
    """Which ids clients gave lately, for which timestamps.

    Organization, timestamp and id identify a row, so two requests that shared all three would become one row.
    An id that comes again in another millisecond has a row of its own.
    """

    def __init__(self) -> None:
        self._given: dict[str, dict[tuple[str, datetime], None]] = {}  # by organization, in the order they came

    def is_new(self, organization_id: str, request_id: str, created_at: datetime) -> bool:
        """Whether nobody gave it for `created_at`, whole milliseconds, among the last `MAX_GIVEN`. It is given now."""
        given = self._given.setdefault(organization_id, {})
        if (request_id, created_at) in given:
            return False
        if len(given) >= MAX_GIVEN:
            del given[next(iter(given))]
        given[request_id, created_at] = None
        return True
