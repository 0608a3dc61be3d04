"""The cases of Helicone's own suites of rate limits (policies, segments, buckets), as facts about ours.

Source: https://github.com/Helicone/helicone, worker/test/rate-limit (its tokenBucket and bucket suites are the same
cases), and of worker/test/durable-objects and worker/test/openai/rate-limit-2.spec.ts what is no detail of the sliding
window that they had before. What differs on purpose: `u=tokens` is a unit here; a bucket goes below zero where what was
under way cost more than it held, as their service has it too; what remains is shown whole, as their buckets have it and
the sliding window had not; segments are hashed and not sanitized, so that no two users share a bucket because of a
colon or their length.
"""

from collections.abc import Sequence
from decimal import Decimal
from math import ceil

import pytest

from schemas.event import RequestTags
from schemas.limit import LimitPolicy, LimitUnit
from services.domain.exchange.headers import parse_head
from services.domain.limits.policy import (
    InvalidPolicy,
    MissingSegment,
    limit_headers,
    limit_of,
    parse_policy,
    policy_text,
)
from services.token_bucket import Level, level_at, seconds_until, spend, take

HOUR = LimitPolicy(quota=Decimal(100), window_s=3600)
MINUTE = LimitPolicy(quota=Decimal(10), window_s=60)
DOLLARS = LimitPolicy(quota=Decimal(1000), window_s=3600, unit=LimitUnit.CENTS)
SHORT = LimitPolicy(quota=Decimal(3), window_s=3)
YEAR = LimitPolicy(quota=Decimal(31_536_000), window_s=31_536_000)


@pytest.mark.parametrize(
    ("text", "quota", "window_s", "unit", "segment"),
    [
        ("1000;w=3600", 1000, 3600, "request", ""),
        ("500;w=60;u=request", 500, 60, "request", ""),
        ("5000;w=86400;u=cents", 5000, 86400, "cents", ""),
        ("100;w=60;s=user", 100, 60, "request", "user"),
        ("10000;w=3600;s=organization", 10000, 3600, "request", "organization"),
        ("5000;w=3600;u=cents;s=tenant-id", 5000, 3600, "cents", "tenant-id"),
        ("100;w=60;u=CENTS", 100, 60, "cents", ""),
        ("100;w=60;s=USER", 100, 60, "request", "user"),
        ("  1000;w=3600  ", 1000, 3600, "request", ""),
        ("100;w=60", 100, 60, "request", ""),
        ("1000000000;w=3600", 1_000_000_000, 3600, "request", ""),
        ("100;w=60;s=my-tenant_id", 100, 60, "request", "my-tenant_id"),
        ("500;w=86400;s=user", 500, 86400, "request", "user"),
    ],
)
def test_policies_mean_what_they_mean_there(text: str, quota: int, window_s: int, unit: str, segment: str) -> None:
    policy = parse_policy(text)
    assert (int(policy.quota), policy.window_s) == (quota, window_s)
    assert (policy.unit.value, policy.segment) == (unit, segment)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        *((text, "must be QUOTA") for text in (";w=3600", "1000", "abc;w=3600", "-100;w=3600", "100:w=60")),
        *((text, "must be QUOTA") for text in ("100;w=60;x=extra", "invalid", "-100;w=60")),
        ("0;w=3600", "quota"),
        *((text, "60 to 31536000 seconds") for text in ("100;w=59", "100;w=31536001", "100;w=30")),
    ],
)
def test_what_is_no_policy_there_is_none_here(text: str, wrong: str) -> None:
    with pytest.raises(InvalidPolicy, match=wrong):
        parse_policy(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1000;w=3600;u=request", "1000;w=3600"),
        ("5000;w=86400;u=cents", "5000;w=86400;u=cents"),
        ("100;w=60;u=request;s=user", "100;w=60;s=user"),
        ("10000;w=3600;s=organization", "10000;w=3600;s=organization"),
        ("5000;w=3600;u=cents;s=tenant", "5000;w=3600;u=cents;s=tenant"),
    ],
)
def test_policies_are_said_as_there(text: str, said: str) -> None:
    assert policy_text(parse_policy(text)) == said


def bucket(segment: str = "", unit: str = "request", organization: str = "org_123", **tags: str) -> str:
    policy = f"9;w=60;u={unit}{f';s={segment}' if segment else ''}"
    user = tags.pop("user", None)
    named = {name.replace("_", "-"): value for name, value in tags.items()}
    return limit_of(policy, organization, RequestTags(user_id=user, properties=named)).bucket


def test_segments_are_found_as_there() -> None:
    assert bucket() == bucket(user="user_456", Tenant="t") == bucket("global")
    assert bucket("user", user="user_1") != bucket("user", user="user_2")
    assert bucket("Organization", Tenant="t", Organization="org_1") == bucket("organization", ORGANIZATION="org_1")
    assert bucket("tenant-id", Tenant_Id="tid_123") == bucket("TENANT-ID", tenant_id="tid_123")


@pytest.mark.parametrize(
    ("segment", "tags", "header"),
    [
        ("user", {}, "Helicone-User-Id"),
        ("user", {"user": ""}, "Helicone-User-Id"),
        ("tenant", {"team": "t_1"}, "(?i)Helicone-Property-Tenant"),
    ],
)
def test_a_segment_that_is_missing_there_is_missing_here(segment: str, tags: dict[str, str], header: str) -> None:
    with pytest.raises(MissingSegment, match=header):
        bucket(segment, **tags)


def test_buckets_are_apart_as_there() -> None:
    apart = [
        *(bucket(), bucket(unit="cents"), bucket(organization="org_2")),
        *(bucket("user", user="u_1"), bucket("user", user="u_2"), bucket("user", unit="cents", user="u_1")),
        *(bucket("tenant", tenant="same"), bucket("team", team="same"), bucket("tenant", tenant="other")),
        *(bucket("user", user="a:b"), bucket("user", user="a_b"), bucket("user", user="a" * 300)),
        bucket("user", user="a" * 299),
    ]
    assert len(set(apart)) == len(apart)


def drained(policy: LimitPolicy, count: int, level: Level | None = None, at_s: float = 0.0) -> Level:
    """The bucket after `count` requests at once, all of which pass."""
    for _ in range(count):
        level, taken = take(level, policy, at_s)
        assert taken.allowed
    assert level is not None
    return level


@pytest.mark.parametrize("policy", [HOUR, MINUTE, DOLLARS, YEAR])
def test_a_bucket_begins_full(policy: LimitPolicy) -> None:
    assert level_at(None, policy, 5.0) == float(policy.quota)


def test_requests_are_taken_one_by_one_up_to_the_capacity() -> None:
    assert drained(HOUR, 1).amount == 99
    assert drained(YEAR, 1).amount == 31_536_000 - 1
    for policy, capacity in ((HOUR, 100), (MINUTE, 10), (LimitPolicy(quota=Decimal(1), window_s=3600), 1)):
        empty = drained(policy, capacity)
        level, taken = take(empty, policy, 0.0)
        assert (empty.amount, taken.allowed, level.amount) == (0, False, 0)


def test_cents_are_spent_by_fractions_and_until_nothing_is_left() -> None:
    assert spend(None, DOLLARS, 0.0, 0.5).amount == 999.5
    assert spend(None, DOLLARS, 0.0, 0).amount == 1000
    level: Level | None = None
    for cost in (5, 100, 50, 845):
        level, taken = take(level, DOLLARS, 0.0)
        assert taken.allowed
        level = spend(level, DOLLARS, 0.0, cost)
    assert level is not None
    assert (level.amount, take(level, DOLLARS, 0.0)[1].allowed) == (0, False)


@pytest.mark.parametrize(
    ("policy", "level", "after_s", "amount"),
    [
        (HOUR, Level(0.0, 1000.0), 36, 1),  # a hundredth of the window
        (HOUR, Level(0.0, 1000.0), 3600, 100),
        (HOUR, Level(100.0, 1000.0), 7200, 100),  # never above the capacity
        (HOUR, Level(50.0, 1000.0), 0, 50),
        (HOUR, Level(100.0, 1000.0), -1, 100),  # clocks that go backwards
        (HOUR, Level(50.0, 0.0), 1800, 100),
        (LimitPolicy(quota=Decimal(60), window_s=60), Level(0.0, 1000.0), 1, 1),
        (LimitPolicy(quota=Decimal(3600), window_s=3600), Level(0.0, 1000.0), 1, 1),
        (LimitPolicy(quota=Decimal(100), window_s=100), Level(0.0, 1000.0), 1, 1),
        (SHORT, Level(0.0, 1000.0), 1, 1),
    ],
)
def test_buckets_fill_as_there(policy: LimitPolicy, level: Level, after_s: float, amount: float) -> None:
    assert level_at(level, policy, level.at_s + after_s) == pytest.approx(amount, abs=1e-5)


@pytest.mark.parametrize(("level", "reset_s"), [(100, 0), (0, 3600), (50, 1800), (99.5, 18)])
def test_the_seconds_until_a_bucket_is_full_are_those_of_there(level: float, reset_s: int) -> None:
    assert ceil(seconds_until(100.0, level, HOUR)) == reset_s


@pytest.mark.parametrize(("quota", "level", "kept"), [(50, 100.0, 50), (100, 50.0, 50)])
def test_a_policy_that_changes_keeps_what_fits(quota: int, level: float, kept: float) -> None:
    changed = LimitPolicy(quota=Decimal(quota), window_s=7200)
    assert level_at(Level(level, 10.0), changed, 10.0) == kept


def test_requests_of_an_hour_and_of_two_users() -> None:
    half = drained(HOUR, 50)
    assert half.amount == 50
    empty = drained(HOUR, 100, half, at_s=1800.0)
    assert not take(empty, HOUR, 1800.0)[1].allowed
    levels: Sequence[Level | None] = (drained(MINUTE, 10), None)
    assert [take(level, MINUTE, 0.0)[1].allowed for level in levels] == [False, True]
    second = LimitPolicy(quota=Decimal(60), window_s=60)
    assert take(drained(second, 60), second, 1.0)[1].allowed


@pytest.mark.parametrize("value", [b"", b"   "])
def test_an_empty_policy_is_none_there_and_here(value: bytes) -> None:
    assert parse_head([(b"Helicone-RateLimit-Policy", value)]).rate_limit == ""
    assert parse_head([]).rate_limit == ""


@pytest.mark.parametrize("quota", [10, 100, 1000])
def test_small_costs_add_up_at_scale(quota: int) -> None:
    """A hundredth of a cent each: as many requests as the quota holds, to one."""
    policy = LimitPolicy(quota=Decimal(quota), window_s=3600, unit=LimitUnit.CENTS)
    level: Level | None = None
    passed = 0
    while passed <= 100 * quota + 1:
        level, taken = take(level, policy, 0.0)
        if not taken.allowed:
            break
        level = spend(level, policy, 0.0, 0.01)
        passed += 1
    assert passed in (100 * quota, 100 * quota + 1)


def test_what_was_spent_is_missing_from_what_remains() -> None:
    """The cost of their sample: 11 tokens in, 1,479 out."""
    policy = LimitPolicy(quota=Decimal(10), window_s=1000, unit=LimitUnit.CENTS, segment="user")
    level, first = take(None, policy, 0.0)
    _, second = take(spend(level, policy, 0.0, 1.480375), policy, 0.0)
    shown = [dict(limit_headers(policy, taken))[b"Helicone-RateLimit-Remaining"] for taken in (first, second)]
    assert shown == [b"10", b"8"]
    assert second.level == pytest.approx(10 - 1.480375)
