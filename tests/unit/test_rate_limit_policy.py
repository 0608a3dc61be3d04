"""The header Helicone-RateLimit-Policy: what it means, whose bucket it is, and what responses say about it."""

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.event import RequestTags
from schemas.limit import LimitPolicy, LimitUnit, Taken
from services.domain.limits.policy import (
    MAX_WINDOW_S,
    MIN_WINDOW_S,
    InvalidPolicy,
    MissingSegment,
    limit_headers,
    limit_of,
    parse_policy,
    policy_text,
)
from services.token_bucket import Level, level_at, spend, take

POLICIES = st.builds(
    LimitPolicy,
    quota=st.decimals(Decimal("0.001"), 10**9, places=3),
    window_s=st.integers(MIN_WINDOW_S, MAX_WINDOW_S),
    unit=st.sampled_from(LimitUnit),
    segment=st.from_regex(r"[a-z0-9_-]{1,20}", fullmatch=True).filter(lambda name: name != "global") | st.just(""),
)


@given(POLICIES)
def test_a_policy_is_what_its_text_means(policy: LimitPolicy) -> None:
    assert parse_policy(policy_text(policy)) == policy
    assert parse_policy(f" {policy_text(policy).upper()} ") == policy


@given(st.text())
def test_any_text_is_a_policy_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidPolicy):
        assert parse_policy(text).quota > 0


@pytest.mark.parametrize(
    ("text", "unit", "segment", "said"),
    [
        ("10;w=60", "request", "", "10;w=60"),
        ("10.50;w=3600;u=cents;s=user", "cents", "user", "10.5;w=3600;u=cents;s=user"),
        ("1000;w=60;u=TOKENS;s=Tenant-Id", "tokens", "tenant-id", "1000;w=60;u=tokens;s=tenant-id"),
        ("5;w=60;u=request;s=global", "request", "", "5;w=60"),
        ("5;w=31536000;s=my_prop", "request", "my_prop", "5;w=31536000;s=my_prop"),
    ],
)
def test_policies(text: str, unit: str, segment: str, said: str) -> None:
    policy = parse_policy(text)
    assert (policy.unit, policy.segment, policy_text(policy)) == (unit, segment, said)


@pytest.mark.parametrize(
    "text",
    [
        *("", "10", "10;w=", "10;w=59", "10;w=31536001", "0;w=60", "0.0;w=60", "-1;w=60", "1e3;w=60", "nan;w=60"),
        *("10;w=60;u=dollars", "10;w=60;s=", "10;w=60;s=user;u=cents", "10;w=60;x=1", "10;w=60, 20;w=60", "١٠;w=60"),
    ],
)
def test_what_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(InvalidPolicy):
        parse_policy(text)


def test_each_organization_unit_segment_and_value_has_a_bucket_of_its_own() -> None:
    tags = RequestTags(user_id="a", properties={"Tenant": "a", "Team": "a"})
    texts = ["9;w=60", "9;w=60;u=cents", "9;w=60;s=user", "9;w=60;s=tenant", "9;w=60;s=team", "9;w=60;u=cents;s=user"]
    buckets = {limit_of(text, organization, tags).bucket for text in texts for organization in ("one", "two")}
    assert len(buckets) == 2 * len(texts)
    assert limit_of("5;w=90;s=TENANT", "one", tags).bucket == limit_of("9;w=60;s=tenant", "one", tags).bucket


@pytest.mark.parametrize(("segment", "header"), [("user", "Helicone-User-Id"), ("team", "Helicone-Property-team")])
@pytest.mark.parametrize("tags", [RequestTags(), RequestTags(user_id="", properties={"Team": "", "other": "x"})])
def test_a_missing_segment_shares_no_bucket(segment: str, header: str, tags: RequestTags) -> None:
    with pytest.raises(MissingSegment, match=header):
        limit_of(f"9;w=60;s={segment}", "one", tags)


def test_the_user_of_the_key_counts_where_the_request_names_none() -> None:
    assert "kim" in limit_of("9;w=60;s=user", "one", RequestTags(default_user_id="kim")).bucket


@pytest.mark.parametrize(
    ("level", "remaining", "reset"), [(10.0, b"10", None), (9.0, b"9", b"6"), (0.4, b"0", b"58"), (-3.5, b"0", b"81")]
)
def test_headers_say_what_is_left(level: float, remaining: bytes, reset: bytes | None) -> None:
    headers = dict(limit_headers(parse_policy("10;w=60"), Taken(allowed=True, level=level)))
    assert headers[b"Helicone-RateLimit-Limit"] == b"10"
    assert headers[b"Helicone-RateLimit-Remaining"] == remaining
    assert headers.get(b"Helicone-RateLimit-Reset") == reset


# The bucket

STEPS = st.lists(st.tuples(st.floats(0, 1000), st.booleans()), max_size=40)


@given(POLICIES, STEPS)
def test_a_bucket_never_allows_more_requests_than_its_quota_and_what_came_since(
    policy: LimitPolicy, steps: list[tuple[float, bool]]
) -> None:
    level, now_s, allowed = None, 0.0, 0
    for pause_s, _ in steps:
        now_s += pause_s
        level, taken = take(level, policy, now_s)
        assert level.amount <= float(policy.quota)
        allowed += taken.allowed
    if policy.unit is LimitUnit.REQUEST:
        capacity = float(policy.quota)
        assert allowed <= (capacity + now_s * capacity / policy.window_s) * (1 + 1e-9)


def test_a_bucket_fills_evenly_and_no_further_than_its_quota() -> None:
    policy = parse_policy("2;w=60")
    level = Level(0.0, 100.0)
    assert [level_at(level, policy, at_s) for at_s in (99.0, 100.0, 130.0, 160.0, 999.0)] == [0.0, 0.0, 1.0, 2.0, 2.0]


def test_what_was_spent_beyond_the_quota_is_paid_before_anything_passes() -> None:
    policy = parse_policy("60;w=60;u=cents")
    level = spend(None, policy, 0.0, 100.0)
    assert level.amount == -40.0
    assert [take(level, policy, at_s)[1].allowed for at_s in (0.0, 40.0, 40.5)] == [False, False, True]


def test_a_smaller_quota_clamps_and_a_larger_one_adds_nothing_at_once() -> None:
    level = Level(4.0, 0.0)
    assert level_at(level, parse_policy("3;w=60"), 0.0) == 3.0
    assert level_at(level, parse_policy("50;w=60"), 0.0) == 4.0
