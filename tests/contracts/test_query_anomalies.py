"""Unusual patterns, on both shapes of the warehouse: the guide's questions on made-up weeks of its traffic."""

import csv
import io
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner, Result

from schemas.price import CostState
from services.cli.app import app
from services.sql.measures import MEASURES, Source
from tests.contracts.test_query_csv import block_of, fetched, table_of
from tests.servers.querying import Client, QueryService

BERLIN = ZoneInfo("Europe/Berlin")
END = datetime(2026, 11, 2, tzinfo=BERLIN)  # a Monday, a week after clocks were set
WEEKS = 6
PERIOD: dict[str, Any] = {
    "timeFilter": {"start": "2026-10-26", "end": "2026-11-02"},
    "timeZone": "Europe/Berlin",
}


def request(at: datetime, user: str, feature: str, usd: str, **changes: Any) -> dict[str, Any]:
    return {
        "request_created_at": at.astimezone(UTC),
        "user_id": user,
        "model": "gpt-4o-mini",
        "cost_usd": Decimal(usd),
        "properties": {"feature": feature, "environment": "production"},
        "property_spellings": ["Feature", "Environment"],
        "session_name": "Document Analysis" if feature == "document-analysis" else "",
        **changes,
    }


def usual_weeks(chance: random.Random) -> Iterator[dict[str, Any]]:
    """Working days of three users: each feature some 30 requests a day and user; hardly any at weekends."""
    for day in range(WEEKS * 7):
        date = END - timedelta(days=WEEKS * 7 - day)
        for user in ("user-123", "user-456", "user-789"):
            for feature, usd in (("chat", "0.10"), ("document-analysis", "0.15")):
                for _ in range(chance.randrange(13, 18) // (6 if date.weekday() >= 5 else 1)):
                    at = date + timedelta(seconds=8 * 3600 + chance.randrange(10 * 3600))
                    yield request(at, user, feature, usd)


def runaway(chance: random.Random) -> Iterator[dict[str, Any]]:
    """On Thursday evening user-123 sends 200 documents to a dearer model; of ten nobody knows the cost."""
    for number in range(200):
        at = datetime(2026, 10, 29, 18, tzinfo=BERLIN) + timedelta(seconds=chance.randrange(4 * 3600))
        unknown: dict[str, Any] = {"cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL} if number < 10 else {}
        yield request(at, "user-123", "document-analysis", "0.5", model="gpt-4o") | unknown


@pytest.fixture(scope="module")
def guide(service: QueryService) -> Client:
    client = Client(service, "org-guide-anomalies", service.key("org-guide-anomalies"))
    chance = random.Random(12)
    client.keep(*usual_weeks(chance), *runaway(chance))
    newcomer = datetime(2026, 10, 30, 9, tzinfo=BERLIN)
    client.keep(*(request(newcomer + timedelta(minutes=at), "user-new", "chat", "1") for at in range(30)))
    client.keep(*(request(newcomer, "user-small", "chat", "0.01") for _ in range(3)))
    return client


def requested(client: Client, **body: Any) -> dict[str, Any]:
    status, response = client.ask("/v1/report/anomalies", PERIOD | body)
    assert status == 200, response
    assert response["seal"]["state"] in ("complete", "waiting", "unknown")
    data: dict[str, Any] = response["data"]
    return data


def test_who_spent_more_than_usual_is_named_with_the_amount_the_time_and_the_reason(guide: Client) -> None:
    found = requested(guide, by=[{"column": "user_id"}], measures=["cost_usd"])
    (anomaly,) = found["anomalies"]
    assert anomaly["group"] == {"user_id": "user-123"}
    assert (anomaly["measure"], anomaly["unit"], anomaly["bucket"]) == ("cost_usd", "USD", "day")
    assert (anomaly["since"], anomaly["until"], anomaly["state"]) == (
        "2026-10-28T23:00:00.000Z",
        "2026-10-29T23:00:00.000Z",
        "ended",
    )
    usual = guide.report(
        measures=["cost_usd"],
        timeFilter={"start": "2026-10-29", "end": "2026-10-30"},
        timeZone="Europe/Berlin",
        filter={"request_response_rmt": {"user_id": {"equals": "user-123"}}},
    )["total"]["cost_usd"]
    assert anomaly["actual"] == usual
    assert 2 < anomaly["expected_low"] < anomaly["expected"] < anomaly["expected_high"] < 5
    assert anomaly["excess"] == anomaly["actual"] - anomaly["expected"]
    assert 94 < anomaly["excess"] < 97
    assert (anomaly["requests"], anomaly["unpriced_requests"]) == (anomaly["requests"], 10)
    assert anomaly["requests"] > 220
    assert anomaly["score"] > 5
    drivers = {driver["by"]: driver for driver in anomaly["drivers"]}
    assert list(drivers) == ["model", "properties.Feature", "key_id", "session_name"]
    assert drivers["model"]["parts"][0]["value"] == "gpt-4o"
    assert drivers["model"]["parts"][0]["excess"] == 95
    assert drivers["session_name"]["parts"][0]["value"] == "Document Analysis"
    for driver in drivers.values():
        assert sum(part["excess"] for part in driver["parts"]) + driver["rest"] == anomaly["excess"]


def test_groups_that_are_too_young_or_too_small_are_named_and_not_silently_left_out(guide: Client) -> None:
    found = requested(guide, by=[{"column": "user_id"}], measures=["cost_usd"])
    assert found["coverage"] == [
        {
            "by": ["user_id"],
            "groups": 5,
            "judged": 3,
            "too_young": 1,
            "too_small": 1,
            "too_sparse": 0,
            "beyond_limit": 0,
        }
    ]
    named = [(each["group"]["user_id"], each["reason"], each["size"]) for each in found["not_judged"]]
    assert named == [("user-new", "too_young", 30), ("user-small", "too_small", Decimal("0.03"))]
    assert found["not_judged"][0]["first_request_at"] == "2026-10-30T08:00:00.000Z"


def test_one_call_looks_at_the_usual_dimensions(guide: Client) -> None:
    found = requested(guide)
    names = {
        tuple(anomaly["group"].items()): anomaly for anomaly in found["anomalies"] if anomaly["measure"] == "cost_usd"
    }
    assert {
        (),
        (("user_id", "user-123"),),
        (("properties.Feature", "document-analysis"),),
        (("properties.Environment", "production"),),
        (("session_name", "Document Analysis"),),
    } <= names.keys()
    assert (("user_id", "user-456"),) not in names
    assert names[()]["drivers"][0]["parts"][0]["value"] == "user-123"
    assert [each["by"] for each in found["coverage"]] == [
        [],
        ["user_id"],
        ["model"],
        ["provider"],
        ["key_id"],
        ["session_name"],
        ["properties.Feature"],
        ["properties.Environment"],
    ]
    days = [anomaly["until"][:10] for anomaly in found["anomalies"]]
    assert days == sorted(days, reverse=True)
    dearest = requested(guide, orderBy="dearest", measures=["cost_usd"])["anomalies"]
    assert len(dearest) == len([each for each in found["anomalies"] if each["measure"] == "cost_usd"])
    excesses = [anomaly["excess"] for anomaly in dearest]
    assert excesses == sorted(excesses, reverse=True)


def test_figures_that_do_not_add_up_are_judged_too_and_have_no_drivers(guide: Client) -> None:
    found = requested(guide, by=[], measures=["cost_per_user_usd", "average_latency_ms", "error_rate"])
    (anomaly,) = found["anomalies"]
    assert (anomaly["measure"], anomaly["drivers"], anomaly["group"]) == ("cost_per_user_usd", [], {})
    assert anomaly["actual"] > 1.5 * float(anomaly["expected"])


@pytest.mark.parametrize(
    ("minimum", "anomalies"),
    [
        ({"usd": 90}, 1),
        ({"usd": 100}, 0),
        ({"ratio": 40}, 0),
        ({"historyDays": 28}, 1),
    ],
)
def test_what_is_below_the_minimum_is_silent(guide: Client, minimum: dict[str, Any], anomalies: int) -> None:
    found = requested(guide, by=[{"column": "user_id"}], measures=["cost_usd"], minimum=minimum)
    assert len(found["anomalies"]) == anomalies


def test_a_filter_and_several_dimensions_narrow_what_is_looked_at(guide: Client) -> None:
    found = requested(
        guide,
        by=[{"column": "user_id"}, {"property": "Feature"}],
        measures=["cost_usd"],
        filter={"properties": {"Feature": {"equals": "document-analysis"}}},
    )
    groups = [anomaly["group"] for anomaly in found["anomalies"]]
    assert groups == [{"user_id": "user-123", "properties.Feature": "document-analysis"}]
    chat = requested(guide, by=[], filter={"properties": {"Feature": {"equals": "chat"}}}, minimum={"usd": 50})
    assert [anomaly["unit"] for anomaly in chat["anomalies"] if anomaly["unit"] == "USD"] == []


def test_it_is_seen_while_it_still_goes_on_by_what_the_running_day_has_so_far(guide: Client) -> None:
    times = {"timeFilter": {"start": "2026-10-26", "end": "2026-10-29T20:00:00"}}
    found = requested(guide, **times, by=[{"column": "user_id"}], measures=["cost_usd"])
    (anomaly,) = found["anomalies"]
    assert (anomaly["state"], anomaly["until"]) == ("ongoing", None)
    assert 20 < anomaly["excess"] < 70
    before = {"timeFilter": {"start": "2026-10-26", "end": "2026-10-29T17:00:00"}}
    assert requested(guide, **before, by=[{"column": "user_id"}])["anomalies"] == []


def test_csv_has_a_line_for_each_anomaly(guide: Client) -> None:
    body = PERIOD | {"measures": ["cost_usd"], "orderBy": "dearest"}
    status, kind, text = fetched(guide, "/v1/report/anomalies", body)
    assert (status, kind.startswith("text/csv")) == (200, True), text
    assert block_of(text)["farebox"] == "anomalies"
    lines = list(csv.DictReader(io.StringIO(table_of(text), newline=""), strict=True))
    expected = requested(guide, measures=["cost_usd"], orderBy="dearest")["anomalies"]
    assert [Decimal(line["excess"]) for line in lines] == [anomaly["excess"] for anomaly in expected]
    of_user = next(line for line in lines if line["user_id"])
    assert (of_user["user_id"], of_user["properties.Feature"], of_user["state"]) == ("user-123", "", "ended")
    assert json.loads(of_user["drivers"])[0]["by"] == "model"


def test_without_requests_there_is_nothing_and_others_see_nothing(client: Client, guide: Client) -> None:
    assert guide.organization_id != client.organization_id
    found = requested(client)
    assert (found["anomalies"], found["not_judged"], found["truncated"]) == ([], [], False)
    assert {each["groups"] for each in found["coverage"]} == {0}


@pytest.mark.parametrize("since", ["2026-10-20", "2026-11-02T11:59:00", "2027-11-01"])
def test_what_has_not_come_yet_is_no_silence(guide: Client, since: str) -> None:
    """The clock stands at noon of 2 November."""
    times = {"timeFilter": {"start": since, "end": "2027-11-03" if since > "2027" else "2026-12-01"}}
    found = requested(guide, **times, by=[], measures=["cost_usd"])
    assert len(found["anomalies"]) == (since < "2026-10-30")


@pytest.mark.first_on_server
@pytest.mark.parametrize(
    ("body", "culprit"),
    [
        ({"by": [{"column": "colour"}]}, "colour"),
        ({"by": [{"time": "day"}]}, "by"),
        ({"by": [{"column": "latency"}]}, "latency"),
        ({"measures": ["spirit"]}, "spirit"),
        ({"measures": ["last_request_at"]}, "last_request_at"),
        ({"timeFilter": {"since": "93d"}}, "92 days"),
        ({"groups": 500, "measures": ["cost_usd", "requests"]}, "groups"),
        ({"timeZone": "Moon"}, "Moon"),
        ({"minimum": {"usd": -1}}, "usd"),
        ({"minimum": {"dollars": 1}}, "dollars"),
        ({"compare": "previous"}, "compare"),
    ],
)
def test_what_cannot_be_requested_is_refused_by_name(client: Client, body: dict[str, Any], culprit: str) -> None:
    status, refusal = client.ask("/v1/report/anomalies", PERIOD | body)
    assert (status, culprit in refusal["error"]) == (422, True), refusal


def test_every_measure_is_judged_or_refused_by_its_name(guide: Client) -> None:
    hourly = [name for name, one in MEASURES.items() if one.source is Source.REQUESTS and one.unit != "timestamp"]
    for first in range(0, len(hourly), 8):
        requested(guide, by=[], measures=hourly[first : first + 8], direction="both")
    for name in ("value_usd", "margin_usd", "p95_cost_per_user_usd", "last_request_at"):
        status, response = guide.ask("/v1/report/anomalies", PERIOD | {"by": [], "measures": [name]})
        assert (status, name in response["error"]) == (422, True)


def test_a_collapse_is_told_with_who_fell_where_it_is_asked_for(service: QueryService) -> None:
    client = Client(service, "org-collapse", service.key("org-collapse"))
    silent = datetime(2026, 10, 29, tzinfo=BERLIN)
    client.keep(
        *(
            row
            for row in usual_weeks(random.Random(7))
            if row["user_id"] != "user-456" or not silent <= row["request_created_at"] < silent + timedelta(days=2)
        )
    )
    asked: dict[str, Any] = {"by": [{"property": "Environment"}], "measures": ["requests"], "minimum": {"requests": 20}}
    assert not requested(client, **asked)["anomalies"]
    of_user = asked | {"by": [{"column": "user_id"}], "direction": "both"}
    (fall,) = requested(client, **of_user)["anomalies"]
    assert (fall["group"], fall["direction"], fall["state"]) == ({"user_id": "user-456"}, "fall", "ended")
    assert (fall["since"], fall["until"]) == ("2026-10-28T23:00:00.000Z", "2026-10-30T23:00:00.000Z")
    assert (fall["actual"], fall["excess"]) == (0, -fall["expected"])
    drivers = {driver["by"]: driver for driver in fall["drivers"]}
    assert {part["value"] for part in drivers["properties.Feature"]["parts"]} == {"chat", "document-analysis"}
    for driver in drivers.values():
        assert all(part["excess"] < 0 for part in driver["parts"])
        assert sum(part["excess"] for part in driver["parts"]) + driver["rest"] == fall["excess"]


def test_who_hardly_sends_anything_any_more_or_nothing_at_all_has_fallen(service: QueryService) -> None:
    client = Client(service, "org-vanished", service.key("org-vanished"))
    last = datetime(2026, 10, 29, tzinfo=BERLIN)
    left = {"user-123": 30, "user-456": 2, "user-789": 0}
    client.keep(
        *(
            request(last - timedelta(days=day) + timedelta(minutes=at), user, "chat", "1")
            for day in range(30)
            for user, count in left.items()
            for at in range(30 if day else count)
        )
    )
    times = {"timeFilter": {"start": "2026-10-29", "end": "2026-10-30"}}
    found = requested(client, **times, by=[{"column": "user_id"}], measures=["cost_usd"], direction="fall")
    falls = {each["group"]["user_id"]: (each["state"], each["actual"], each["expected"]) for each in found["anomalies"]}
    assert falls == {"user-456": ("ongoing", 2, 30), "user-789": ("ongoing", 0, 30)}
    assert found["coverage"][0]["judged"] == 3


def typed(client: Client, *arguments: str) -> Result:
    environ = {"FAREBOX_URL": f"http://127.0.0.1:{client.service.port}", "FAREBOX_KEY": client.key, "COLUMNS": "120"}
    times = ("--start", "2026-10-26", "--end", "2026-11-02", "--zone", "Europe/Berlin")
    return CliRunner().invoke(app, ["anomalies", *times, *arguments], env=environ)


def test_the_command_prints_who_explains_each(guide: Client) -> None:
    printed = typed(guide, "--by", "user_id", "--measures", "cost_usd")
    assert (printed.exit_code, printed.stderr) == (0, "")
    lines = printed.stdout.splitlines()
    assert lines[1] == "Unusual from 26 Oct 2026 00:00 to 2 Nov 2026 00:00 (Europe/Berlin)"
    assert lines[3].split() == ["Excess", "Actual", "Expected", "Since", "Until", "Score"]
    assert lines[4] == "cost_usd: user_id user-123"
    assert lines[5].split()[0].startswith("$95.")
    assert lines[6].startswith("    model: gpt-4o $95.00")
    assert "    10 requests of it could not be priced" in lines
    assert "  user_id: 3 of 5 (1 too young, 1 too small)" in lines
    assert "Nothing." in typed(guide, "--by", "user_id", "--minimum", "500", "--measures", "cost_usd").stdout
    assert json.loads(typed(guide, "--json", "--by", "user_id").stdout)["anomalies"]
    assert typed(guide, "--csv", "--by", "user_id").stdout.count("\n") > 12
    wrong = typed(guide, "--minimum", "much")
    assert (wrong.exit_code, wrong.stderr.strip()) == (1, "farebox: --minimum takes a number, not 'much'")
