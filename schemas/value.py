"""What users and features earned: amounts that clients give, beside what their requests cost."""

from datetime import datetime
from decimal import Decimal

import msgspec


class ValueEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One version of an entry, a row of `value`; the newest of an id counts. Field order is column order."""

    organization_id: str
    value_id: str  # the client's, or made of whom the entry is for, and when
    version: int  # unix microseconds when it was given; greater than that of what it replaces
    is_deleted: bool
    starts_at: datetime  # from this timestamp on, in whole milliseconds
    ends_at: datetime  # before it; later than the start
    user_id: str  # '' for no user
    properties: dict[str, str]  # names in lower case
    value_usd: Decimal  # for the whole period; negative for what was paid back
    source: str  # as the client names it
    key_id: str  # of the key that gave this version
