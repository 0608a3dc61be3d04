"""Budgets decided: windows and their edges, which requests count where, what a request can cost, what clients read."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.budget import Budget, BudgetAction, CounterState, Override, Period, Segment, Subject
from schemas.errors import InvalidRequest
from schemas.event import RequestTags
from schemas.notice import NoticeLevel
from schemas.price import Price, Rate
from services.domain.budgets.amounts import limit_nano, spent_nano, usd_of
from services.domain.budgets.bound import (
    IMAGE_TOKENS,
    OUTPUT_TOKENS,
    OVERHEAD_TOKENS,
    REMOTE_TOKENS,
    Size,
    bound_nano,
    size_of,
)
from services.domain.budgets.claims import claim_of, claims_of, subject_of
from services.domain.budgets.definition import checked_budget, overridden
from services.domain.budgets.fallback import with_model
from services.domain.budgets.notices import threshold_notices
from services.domain.budgets.refusal import budget_headers, refusal_of
from services.domain.budgets.slots import place_of, room_at, slot_s, window_of
from tests.builders.budgets import NOW, a_budget
from tests.builders.records import ORGANIZATION

USD = 10**9


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("period", "zone", "at", "start", "end"),
    [
        ("day", "UTC", "2026-11-20T23:59:59.999", "2026-11-20T00:00", "2026-11-21T00:00"),
        ("day", "Europe/Berlin", "2026-03-29T12:00", "2026-03-28T23:00", "2026-03-29T22:00"),  # 23 hours
        ("day", "Europe/Berlin", "2026-10-25T12:00", "2026-10-24T22:00", "2026-10-25T23:00"),  # 25 hours
        ("day", "Pacific/Kiritimati", "2026-11-20T10:00", "2026-11-20T10:00", "2026-11-21T10:00"),  # +14
        ("day", "Etc/GMT+12", "2026-11-20T11:59", "2026-11-19T12:00", "2026-11-20T12:00"),  # -12
        ("month", "Pacific/Kiritimati", "2026-02-28T10:00", "2026-02-28T10:00", "2026-03-31T10:00"),
        ("month", "UTC", "2028-02-29T23:59", "2028-02-01T00:00", "2028-03-01T00:00"),
        ("week", "UTC", "2026-11-22T23:00", "2026-11-16T00:00", "2026-11-23T00:00"),
        ("quarter", "America/New_York", "2026-10-01T03:59", "2026-07-01T04:00", "2026-10-01T04:00"),
        ("year", "Asia/Kolkata", "2026-12-31T18:30", "2026-12-31T18:30", "2027-12-31T18:30"),
        ("hour", "Asia/Kolkata", "2026-11-20T12:34", "2026-11-20T12:30", "2026-11-20T13:30"),
    ],
)
def test_a_calendar_period_begins_and_ends_where_people_of_its_zone_say(
    period: str, zone: str, at: str, start: str, end: str
) -> None:
    budget = a_budget(period=Period(period), time_zone=zone)
    window = window_of(budget, utc(at))
    assert (window.start, window.end) == (utc(start), utc(end))
    assert place_of(budget, utc(at)).resets_at == utc(end)


_ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati", "Etc/GMT+12", "Asia/Kolkata"]
)


@given(
    st.sampled_from([one for one in Period if one is not Period.ROLLING]),
    _ZONES,
    st.datetimes(
        datetime(2000, 1, 1),  # noqa: DTZ001
        datetime(2090, 1, 1),  # noqa: DTZ001
    ),
)
def test_every_timestamp_is_in_one_period_and_the_next_begins_where_it_ends(
    period: Period, zone: str, naive: datetime
) -> None:
    at, budget = naive.replace(tzinfo=UTC), a_budget(period=period, time_zone=zone)
    window = window_of(budget, at)
    assert window.start <= at < window.end
    assert window_of(budget, window.end).start == window.end
    assert window_of(budget, window.end - timedelta(microseconds=1)) == window
    assert place_of(budget, window.start).slot == place_of(budget, at).slot != place_of(budget, window.end).slot


@given(st.integers(60, 366 * 86_400), st.integers(0, 4_000_000_000), st.integers(0, 366 * 86_400))
def test_whatever_is_in_a_rolling_window_counts_and_what_is_a_slot_older_does_not(
    window_s: int, now_s: int, ago_s: int
) -> None:
    budget = a_budget(period=Period.ROLLING, window_s=window_s)
    now = datetime.fromtimestamp(now_s, UTC)
    place, then = place_of(budget, now), place_of(budget, now - timedelta(seconds=ago_s))
    counts = place.oldest_slot <= then.slot <= place.slot
    if ago_s <= window_s:
        assert counts
    elif ago_s >= window_s + slot_s(window_s):
        assert not counts
    assert place.slot - place.oldest_slot <= 62


def test_a_rolling_window_has_room_again_when_enough_of_it_has_passed() -> None:
    budget = a_budget(period=Period.ROLLING, window_s=3600)
    first = place_of(budget, NOW - timedelta(minutes=50)).slot
    second = place_of(budget, NOW - timedelta(minutes=20)).slot
    slots = {first: 3 * USD, second: 2 * USD}
    assert room_at(budget, slots, 5 * USD, NOW) == NOW
    assert timedelta(minutes=10) <= room_at(budget, slots, 4 * USD, NOW) - NOW <= timedelta(minutes=11)
    assert timedelta(minutes=40) <= room_at(budget, slots, 0, NOW) - NOW <= timedelta(minutes=41)


@given(st.decimals(0, 4_000_000, places=12))
def test_amounts_are_whole_nanodollars_never_less_than_spent_nor_more_than_allowed(usd: Decimal) -> None:
    assert usd <= usd_of(spent_nano(usd)) < usd + Decimal("1e-9")
    assert usd - Decimal("1e-9") < usd_of(limit_nano(usd)) <= usd


SUBJECT = Subject(
    organization_id=ORGANIZATION,
    key_id="key-1",
    user_id="user-1",
    session_id="session-1",
    properties={"usertier": "free", "feature": "chat"},
)


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ({}, ""),
        ({"segment": Segment.KEY}, "key-1"),
        ({"segment": Segment.USER}, "user-1"),
        ({"segment": Segment.USER, "where": {"usertier": "free"}}, "user-1"),
        ({"segment": Segment.USER, "where": {"usertier": "premium"}}, None),
        ({"segment": Segment.USER, "value": "user-1"}, "user-1"),
        ({"segment": Segment.USER, "value": "user-2"}, None),
        ({"segment": Segment.SESSION}, "session-1"),
        ({"segment": Segment.PROPERTY, "property": "feature"}, "chat"),
        ({"segment": Segment.PROPERTY, "property": "team"}, None),
        ({"where": {"team": "search"}}, None),
    ],
)
def test_a_request_counts_where_its_segment_and_its_properties_say(fields: dict[str, Any], value: str | None) -> None:
    claims = claims_of([a_budget(**fields)], SUBJECT, NOW)
    assert [claim.counter.value for claim in claims] == ([] if value is None else [value])


def test_a_request_is_by_the_user_and_the_properties_that_its_row_will_have() -> None:
    tags = RequestTags(properties={"UserTier": "free", "usertier": "premium"}, default_user_id="of-key")
    assert subject_of(ORGANIZATION, "", tags, "in-body").user_id == "in-body"
    assert subject_of(ORGANIZATION, "", tags, "").user_id == "of-key"
    assert subject_of(ORGANIZATION, "", RequestTags(user_id="header"), "in-body").user_id == "header"
    assert subject_of(ORGANIZATION, "", tags, "").properties == {"usertier": "free"}


def test_an_override_raises_the_limit_until_it_expires() -> None:
    until = NOW + timedelta(hours=1)
    budget = overridden(a_budget("5"), Decimal(20), until, NOW)
    limits = [claim_of(budget, "", at).limit_nano for at in (NOW, until - timedelta(microseconds=1), until)]
    assert limits == [20 * USD, 20 * USD, 5 * USD]
    with pytest.raises(InvalidRequest, match="until"):
        overridden(budget, Decimal(20), NOW, NOW)


@pytest.mark.parametrize(
    ("fields", "culprit"),
    [
        ({"name": " "}, "name"),
        ({"limit_usd": Decimal(0)}, "limit_usd"),
        ({"limit_usd": Decimal("NaN")}, "limit_usd"),
        ({"limit_usd": Decimal("1e-10")}, "limit_usd"),
        ({"limit_usd": Decimal(6_000_000)}, "limit_usd"),
        ({"segment": Segment.PROPERTY}, "property"),
        ({"property": "x"}, "property"),
        ({"value": "x"}, "value"),
        ({"period": Period.ROLLING}, "window_s"),
        ({"period": Period.ROLLING, "window_s": 59}, "window_s"),
        ({"window_s": 3600}, "window_s"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../etc/passwd"}, "time_zone"),
        ({"action": BudgetAction.FALLBACK}, "fallback_model"),
        ({"fallback_model": "gpt-4o-mini"}, "fallback_model"),
        ({"thresholds": (0,)}, "thresholds"),
        ({"where": {"A": "x", "a": "y"}}, "where"),
        ({"where": {"a": ""}}, "where"),
    ],
)
def test_what_a_budget_cannot_be_is_refused_by_name(fields: dict[str, Any], culprit: str) -> None:
    with pytest.raises(InvalidRequest, match=culprit):
        checked_budget(a_budget(**fields))


def test_a_budget_is_kept_in_one_spelling() -> None:
    budget = checked_budget(a_budget(where={"UserTier": "free"}, thresholds=(100, 50, 80, 50)))
    assert (budget.where, budget.thresholds) == ({"usertier": "free"}, (50, 80, 100))


TEXT = b'{"model":"m","messages":[{"role":"user","content":"Hello!"}]'


@pytest.mark.parametrize(
    ("more", "output"),
    [
        (b"", OUTPUT_TOKENS),
        (b',"max_tokens":100', 100),
        (b',"max_completion_tokens":200,"n":3', 600),
        (b',"max_tokens":0', OUTPUT_TOKENS),
        (b',"max_tokens":true', OUTPUT_TOKENS),
        (b',"generationConfig":{"maxOutputTokens":50,"candidateCount":2}', 100),
        (b',"inferenceConfig":{"maxTokens":70}', 70),
        (b',"max_tokens":1000000000', 10_000_000),
        (b',"max_tokens":20000.5', 20_001),
        (b',"max_tokens":"20000"', 20_000),
        (b',"max_tokens":-5', OUTPUT_TOKENS),
    ],
)
def test_a_response_has_at_most_the_tokens_that_its_request_allows(more: bytes, output: int) -> None:
    size = size_of(TEXT + more + b"}", may_search=False)
    assert size is not None
    assert (size.input_tokens, size.output_tokens) == (OVERHEAD_TOKENS + len(TEXT + more) + 1, output)


def test_a_picture_counts_as_a_picture_however_many_bytes_it_has() -> None:
    picture = b'{"type":"image_url","image_url":{"url":"data:image/png;base64,' + b"A" * 1_000_000 + b'"}}'
    size = size_of(b'{"messages":[{"content":[' + picture + b"]}]}", may_search=False)
    assert size is not None
    assert size.has_media
    assert IMAGE_TOKENS < size.input_tokens < IMAGE_TOKENS + OVERHEAD_TOKENS + 200


@pytest.mark.parametrize(
    "body",
    [
        b'{"messages":[{"role":"user","content":"data:image/png;base64,%s"}]}',
        b'{"messages":[{"role":"user","content":[{"type":"text","text":"data:%s"}]}]}',
        b'{"tools":[{"function":{"description":"d","parameters":{"properties":{"data":{"url":"%s"}}}}}]}',
        b'{"messages":[{"role":"assistant","content":[{"type":"tool_use","input":{"text":"data:%s"}}]}]}',
        b'{"messages":[{"role":"assistant","content":[{"type":"tool_use","input":{"data":"%s"}}]}]}',
        b'{"content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"%s"}}]}',
        b'{"contents":[{"parts":[{"inlineData":{"mimeType":"text/csv","data":"%s"}}]}]}',
        b'{"contents":[{"parts":[{"functionCall":{"name":"f","args":{"data":"%s"}}}]}]}',
        b'{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{"data":"%s"}}}]}]}',
        b'{"messages":[{"content":[{"document":{"format":"txt","source":{"bytes":"%s"}}}]}]}',
        b'{"messages":[{"content":[{"toolUse":{"input":{"data":"%s"}}},{"toolResult":{"content":[{"json":{}}]}}]}]}',
        b'{"messages":[{"content":[{"type":"file","file":{"file_data":"data:text/plain;base64,%s"}}]}]}',
    ],
)
def test_text_that_looks_like_a_picture_counts_as_text(body: bytes) -> None:
    content = body % (b"x" * 100_000)
    size = size_of(content, may_search=False)
    assert size is not None
    assert size.input_tokens == OVERHEAD_TOKENS + len(content)


def test_the_address_of_a_document_counts_beside_what_may_be_there() -> None:
    content = b'{"input":[{"type":"input_file","file_url":"https://e.org/%s"}]}' % (b"x" * 100_000)
    size = size_of(content, may_search=False)
    assert size is not None
    assert (size.has_media, size.input_tokens) == (True, OVERHEAD_TOKENS + len(content) + REMOTE_TOKENS)


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b"\xff", b'{"previous_response_id":"resp_1"}', b"[" * 600_000])
def test_a_body_that_does_not_say_all_that_is_sent_has_no_size(body: bytes) -> None:
    assert size_of(body, may_search=False) is None


@pytest.mark.parametrize("kind", ["[]", '{"image":}'])
def test_a_body_nested_as_deeply_as_can_be_parsed_has_a_size_or_none_and_no_error(kind: str) -> None:
    opening, closing = kind[:-1].encode(), kind[-1].encode()
    for depth in range(900, 1_000):
        size_of(opening * depth + b'"data:x"' + closing * depth, may_search=False)
        size_of(b'{"a":' + opening * depth + b'"data:x"' + closing * depth + b"}", may_search=False)


def a_price(**rates: Rate) -> Price:
    return Price(id="p", provider="P", model="m", valid_from=None, source="s", rates=rates)


def test_the_bound_takes_the_dearest_rate_that_may_hold() -> None:
    price = a_price(
        prompt_tokens=Rate(usd=Decimal("1e-6"), tiers=((1_000, Decimal("2e-6")),)),
        prompt_cache_write_5m_tokens=Rate(usd=Decimal("3e-6")),
        completion_tokens=Rate(usd=Decimal("5e-6")),
        reasoning_tokens=Rate(usd=Decimal("6e-6")),
        completion_audio_tokens=Rate(usd=Decimal("9e-6")),
        web_searches=Rate(usd=Decimal("0.01")),
    )
    assert bound_nano(Size(input_tokens=1_000, output_tokens=100), price) == 1_000_000 + 600_000
    assert bound_nano(Size(input_tokens=2_000, output_tokens=0), price) == 4_000_000
    assert bound_nano(Size(input_tokens=1_000, output_tokens=0, may_cache=True), price) == 3_000_000
    assert bound_nano(Size(input_tokens=0, output_tokens=100, makes_media=True), price) == 900_000
    assert bound_nano(Size(input_tokens=0, output_tokens=0, may_search=True), price) == 100_000_000
    assert bound_nano(Size(input_tokens=1, output_tokens=1), None) is None
    assert bound_nano(Size(input_tokens=1, output_tokens=1), a_price()) is None


def test_another_model_is_named_and_nothing_else_is_changed() -> None:
    body = b'{"messages": [{"model":"x", "n": 1.50}], "model": "gpt-4o", "seed": 12345678901234567890}'
    changed = with_model(body, "gpt-4o-mini")
    assert changed == b'{"messages":[{"model":"x", "n": 1.50}],"model":"gpt-4o-mini","seed":12345678901234567890}'
    assert [with_model(other, "m") for other in (b"{}", b"", b"[]", b'{"model":{}}')] == [None] * 4


def a_state(spent: int, held: int = 0, **fields: Any) -> CounterState:
    return CounterState(spent_nano=spent, reserved_nano=held, is_rebuilt=True, **fields)


def test_a_refusal_names_the_budget_and_when_it_resets() -> None:
    claim = claim_of(a_budget("5", segment=Segment.USER, name="free tier"), "user-1", NOW)
    refusal = refusal_of(claim, a_state(5 * USD), NOW)
    assert str(refusal.error) == (
        "the budget 'free tier' of this user is used up: $5 of $5 were spent; it resets at 2026-12-01T00:00:00Z"
    )
    assert refusal.retry_after_s == (utc("2026-12-01T00:00") - NOW).total_seconds()
    assert refusal.budget["resets_at"] == "2026-12-01T00:00:00Z"


def test_what_is_only_reserved_is_worth_another_try_at_once() -> None:
    claim = claim_of(a_budget("5"), "", NOW)
    assert refusal_of(claim, a_state(4 * USD, USD), NOW).retry_after_s == 1
    rolling = claim_of(a_budget("5", period=Period.ROLLING, window_s=3600), "", NOW)
    slot = place_of(rolling.budget, NOW - timedelta(minutes=30)).slot
    refusal = refusal_of(rolling, a_state(5 * USD, slots={slot: 5 * USD}), NOW)
    assert 29 * 60 <= refusal.retry_after_s <= 31 * 60


def test_headers_tell_of_the_budget_with_the_least_left() -> None:
    wide, narrow = claim_of(a_budget("50"), "", NOW), claim_of(a_budget("5"), "", NOW)
    headers = dict(budget_headers([wide, narrow], [a_state(USD), a_state(USD, USD // 2)], NOW))
    assert headers[b"Helicone-Budget-Id"] == narrow.budget.id.encode()
    assert (headers[b"Helicone-Budget-Limit"], headers[b"Helicone-Budget-Remaining"]) == (b"5", b"3.5")
    assert int(headers[b"Helicone-Budget-Reset"]) == (utc("2026-12-01T00:00") - NOW).total_seconds()
    assert budget_headers([], [], NOW) == ()
    assert dict(budget_headers([narrow], [a_state(7 * USD)], NOW))[b"Helicone-Budget-Remaining"] == b"0"


def test_an_override_in_force_survives_a_round_trip() -> None:
    import msgspec

    budget = a_budget("5.000000001", override=Override(limit_usd=Decimal("7.5"), until=NOW))
    assert msgspec.json.decode(msgspec.json.encode(budget), type=Budget) == budget
    assert ZoneInfo(budget.time_zone) is not None


def test_each_threshold_is_reported_once_a_period_and_again_in_the_next() -> None:
    budget = a_budget("50", thresholds=(50, 80, 100), segment=Segment.USER)

    def ids(spent: int, at: datetime = NOW) -> list[str]:
        return [one.notice_id for one in threshold_notices(budget, "ann", spent * USD, at, 0)]

    assert ids(24) == []
    [half] = ids(25)
    [again, most] = ids(49, NOW + timedelta(days=3))
    assert (again, len(ids(50))) == (half, 3)
    assert half not in ids(50, NOW + timedelta(days=20)), "December"
    critical = threshold_notices(budget, "ann", 60 * USD, NOW, 0)[-1]
    assert critical.level is NoticeLevel.CRITICAL
    assert (critical.threshold_label, critical.value) == ("100 % of $50", Decimal(60))
    assert critical.group == {"user": "ann"}
    assert most != half
