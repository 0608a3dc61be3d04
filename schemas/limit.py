"""Rate limits: what a request asks for, and what became of it."""

from decimal import Decimal
from enum import StrEnum

import msgspec


class LimitUnit(StrEnum):
    """What a policy counts."""

    REQUEST = "request"
    CENTS = "cents"
    TOKENS = "tokens"


class LimitPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket that holds `quota` and is filled evenly, from empty to full within `window_s`."""

    quota: Decimal
    window_s: int
    unit: LimitUnit = LimitUnit.REQUEST
    segment: str = ""  # 'user', or the name of a property in lower case; '' is one bucket for the organization


class RateLimit(msgspec.Struct, frozen=True, kw_only=True):
    """A policy, and the bucket to which it applies."""

    policy: LimitPolicy
    bucket: str  # names its organization, segment and unit, and so no other bucket


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a request may pass, and what is in the bucket after it: below zero while more was spent than it held."""

    allowed: bool
    level: float


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What one exchange cost, as the worker will work it out. None where that is unknown."""

    cost_usd: Decimal | None
    tokens: int | None
    held_nano: int = 0  # that budgets had reserved for those of its attempts whose cost is unknown
