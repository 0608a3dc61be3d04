"""The headers of retries and fallbacks, one table each, and what follows a failed attempt."""

import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.attempts import AttemptPolicy, StatusRange
from services.domain.exchange.headers import Pair
from services.domain.resilience.attempts import Failure, Skipped, is_left, is_retried, retry_wait_ms
from services.domain.resilience.backoff import drawn_wait_ms, requested_wait_ms
from services.domain.resilience.override import BodyNotOverridable, with_override
from services.domain.resilience.retry_policy import InvalidRetryHeader, retry_policy
from services.domain.routing.fallbacks import asks_for_fallbacks, parse_fallbacks

ON: Pair = (b"helicone-retry-enabled", b"true")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
policies = st.builds(
    AttemptPolicy,
    retries=st.integers(0, 20),
    factor=st.floats(1, 10),
    min_wait_ms=st.integers(0, 1_000),
    max_wait_ms=st.integers(1_000, 600_000),
)


@pytest.mark.parametrize(
    ("value", "enabled"),
    [(b"true", True), (b"TRUE", True), (b"1", True), (b"yes", True), (b"please", True), (b"false, true", True)]
    + [(value, False) for value in (b"", b" ", b"false", b"False", b"0", b"no", b"off")],
)
def test_retries_are_asked_for_by_anything_but_a_no(value: bytes, enabled: bool) -> None:
    assert (retry_policy([(b"helicone-retry-enabled", value)]) is not None) == enabled


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("num", "0", AttemptPolicy(retries=0)),
        ("num", "20", AttemptPolicy(retries=20)),
        ("num", "", AttemptPolicy()),
        ("factor", "1", AttemptPolicy(factor=1)),
        ("factor", "2.5", AttemptPolicy(factor=2.5)),
        ("min-timeout", "0", AttemptPolicy(min_wait_ms=0)),
        ("min-timeout", " 500 ", AttemptPolicy(min_wait_ms=500)),
        ("min-timeout", "20000", AttemptPolicy(min_wait_ms=10_000)),
        ("max-timeout", "500", AttemptPolicy(min_wait_ms=500, max_wait_ms=500)),
        ("max-timeout", "600000", AttemptPolicy(max_wait_ms=600_000)),
    ],
)
def test_the_numbers_of_retries_have_helicones_defaults(name: str, value: str, wanted: AttemptPolicy) -> None:
    assert retry_policy([ON, (f"helicone-retry-{name}".encode(), value.encode())]) == wanted


@pytest.mark.parametrize(
    ("name", "value"),
    [("Num", value) for value in ("x", "-1", "21", "1.5", "1, 2")]
    + [("Factor", value) for value in ("x", "0.5", "11", "nan", "inf", "-2")]
    + [(f"{which}-Timeout", value) for which in ("Min", "Max") for value in ("x", "-1", "600001", "1e3")],
)
def test_a_number_that_is_none_is_refused_by_the_name_of_its_header(name: str, value: str) -> None:
    with pytest.raises(InvalidRetryHeader, match=f"Helicone-Retry-{name}"):
        retry_policy([ON, (f"helicone-retry-{name.lower()}".encode(), value.encode())])


@given(policies, st.floats(0, 600_000), st.floats(0, 1))
def test_waits_are_never_shorter_or_longer_than_allowed(policy: AttemptPolicy, before: float, draw: float) -> None:
    wait_ms = drawn_wait_ms(policy, before, draw)
    longest = min(policy.max_wait_ms, max(policy.min_wait_ms, before) * policy.factor)
    assert policy.min_wait_ms <= wait_ms <= policy.max_wait_ms
    assert wait_ms <= max(longest, policy.min_wait_ms) + 1e-6


@given(policies, st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_waits_in_a_row_stay_within_their_bounds(policy: AttemptPolicy, draws: list[float]) -> None:
    wait_ms = 0.0
    for draw in draws:
        wait_ms = drawn_wait_ms(policy, wait_ms, draw)
        assert policy.min_wait_ms <= wait_ms <= policy.max_wait_ms


@given(policies, st.floats(0, 1_000_000), st.booleans(), st.floats(-10, 1_000), st.floats(0, 1))
def test_a_wait_respects_the_provider_the_circuit_and_the_deadline(
    policy: AttemptPolicy, asked_ms: float, is_open: bool, left_s: float, draw: float
) -> None:
    failure = Failure(status=429, requested_wait_ms=asked_ms, circuit_open=is_open, left_s=left_s)
    wait = retry_wait_ms(failure, policy, 0, draw)
    if isinstance(wait, Skipped):
        assert is_open or asked_ms > policy.max_wait_ms or left_s * 1000 <= policy.max_wait_ms
    else:
        assert not is_open
        assert asked_ms <= wait <= policy.max_wait_ms
        assert wait < left_s * 1000


@pytest.mark.parametrize(
    ("headers", "wait_ms"),
    [
        ([], 0),
        ([(b"Retry-After", b"2")], 2_000),
        ([(b"retry-after", b"0.5")], 500),
        ([(b"Retry-After", b"Thu, 01 Jan 2026 00:00:03 GMT")], 3_000),
        ([(b"Retry-After", b"Wed, 31 Dec 2025 00:00:00 GMT")], 0),
        ([(b"Retry-After", b"soon")], 0),
        ([(b"Retry-After", b"-1")], 0),
        ([(b"Retry-After", b"\xff")], 0),
        ([(b"Retry-After", b"9"), (b"retry-after-ms", b"120")], 120),
    ],
)
def test_what_a_provider_asks_for(headers: list[Pair], wait_ms: float) -> None:
    assert requested_wait_ms(headers, NOW) == wait_ms


@pytest.mark.parametrize(
    ("status", "retried"),
    [(None, True), (429, True), (500, True), (503, True), (529, True), (599, True)]
    + [(status, False) for status in (200, 304, 400, 401, 403, 404, 408, 409, 422, 499)],
)
def test_which_statuses_are_retried(status: int | None, retried: bool) -> None:
    assert is_retried(status) == retried


def test_a_list_of_fallbacks_as_helicone_documents_it() -> None:
    text = """[{"target-url": "https://api.openai.com", "headers": {"Authorization": "Bearer sk-1"},
                "onCodes": [{"from": 400, "to": 500}, 429], "bodyKeyOverride": {"model": "gpt-4o-mini"}},
               {"target-url": "https://api.anthropic.com"}]"""
    first, second = parse_fallbacks(text)
    assert first.target_url == b"https://api.openai.com"
    assert first.headers == ((b"Authorization", b"Bearer sk-1"),)
    assert first.on_codes == (StatusRange(first=400, last=500), StatusRange(first=429, last=429))
    assert first.body_override == {"model": "gpt-4o-mini"}
    assert [status for status in (399, 400, 499, 500, 501, None) if is_left(status, first.on_codes)] == [
        *(400, 499, 500),
        None,
    ]
    assert [status for status in (428, 429, 430, 500, 599) if is_left(status, second.on_codes)] == [429, 500, 599]


@pytest.mark.parametrize("text", ["", " ", "[]", "null"])
def test_an_empty_list_asks_for_nothing(text: str) -> None:
    assert not asks_for_fallbacks(text)


def test_an_override_replaces_members_and_keeps_the_others() -> None:
    body = b'{"model":"a","messages":[1],"options":{"x":1,"y":2},"n":1}'
    override: dict[str, Any] = {"model": "b", "options": {"y": 3, "z": {}}, "messages": [], "n": None}
    assert with_override(body, override) == b'{"model":"b","messages":[],"options":{"x":1,"y":3,"z":{}},"n":null}'
    assert with_override(b'{"n": 0.1}', {}) == b'{"n":0.1}'


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'"x"'])
def test_a_body_that_is_no_object_is_not_overridden(body: bytes) -> None:
    with pytest.raises(BodyNotOverridable):
        with_override(body, {"model": "b"})


def test_an_override_as_deep_as_can_be_parsed_is_refused_or_merged() -> None:
    for depth in range(900, 1_000):
        override: dict[str, Any] = {}
        for _ in range(depth):
            override = {"a": override}
        with contextlib.suppress(BodyNotOverridable):
            with_override(b'{"a":' * depth + b"1" + b"}" * depth, override)
