"""What tells the time."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The timestamp, aware UTC."""
        ...
