"""Request ids: UUID version 7, so that ids sort by the moment they were made."""

from collections.abc import Callable
from datetime import UTC, datetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DRAWN_BYTES = 10 * 409  # one system call for many ids


class RequestIds:
    """Draws ids. `random_bytes` gives as many random bytes as it is asked for."""

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        self._random_bytes = random_bytes
        self._drawn = ""
        self._position = 0

    def draw(self, moment: datetime) -> str:
        """A new id for something that happened at `moment`, an aware datetime."""
        drawn = self._draw_hex()
        passed = moment - _EPOCH
        stamp = f"{(passed.days * 86_400 + passed.seconds) * 1000 + passed.microseconds // 1000:012x}"
        variant = "89ab"[int(drawn[0], 16) & 3]
        return f"{stamp[:8]}-{stamp[8:]}-7{drawn[1:4]}-{variant}{drawn[4:7]}-{drawn[7:19]}"

    def _draw_hex(self) -> str:
        """Nineteen hexadecimal digits nobody has seen."""
        at = self._position
        if at >= len(self._drawn):
            self._drawn = self._random_bytes(_DRAWN_BYTES).hex()
            at = 0
        self._position = at + 20
        return self._drawn[at : at + 19]
