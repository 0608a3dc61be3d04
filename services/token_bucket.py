"""Token buckets of rate limits: how much is in one, and what a request takes. Pure; a script in Redis does the same.

Levels are floats: they are estimates that fill by the second, and no money is made of them. Their error is far below
a millionth of what they count.
"""

import math

import msgspec

from schemas.limit import LimitPolicy, LimitUnit, Taken


class Level(msgspec.Struct, frozen=True):
    """What was in a bucket at a time."""

    amount: float
    at_s: float


def level_at(level: Level | None, policy: LimitPolicy, now_s: float) -> float:
    """What is in a bucket now. One that was never used is full; none holds more than the quota of `policy`."""
    capacity = float(policy.quota)
    if level is None:
        return capacity
    elapsed_s = max(0.0, now_s - level.at_s)
    return min(capacity, level.amount + elapsed_s * capacity / policy.window_s)


def needed(policy: LimitPolicy) -> float:
    """What has to be in the bucket of a request that passes: one request, or anything at all."""
    return 1.0 if policy.unit is LimitUnit.REQUEST else math.ulp(0.0)


def take(level: Level | None, policy: LimitPolicy, now_s: float) -> tuple[Level, Taken]:
    """The new level, and whether the request may pass. What a request costs is known, and spent, when it has ended."""
    amount = level_at(level, policy, now_s)
    allowed = amount >= needed(policy)
    if allowed and policy.unit is LimitUnit.REQUEST:
        amount -= 1.0
    return Level(amount, now_s), Taken(allowed=allowed, level=amount)


def spend(level: Level | None, policy: LimitPolicy, now_s: float, amount: float) -> Level:
    """The level after `amount` was taken, which may be below zero."""
    return Level(level_at(level, policy, now_s) - amount, now_s)


def seconds_until(wanted: float, level: float, policy: LimitPolicy) -> float:
    """How long it takes from `level` until `wanted` is in the bucket."""
    return max(0.0, (wanted - level) * policy.window_s / float(policy.quota))
