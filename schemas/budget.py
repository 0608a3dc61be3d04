"""Budgets: how many dollars may be spent on what within which period, and what happens at the end of them.

Counters hold whole nanodollars (1e-9 US dollars): a step over some of them is exact in every store.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

SLICE_S: Final = 5  # in which counters keep what was settled since the ledger was read

# Of rows: which budget acted on a request, and how.
BUDGET_PROPERTY: Final = "Farebox-Budget"
STATUS_PROPERTY: Final = "Farebox-Budget-Status"
OWN_PROPERTIES: Final = frozenset((BUDGET_PROPERTY.lower(), STATUS_PROPERTY.lower()))  # that no client may set


class Segment(StrEnum):
    """What has a counter of its own."""

    ORGANIZATION = "organization"
    KEY = "key"
    USER = "user"
    SESSION = "session"
    PROPERTY = "property"


class Period(StrEnum):
    """When a counter begins anew: at the start of a calendar period in a time zone, or never, as time passes."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    ROLLING = "rolling"


class BudgetAction(StrEnum):
    """What becomes of a request that does not fit into a budget any more."""

    NOTIFY = "notify"  # it passes: only thresholds are reported
    BLOCK = "block"  # 429
    FALLBACK = "fallback"  # it goes to a cheaper model of the same provider; 429 where it cannot


class BudgetMode(StrEnum):
    ENFORCED = "enforced"
    SHADOW = "shadow"  # it counts and records what it would have done, and does nothing


class UnknownCost(StrEnum):
    """What becomes of a request whose cost has no known upper bound: a model without a price, or no readable body."""

    PASS = "pass"  # noqa: S105  # while there is anything left
    BLOCK = "block"


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """Another limit for a while."""

    limit_usd: Decimal
    until: datetime


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """One row. A request counts in it where it fulfils `where` and has the segment, of which `value` may be one."""

    id: str  # UUID
    organization_id: str
    name: str
    limit_usd: Decimal
    segment: Segment = Segment.ORGANIZATION
    property: str = ""  # its name in lower case, where the segment is one
    value: str = ""  # the one key, user, session or value it is for; '': each has a counter of its own
    where: dict[str, str] = {}  # properties that a request must have, by names in lower case
    period: Period = Period.MONTH
    window_s: int = 0  # of a rolling period
    time_zone: str = "UTC"  # IANA, of a calendar period
    action: BudgetAction = BudgetAction.BLOCK
    fallback_model: str = ""
    mode: BudgetMode = BudgetMode.ENFORCED
    unknown_cost: UnknownCost = UnknownCost.PASS
    thresholds: tuple[int, ...] = ()  # percent of the limit, ascending
    channel_ids: tuple[str, ...] = ()  # which are notified of thresholds
    override: Override | None = None
    created_at: datetime
    changed_at: datetime

    def limit_at(self, at: datetime) -> Decimal:
        """In US dollars, with an override that has not expired by `at`."""
        override = self.override
        return self.limit_usd if override is None or at >= override.until else override.limit_usd


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says about itself, as far as budgets ask."""

    organization_id: str
    key_id: str = ""
    user_id: str = ""
    session_id: str = ""
    properties: dict[str, str] = {}  # by names in lower case


class Counter(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request counts: what is in `slot` and those before it, from `oldest_slot` on, is what was spent."""

    organization_id: str
    budget_id: str
    value: str  # of the segment; '' for the organization
    slot: int
    oldest_slot: int
    kept_s: int  # for which the store has to remember what it counts now


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What a request may not exceed."""

    budget: Budget
    counter: Counter
    limit_nano: int
    resets_at: datetime | None  # None for a rolling period, where what was spent decides

    @property
    def is_enforced(self) -> bool:
        return self.budget.action is not BudgetAction.NOTIFY and self.budget.mode is BudgetMode.ENFORCED


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """What a request under way may cost, in each of its counters, until it is settled or its lease has expired."""

    id: str
    counters: tuple[Counter, ...]
    amount_nano: int
    lease_s: int


class CounterState(msgspec.Struct, frozen=True, kw_only=True):
    """What a counter holds. `is_rebuilt`: it has what the ledger knows; else only what was counted since."""

    spent_nano: int
    reserved_nano: int
    is_rebuilt: bool
    slots: dict[int, int] = {}  # nanodollars by slot, where they were asked for
    recent_nano: int = 0  # of what was spent, that the ledger does not have yet, where slots were asked for
    sealed_s: int | None = None  # unix time until which the ledger is in it; None before it was


class Reserved(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one step. `states` are those behind it, `fits` whether each claim had room, both in their order.

    Nothing is reserved unless `granted`, which it is where every enforced claim fits.
    """

    granted: bool
    fits: tuple[bool, ...]
    states: tuple[CounterState, ...]


class LedgerSums(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger says of one budget: nanodollars by value and slot, of all that was recorded before `sealed_s`."""

    organization_id: str
    budget_id: str
    sealed_s: int  # a multiple of the slices in which stores keep what is newer
    first_slot: int  # the sums are of it and all behind it
    forget_before: int  # what stands in slots before is of no use any more
    kept_s: int
    nano: dict[str, dict[int, int]]
