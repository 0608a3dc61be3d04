"""The version of a row: of two of the same identity the higher one counts, whichever was written first.

A version is unix microseconds, shifted to make room for the number of amendments that the row has in it (see
`schemas/amendment.py`). So a later charge beats an earlier one, whatever was amended, and of the same charge the row
with more amendments beats one with fewer.

Those of calls that clients logged lie below those of requests that passed the proxy, so that an observed request beats
a logged one, in whatever order the two are delivered.
"""

from datetime import datetime
from typing import Final

from schemas.timestamps import unix_us

AMENDMENT_BITS: Final = 12
MAX_AMENDMENTS: Final = 2**AMENDMENT_BITS - 1  # of one row
LOGGED_BELOW_US: Final = 2**50  # of logged calls, while what is recorded is recorded before the year 2059
LOGGED_LESS_US: Final = 3 * 2**49  # by which they are less than their unix microseconds
LOGGED_BELOW: Final = LOGGED_BELOW_US << AMENDMENT_BITS  # versions of logged calls

_LAST_US: Final = 2**52 - 1  # of the year 2112


def version_of(recorded_at: datetime, *, logged: bool) -> int:
    """Of the row of an event that was recorded at `recorded_at`, without amendments."""
    return _charged_us(recorded_at, logged=logged) << AMENDMENT_BITS


def last_version_of(recorded_at: datetime) -> int:
    """The highest of a row whose event was recorded at `recorded_at`."""
    return version_of(recorded_at, logged=False) | MAX_AMENDMENTS


def written_us(version: int) -> int:
    """The unix microseconds that `version` was made from."""
    charged_us = version >> AMENDMENT_BITS
    return charged_us + LOGGED_LESS_US if version < LOGGED_BELOW else charged_us


def version_after(version: int, timestamp: datetime) -> int:
    """That of a row charged anew at `timestamp`: on the same side as `version`, with its amendments, and more."""
    charged_us = max(_charged_us(timestamp, logged=version < LOGGED_BELOW), (version >> AMENDMENT_BITS) + 1)
    return charged_us << AMENDMENT_BITS | amendments_in(version)


def next_version(version: int) -> int:
    """The least of a row that replaces the one with `version`, whatever amendments that has; it has none itself."""
    return ((version >> AMENDMENT_BITS) + 1) << AMENDMENT_BITS


def amendments_in(version: int) -> int:
    """How many amendments the row with `version` has in it."""
    return version & MAX_AMENDMENTS


def _charged_us(timestamp: datetime, *, logged: bool) -> int:
    return min(max(0, unix_us(timestamp) - (LOGGED_LESS_US if logged else 0)), _LAST_US)
