"""The version of a row: of two of the same identity the higher one counts, whichever was written first.

A version is unix microseconds. Those of calls that clients logged lie below those of requests that passed the proxy, so
that an observed request beats a logged one, in whatever order the two are delivered.
"""

from datetime import datetime
from typing import Final

from schemas.timestamps import unix_us

LOGGED_BELOW: Final = 2**50  # versions of logged calls, while what is recorded is recorded before the year 2059
LOGGED_LESS_US: Final = 3 * 2**49  # by which they are less than their unix microseconds


def version_of(recorded_at: datetime, *, logged: bool) -> int:
    """Of the row of an event that was recorded at `recorded_at`."""
    return max(0, unix_us(recorded_at) - (LOGGED_LESS_US if logged else 0))


def written_us(version: int) -> int:
    """The unix microseconds that `version` was made from."""
    return version + LOGGED_LESS_US if version < LOGGED_BELOW else version


def version_after(version: int, timestamp: datetime) -> int:
    """That of a row written anew at `timestamp`: on the same side as `version`, and in any case more."""
    return max(version_of(timestamp, logged=version < LOGGED_BELOW), version + 1)
