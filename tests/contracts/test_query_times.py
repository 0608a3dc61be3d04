"""Times as people mean them: a timestamp without an offset is one of the request's time zone, else of UTC."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import quote

import pytest

from schemas.event import Outcome
from schemas.key import Permission
from tests.builders.records import REQUEST_ID, TIMESTAMP
from tests.servers.querying import LIST, Client, leaf

BERLIN = {"timeZone": "Europe/Berlin"}
START, END = datetime(2026, 9, 30, 22, tzinfo=UTC), datetime(2026, 10, 31, 23, tzinfo=UTC)  # of October in Berlin


@pytest.fixture
def october(client: Client) -> Client:
    """Rows at the first and the last millisecond of October in Berlin, and just beyond."""
    just = timedelta(milliseconds=1)
    client.keep(*({"request_created_at": at} for at in (START - just, START, END - just, END)))
    return client


def test_a_report_of_a_month_is_of_the_month_in_its_zone(october: Client) -> None:
    requested = {"measures": ["requests"], "by": [{"time": "month"}]}
    month = {"start": "2026-10-01", "end": "2026-11-01"}
    report = october.report(**requested, timeFilter=month, **BERLIN)
    assert [(row["by"], row["measures"]["requests"]) for row in report["rows"]] == [(["2026-10-01T00:00:00+02:00"], 2)]
    assert (report["start"], report["end"]) == ("2026-09-30T22:00:00.000Z", "2026-10-31T23:00:00.000Z")
    assert october.report(**requested, timeFilter=month)["start"] == "2026-10-01T00:00:00.000Z"
    with_offsets = {"start": "2026-10-01T00:00:00Z", "end": "2026-11-01T00:00:00+00:00"}
    assert october.report(**requested, timeFilter=with_offsets, **BERLIN)["start"] == "2026-10-01T00:00:00.000Z"
    summary = october.summary("?start=2026-10-01&end=2026-11-01&timeZone=Europe/Berlin")
    assert (summary["total"]["requests"], summary["start"]) == (2, "2026-09-30T22:00:00.000Z")


def test_filters_on_timestamps_are_of_the_requests_zone(october: Client) -> None:
    filter_json = leaf(request_created_at={"gte": "2026-10-01", "lt": "2026-11-01T00:00:00"})
    shown = [row["request_created_at"] for row in october.page(filter_json, **BERLIN)]
    assert shown == ["2026-10-31T22:59:59.999Z", "2026-09-30T22:00:00.000Z"]
    assert [row["request_created_at"] for row in october.page(filter_json)] == [
        "2026-10-31T23:00:00.000Z",
        "2026-10-31T22:59:59.999Z",
    ]
    status, counted = october.ask("/v1/request/count/query", {"filter": filter_json, **BERLIN})
    assert (status, counted["data"]) == (200, 2)
    report = october.report(measures=["requests"], filter=filter_json, **BERLIN)
    assert report["total"]["requests"] == 2


@pytest.mark.parametrize("in_filter", [False, True])
def test_figures_over_time_are_of_the_difference_of_the_request(client: Client, in_filter: bool) -> None:
    """Of November in Berlin, whose bars begin at its midnight, all are in the bars and nothing else is."""
    start, end, just = datetime(2026, 10, 31, 23, tzinfo=UTC), datetime(2026, 11, 30, 23, tzinfo=UTC), timedelta(0, 1)
    hit = {"outcome": Outcome.CACHED, "cache_reference_id": REQUEST_ID, "cache_saved_usd": Decimal(1)}
    kept = hit | {"properties": {"feature": "x"}, "property_spellings": ["Feature"]}
    original = {"request_id": REQUEST_ID, "request_created_at": start - timedelta(9), "latency_ms": 1000}
    hits = ({"request_created_at": at, **kept} for at in (start - just, start, end - just, end, end + just))
    client.keep(original, *hits)
    month = {"start": "2026-11-01", "end": "2026-12-01"}
    given = leaf(request_created_at={"gte": month["start"], "lt": month["end"]}) if in_filter else "all"
    within = {"start": "2026-10-01T00:00:00Z", "end": "2027-01-01T00:00:00Z"} if in_filter else month
    in_time = {"timeFilter": within, "dbIncrement": "day", "timeZoneDifference": -60}
    for path, body, name in (
        ("/v1/metrics/requestOverTime", {"filter": given}, "count"),
        ("/api/cache/cacheHitsOverTime", {"filter": given}, "count"),
        ("/v1/property/properties/over-time", {"userFilter": given, "propertyKey": "feature"}, "request_count"),
    ):
        status, found = client.ask(path, body | in_time)
        assert (status, sum(row[name] for row in found["data"])) == (200, 2), (path, found)
    for path in ("total", "total_savings", "time_saved"):
        status, found = client.ask(f"/api/cache/{path}", {"filter": given} | in_time)
        assert (status, found["data"]) == (200, 2), (path, found)


def test_filters_of_users_and_sessions_are_of_the_difference_of_the_request(client: Client) -> None:
    client.keep({"request_created_at": datetime(2026, 10, 31, 23, tzinfo=UTC), "user_id": "ann", "session_id": "s"})
    given = leaf(request_created_at={"gte": "2026-11-01", "lt": "2026-11-01T00:00:01"})
    ever = {"startTimeUnixMs": 0, "endTimeUnixMs": 4_000_000_000_000}
    users = {"filter": given, "offset": 0, "limit": 9, "timeZoneDifferenceMinutes": -60}
    sessions = {"filter": given, "search": "", "timeFilter": ever, "timezoneDifference": -60}
    assert [one["user_id"] for one in client.ask("/v1/user/metrics/query", users)[1]["data"]["users"]] == ["ann"]
    assert [one["session_id"] for one in client.ask("/v1/session/query", sessions)[1]["data"]] == ["s"]


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("Europe/Berlin", "2026-03-29"),  # of 23 hours
        ("Europe/Berlin", "2026-10-25"),  # of 25
        ("America/Sao_Paulo", "2018-11-04"),  # without a midnight
        ("America/Havana", "2026-11-01"),  # with two
        ("Asia/Beirut", "2026-03-29"),
        ("Australia/Lord_Howe", "2026-04-05"),  # of half an hour more
        ("Asia/Kathmandu", "2026-05-05"),
        ("UTC", "2026-05-05"),
    ],
)
def test_the_period_of_a_day_is_the_group_of_that_day(client: Client, zone: str, day: str) -> None:
    midnight = datetime.fromisoformat(day).replace(tzinfo=UTC)
    client.keep(*({"request_created_at": midnight + timedelta(minutes=15 * number)} for number in range(-200, 300)))
    next_day = (midnight + timedelta(days=1)).date().isoformat()
    requested = {"measures": ["requests"], "by": [{"time": "day"}], "timeZone": zone}
    everything = client.report(**requested, timeFilter={"start": "2018-01-01"})["rows"]
    (of_day,) = (row for row in everything if row["by"][0].startswith(day))
    assert client.report(**requested, timeFilter={"start": day, "end": next_day})["rows"] == [of_day]


def test_a_report_may_say_how_far_back(client: Client) -> None:
    now = client.service.clock.now()
    client.keep({"request_created_at": now - timedelta(hours=25)}, {"request_created_at": now - timedelta(hours=23)})
    assert client.report(measures=["requests"], timeFilter={"since": "24h"})["total"]["requests"] == 1
    for wrong in ({}, {"since": "1d", "start": "2026-11-01"}, {"since": "1x"}, {"end": "2026-11-01"}):
        status, refusal = client.ask("/v1/report", {"measures": ["requests"], "timeFilter": wrong})
        assert (status, "since" in refusal["error"]) == (422, True), wrong


def test_prices_and_re_pricing_take_times_of_a_zone(admin: Client) -> None:
    price = {"model": "m", "provider": "P", "usd_per_million_tokens": {"prompt_tokens": 1}}
    times = {"valid_from": "2026-11-01", "valid_until": "2026-12-01T00:00", "time_zone": "Europe/Berlin"}
    status, added = admin.ask("/v1/prices", price | times)
    assert (status, added["data"]["valid_from"]) == (201, "2026-10-31T23:00:00.000Z")
    assert added["data"]["valid_until"] == "2026-11-30T23:00:00.000Z"
    at = quote("2026-11-01T00:30")
    for zone, is_valid in (("UTC", True), ("Europe/Berlin", True), ("Asia/Tokyo", False)):
        _, listed = admin.ask(f"/v1/prices?provider=P&model=m&at={at}&time_zone={zone}")
        assert (listed["data"]["in_force"] is not None) is is_valid, zone
    ends = {"at": "2026-11-20", "time_zone": "Europe/Berlin"}
    _, ended = admin.ask(f"/v1/prices/{added['data']['row_id']}/end", ends)
    assert ended["data"]["valid_until"] == "2026-11-19T23:00:00.000Z"
    run = {"model": "*", "since": "2026-10-25T02:30", "until": "2026-11-01", "dry_run": True}
    _, begun = admin.ask("/v1/reprice", run | {"time_zone": "Europe/Berlin"})
    assert (begun["data"]["since"], begun["data"]["until"]) == ("2026-10-25T00:30:00.000Z", "2026-10-31T23:00:00.000Z")
    _, unknown = admin.ask("/v1/prices/unknown?since=2026-11-01&time_zone=Europe/Berlin")
    assert unknown["data"]["start"] == "2026-10-31T23:00:00.000Z"


@pytest.mark.parametrize("name", ["Moon", "../x", "localtime", "posix/UTC", ""])
def test_an_unknown_zone_is_named_wherever_it_is_given(client: Client, name: str) -> None:
    key = client.service.key(client.organization_id, Permission.ADMIN)
    body = {"model": "m", "usd_per_million_tokens": {"prompt_tokens": 1}, "time_zone": name}
    places: list[tuple[str, object]] = [
        (LIST, {"filter": "all", "timeZone": name}),
        ("/v1/report", {"measures": ["requests"], "timeFilter": {"since": "1d"}, "timeZone": name}),
        (f"/v1/report/summary?timeZone={name}", None),
        ("/v1/prices", body),
        (f"/v1/prices?time_zone={name}", None),
        (f"/v1/prices/unknown?time_zone={name}", None),
        ("/v1/prices/x/end", {"time_zone": name}),
        ("/v1/reprice", {"model": "m", "since": "1d", "dry_run": True, "time_zone": name}),
    ]
    for path, body_json in places:
        status, refusal = client.service.ask(path, body_json, key=key)
        assert (status, "zone" in refusal["error"].lower(), repr(name) in refusal["error"]) == (422, True, True), path


def test_what_gives_no_zone_is_read_in_utc(client: Client) -> None:
    client.keep({"request_created_at": TIMESTAMP})
    exactly = TIMESTAMP.isoformat(timespec="milliseconds").removesuffix("+00:00")
    assert len(client.page(leaf(request_created_at={"equals": exactly}))) == 1
    assert client.page(leaf(request_created_at={"equals": exactly}), **BERLIN) == []
