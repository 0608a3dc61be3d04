"""Comparisons, conditions on groups, breakdowns and empty buckets, on both shapes of the warehouse."""

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from schemas.price import CostState
from schemas.tables import REQUEST_RESPONSE
from services.sql.measures import ADDED_UP, MEASURES, ZERO_OF_NOTHING
from services.sql.sort import groupable_columns
from tests.contracts.test_query_csv import fetched
from tests.servers.querying import Client

UNKNOWN: dict[str, Any] = {"cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL}
NOVEMBER = {"start": "2026-11-01T00:00:00+01:00", "end": "2026-12-01T00:00:00+01:00"}
BERLIN = {"timeFilter": NOVEMBER, "timeZone": "Europe/Berlin"}


def at(day: str, usd: str | None = "1", **record: Any) -> dict[str, Any]:
    """A request on a day of 2026, as `10-31` or `10-31T22:30`."""
    created_at = datetime.fromisoformat(f"2026-{day}").replace(tzinfo=UTC)
    cost = UNKNOWN if usd is None else {"cost_usd": Decimal(usd)}
    return {"request_created_at": created_at, **cost, **record}


def feature(name: str) -> dict[str, Any]:
    return {"properties": {"feature": name}}


BY_FEATURE: dict[str, Any] = {"measures": ["cost_usd"], "by": [{"property": "Feature"}]}


def test_groups_of_two_months_stand_beside_each_other_with_those_that_are_new_or_gone(client: Client) -> None:
    client.keep(
        at("10-01T00:00", "4", **feature("chat")),
        at("10-31T22:59", "1", **feature("old")),  # still October in Berlin
        at("10-31T23:00", "5", **feature("chat")),  # November there
        at("11-15", "2", **feature("young")),
        at("11-16", None, **feature("dark")),
        at("10-16", "3", **feature("dark")),
        at("09-30T21:59", "100", **feature("older")),
    )
    report = client.report(**BY_FEATURE, **BERLIN, compare="previous")
    compared = report["compared"]
    assert (compared["start"], compared["end"]) == ("2026-09-30T22:00:00.000Z", "2026-10-31T23:00:00.000Z")
    rows = {
        row["by"][0]: (
            row["measures"]["cost_usd"],
            row["compared"]["measures"]["cost_usd"],
            row["compared"]["change"]["cost_usd"],
            row["compared"]["presence"],
        )
        for row in report["rows"]
    }
    assert rows == {
        "chat": (5, 4, {"absolute": 1, "relative": Decimal("0.25")}, "both"),
        "young": (2, 0, {"absolute": 2, "relative": None}, "new"),
        "old": (0, 1, {"absolute": -1, "relative": -1}, "gone"),
        "dark": (None, 3, None, "both"),
    }
    assert (report["total"]["cost_usd"], compared["total"]["measures"]["cost_usd"]) == (7, 8)
    assert compared["total"]["change"]["cost_usd"] == {"absolute": -1, "relative": Decimal("-0.125")}
    assert compared["total"]["change"]["requests"] == {"absolute": 0, "relative": 0}


def test_any_period_can_be_compared_with_even_one_that_overlaps(client: Client) -> None:
    client.keep(at("11-02", "1"), at("11-10", "2"), at("10-03", "4"), at("11-02", "8"))
    other = {"start": "2026-11-01T00:00:00Z", "end": "2026-11-05T00:00:00Z"}
    for compare, cost in ((other, 9), ("month_before", 4), ("week_before", 11), ("year_before", 0)):
        report = client.report(measures=["cost_usd"], **BERLIN, compare=compare)
        assert (report["total"]["cost_usd"], report["compared"]["total"]["measures"]["cost_usd"]) == (11, cost), compare


def test_the_biggest_changes_come_first_when_requested(client: Client) -> None:
    client.keep(
        *(at("10-10", usd, **feature(name)) for name, usd in (("a", "5"), ("b", "1"), ("c", "9"))),
        *(at("11-10", usd, **feature(name)) for name, usd in (("a", "6"), ("b", "5"), ("d", "2"))),
    )
    for figure, direction, expected in (
        ("value", "desc", "abdc"),
        ("previous", "desc", "cabd"),
        ("change", "desc", "bdac"),
        ("change", "asc", "cadb"),
        ("relative", "desc", "bacd"),  # 4, 0.2, -1, and of nothing there is no share
        ("relative", "asc", "cabd"),
    ):
        order = {"measure": "cost_usd", "figure": figure, "direction": direction}
        report = client.report(**BY_FEATURE, **BERLIN, compare="previous", orderBy=order)
        assert "".join(row["by"][0] for row in report["rows"]) == expected, (figure, direction)
    for compare, direction, expected in (("previous", "desc", "dcba"), (None, "desc", "dba"), (None, "asc", "abd")):
        report = client.report(**BY_FEATURE, **BERLIN, compare=compare, orderBy={"direction": direction})
        assert "".join(row["by"][0] for row in report["rows"]) == expected, (compare, direction)


def test_the_nth_day_stands_beside_the_nth_and_what_is_longer_goes_on(client: Client) -> None:
    client.keep(at("10-01T10:00", "1"), at("10-31T10:00", "2"), at("11-01T10:00", "4"), at("11-30T10:00", "8"))
    by_day = {"measures": ["cost_usd"], "by": [{"time": "day"}], **BERLIN, "compare": "previous"}
    rows = client.report(**by_day)["rows"]
    reported = [
        (row["by"][0][:10], row["measures"]["cost_usd"], row["compared"]["measures"]["cost_usd"]) for row in rows
    ]
    assert reported == [("2026-11-01", 4, 1), ("2026-11-30", 8, 0), ("2026-12-01", 0, 2)]
    filled = client.report(**by_day, fill=True)["rows"]
    assert (len(filled), [row["compared"]["presence"] for row in filled].count("neither")) == (31, 28)
    for bucket, names in (
        ("week", ["2026-10-26", "2026-11-23", "2026-11-30"]),
        ("quarter", ["2026-10-01"]),
        ("year", ["2026-01-01"]),
    ):
        rows = client.report(**by_day | {"by": [{"time": bucket}]})["rows"]
        assert [row["by"][0][:10] for row in rows] == names, bucket


def test_hours_are_compared_as_they_pass_on_a_day_on_which_clocks_are_set(client: Client) -> None:
    client.keep(at("10-24T01:30"), at("10-25T00:30", "2"), at("10-25T01:30", "4"), at("10-25T22:30", "8"))
    sunday = {"start": "2026-10-25T00:00:00+02:00", "end": "2026-10-26T00:00:00+01:00"}
    requested = {"measures": ["cost_usd"], "by": [{"time": "hour"}], "timeFilter": sunday, "timeZone": "Europe/Berlin"}
    report = client.report(**requested, compare="previous", fill=True)
    hours = [row["by"][0][11:] for row in report["rows"]]
    assert (len(hours), hours[2:5]) == (25, ["02:00:00+02:00", "02:00:00+01:00", "03:00:00+01:00"])
    assert [row["measures"]["cost_usd"] for row in report["rows"]][2:5] == [2, 4, 0]
    assert [row["compared"]["measures"]["cost_usd"] for row in report["rows"]][2:5] == [0, 1, 0]
    assert report["compared"]["start"] == "2026-10-23T22:00:00.000Z"


@pytest.mark.parametrize(
    ("bucket", "starts"),
    [
        ("5_minutes", ["12:00", "12:05", "12:15"]),
        ("15_minutes", ["12:00", "12:15"]),
        ("minute", ["12:00", "12:04", "12:05", "12:15"]),
    ],
)
def test_buckets_of_minutes(client: Client, bucket: str, starts: list[str]) -> None:
    client.keep(*(at(f"11-01T{time}") for time in ("12:00:59", "12:04:59", "12:05", "12:15")))
    report = client.report(measures=["requests"], by=[{"time": bucket}])
    assert [row["by"][0][11:16] for row in report["rows"]] == starts


def test_empty_buckets_have_the_figures_of_nothing(client: Client) -> None:
    client.keep(at("11-01T12:00"), at("11-03T12:00"))
    days = {"start": "2026-11-01T00:00:00Z", "end": "2026-11-04T00:00:00Z"}
    requested = {"measures": sorted(MEASURES), "by": [{"time": "day"}], "timeFilter": days}
    report = client.report(**requested, fill=True)
    nothing = client.report(measures=sorted(MEASURES), timeFilter={"start": "2025-01-01", "end": "2025-01-02"})
    assert [row["by"][0][:10] for row in report["rows"]] == ["2026-11-01", "2026-11-02", "2026-11-03"]
    assert report["rows"][1]["measures"] == nothing["total"]
    zeros = {name for name, figure in nothing["total"].items() if figure == 0}
    assert zeros == ZERO_OF_NOTHING - {"value_usd", "margin_usd"}  # unknown, as no value was given
    assert client.report(**requested)["rows"] == [report["rows"][0], report["rows"][2]]
    assert report["total"] == client.report(**requested)["total"]


def test_conditions_leave_groups_out_of_the_rows_and_in_the_rest(client: Client) -> None:
    client.keep(
        *(at("11-10", usd, **feature(name)) for name, usd in (("a", "9"), ("a", "1"), ("b", "4"), ("c", "0.5"))),
        at("11-11", None, **feature("d")),
    )
    for having, expected in (
        ({"cost_usd": {"gte": 4}}, ["a", "b"]),
        ({"cost_usd": {"gt": 0.5, "lt": 10}}, ["b"]),
        ({"cost_usd": {"equals": None}}, ["d"]),
        ({"cost_usd": {"not-equals": None}}, ["a", "b", "c"]),
        ({"average_latency_ms": {"gt": 0}, "requests": {"equals": 2}}, ["a"]),
        ({"last_request_at": {"gte": "2026-11-11T00:00:00Z"}}, ["d"]),
    ):
        for more in ({}, {"compare": "previous"}):
            report = client.report(**BY_FEATURE, **BERLIN, having=having, **more)
            assert [row["by"][0] for row in report["rows"]] == expected, having
            assert (report["total"]["cost_usd"], report["truncated"]) == (Decimal("14.5"), False)
            shown = sum(row["measures"]["requests"] for row in report["rows"])
            assert report["rest"]["requests"] + shown == report["total"]["requests"] == 5
    cut = client.report(**BY_FEATURE, **BERLIN, having={"cost_usd": {"gte": 4}}, limit=1)
    assert (cut["truncated"], cut["rest"]["cost_usd"]) == (True, Decimal("4.5"))


def test_several_breakdowns_share_the_requests_and_the_total(client: Client) -> None:
    client.keep(
        *(at("11-10", usd, **feature(name), user_id=user) for name, usd, user in (("a", "9", "x"), ("b", "4", "y"))),
        at("10-10", "1", **feature("b"), user_id="x"),
    )
    breakdowns: list[dict[str, Any]] = [
        {"by": [{"column": "user_id"}], "limit": 1},
        {"by": [{"time": "day"}]},
        {"by": [{"column": "user_id"}, {"property": "Feature"}], "having": {"cost_usd": {"lt": 5}}},
        {},
    ]
    requested = {**BY_FEATURE, **BERLIN, "compare": "previous"}
    report = client.report(**requested, breakdowns=breakdowns)
    for breakdown, alone in zip(report["breakdowns"], breakdowns, strict=True):
        expected = client.report(**requested | {"by": [], "limit": 100} | alone)
        assert breakdown == {name: expected[name] for name in breakdown}
        assert breakdown["total"] == report["total"]
    assert report["rows"] == client.report(**requested)["rows"]


def test_averages_per_user_and_session_are_over_those_that_are_named(client: Client) -> None:
    session = {"session_id": "s", "session_name": "n"}
    client.keep(
        at("11-10", "6", user_id="x", **session),
        at("11-10", "3", user_id="y", session_id="s", session_name="other"),
        at("11-10", None, user_id="z"),
        at("11-10", "5", user_id=""),
        at("11-10", "1", user_id="x", model="other", time_to_first_token_ms=80, is_stream=True),
    )
    names = [
        *("cost_per_user_usd", "cost_per_session_usd", "requests_per_user", "requests_per_session", "tokens_per_user"),
        *("models", "p95_time_to_first_token_ms", "average_time_to_first_token_ms"),
    ]
    total = client.report(measures=names, **BERLIN)["total"]
    assert [float(total[name]) for name in names] == [5, 4.5, 4 / 3, 1, 3200 / 3, 2, 80, 80]


def test_every_column_with_one_value_can_be_grouped_by(client: Client) -> None:
    client.keep(at("11-10"), at("11-11", None))
    plain = {column.kind for column in groupable_columns().values()}
    left = {column.kind for column in REQUEST_RESPONSE.columns.values()} - plain
    assert {str(kind) for kind in left} == {"text_map", "number_map", "map_key", "body"}
    for name in groupable_columns():
        report = client.report(measures=["requests"], by=[{"column": name}], **BERLIN, compare="previous")
        assert sum(row["measures"]["requests"] for row in report["rows"]) == 2, name
    by_key = client.report(measures=["requests"], by=[{"column": "key_id"}], **BERLIN)
    assert [row["by"] for row in by_key["rows"]] == [[None]]


def test_a_comparison_in_csv_adds_up_line_by_line(client: Client) -> None:
    client.keep(*(at("11-10", str(usd), user_id=f"u{usd}") for usd in range(1, 6)), at("10-10", "7", user_id="u1"))
    requested = {"measures": ["cost_usd"], "by": [{"column": "user_id"}], **BERLIN, "compare": "previous", "limit": 2}
    status, _, text = fetched(client, "/v1/report", requested)
    table = [line for line in io.StringIO(text) if not line.startswith("#")]
    *groups, rest, total = list(csv.DictReader(table))
    assert (status, len(groups), rest["line"], total["line"]) == (200, 2, "rest", "total")
    for name in ADDED_UP & set(total):
        for column in (name, f"{name}.previous", f"{name}.change"):
            assert sum(Decimal(line[column] or 0) for line in (*groups, rest)) == Decimal(total[column]), column
    assert [group["presence"] for group in groups] == ["new", "new"]
    status, _, refusal = fetched(client, "/v1/report", requested | {"breakdowns": [{}]})
    assert (status, "breakdowns: CSV is one table" in refusal) == (422, True)


DAYS = {"start": "2026-11-01T00:00:00Z", "end": "2026-11-08T00:00:00Z"}


@pytest.mark.first_on_server
@pytest.mark.parametrize(
    ("requested", "culprit"),
    [
        ({"compare": "soon"}, "compare"),
        ({"compare": {"start": "2026-01-01"}}, "compare"),
        ({"compare": {"start": "2026-01-02", "end": "2026-01-01"}}, "is after end"),
        ({"orderBy": {"measure": "requests", "figure": "change"}}, "give compare too"),
        (
            {"compare": "previous", "measures": ["last_request_at"]}
            | {"orderBy": {"measure": "last_request_at", "figure": "change"}},
            "last_request_at is no number",
        ),
        ({"compare": "previous", "orderBy": {"figure": "relative"}}, "give orderBy.measure too"),
        ({"having": {"requests": {"gt": 1}}}, "having is about groups"),
        ({"having": {"colour": {"gt": 1}}, "by": [{"column": "model"}]}, "colour"),
        ({"having": {"requests": {"like": 1}}, "by": [{"column": "model"}]}, "having.requests"),
        ({"having": {"requests": 7}, "by": [{"column": "model"}]}, "having.requests"),
        ({"fill": True}, "fill is for one time"),
        ({"fill": True, "by": [{"time": "day"}, {"column": "model"}]}, "fill is for one time"),
        ({"fill": True, "by": [{"time": "day"}], "having": {"requests": {"gt": 1}}}, "leave out having"),
        ({"fill": True, "by": [{"time": "minute"}]}, "more buckets of minute"),
        ({"breakdowns": [{"by": [{"column": "colour"}]}]}, "colour"),
        ({"breakdowns": [{"by": [{"column": "model"}]}, {"having": {"requests": {"gt": 1}}}]}, "breakdowns.1.having"),
        ({"breakdowns": [{"by": [{"column": "model"}], "orderBy": {"measure": "colour"}}]}, "breakdowns.0.orderBy"),
        (
            {"by": [{"column": "model"}], "breakdowns": [{"by": [{"column": "user_id"}], "limit": 9001}]},
            "breakdowns.0.limit is 9001, and all limits of this request together are 10001",
        ),
        ({"breakdowns": [{}] * 9}, "breakdowns"),
        ({"by": [{"time": "decade"}]}, "time"),
    ],
)
def test_what_cannot_be_requested_is_refused_by_name(client: Client, requested: dict[str, Any], culprit: str) -> None:
    status, refusal = client.ask("/v1/report", {"measures": ["requests"], "timeFilter": DAYS} | requested)
    assert (status, culprit in refusal["error"]) == (422, True), refusal
