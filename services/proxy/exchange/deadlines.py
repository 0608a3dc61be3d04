"""How long an exchange may take, and who holds it up.

How long a provider may take to begin its response is limited elsewhere: see `proxy/upstream/first_byte_timeout.py`.
"""

from enum import Enum
from typing import Final

import msgspec

HOLD_S: Final = 30.0  # the end of a response, until its event is durable


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Of every exchange."""

    max_body_bytes: int
    first_byte_timeout_s: float
    idle_timeout_s: float
    total_timeout_s: float


class Overdue(Enum):
    """Which limit is exceeded, in words for a provider that was waited for."""

    TOTAL = "the exchange took too long"
    IDLE = "the provider was silent for too long"


class Deadlines:
    """The clocks of one exchange, on the monotonic clock."""

    __slots__ = ("_began_s", "active_s", "client_slow", "upstream_slow")

    def __init__(self, began_s: float) -> None:
        self._began_s = began_s
        self.active_s = began_s  # when something was last sent or received
        self.client_slow = False  # does not take the response as fast as it comes
        self.upstream_slow = False  # the provider does not take the request as fast as it comes

    def restart(self, at_s: float) -> None:
        self._began_s = self.active_s = at_s

    def overdue(self, now_s: float, limits: Limits, *, idle_s: float) -> Overdue | None:
        """`idle_s`: how long the exchange may rest at this point."""
        if now_s - self._began_s > limits.total_timeout_s:
            return Overdue.TOTAL
        return Overdue.IDLE if now_s - self.active_s > idle_s else None

    def hold_is_over(self, now_s: float) -> bool:
        return now_s - self.active_s > HOLD_S
