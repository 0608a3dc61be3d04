"""What users and features earned: taken, corrected, deleted and listed, and beside costs in reports."""

import urllib.request
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas.key import Permission
from schemas.price import CostState
from tests.builders.records import TIMESTAMP
from tests.servers.querying import Client, QueryService, leaf

NOVEMBER = {"start": "2026-11-01T00:00:00Z", "end": "2026-12-01T00:00:00Z"}
OCTOBER = {"start": "2026-10-01T00:00:00Z", "end": "2026-11-01T00:00:00Z"}
PREMIUM = {"properties": {"usertier": "premium"}}
EARNED = ["value_usd", "cost_usd", "margin_usd", "return_ratio", "margin_ratio"]


@pytest.fixture
def writer(service: QueryService, organization_id: str) -> Client:
    return Client(service, organization_id, service.key(organization_id, Permission.READ_WRITE))


def give(client: Client, *values: dict[str, Any], **body: object) -> dict[str, Any]:
    status, response = client.ask("/v1/value", {"values": list(values), **body})
    assert status == 200, response
    taken: dict[str, Any] = response["data"]
    return taken


def refusal(client: Client, *values: dict[str, Any], **body: object) -> str:
    status, response = client.ask("/v1/value", {"values": list(values), **body})
    assert status == 422, response
    return str(response["error"])


def listed(client: Client, **body: object) -> list[dict[str, Any]]:
    status, response = client.ask("/v1/value/query", body)
    assert status == 200, response
    rows: list[dict[str, Any]] = response["data"]
    return rows


def asked(client: Client, **body: object) -> tuple[dict[str, Any], list[str]]:
    """A report of November, and what it warns of."""
    status, response = client.ask("/v1/report", {"measures": EARNED, "timeFilter": NOVEMBER, **body})
    assert status == 200, response
    warnings = [one["message"] for one in response["warnings"] if one["code"] == "no_value_given"]
    return response["data"], warnings


def earned(report: dict[str, Any], *names: str) -> dict[Any, Any]:
    """Figures of each group by its first dimension, and of None the total."""
    rows = [(row["by"][0], row["measures"]) for row in report["rows"]] + [("total", report["total"])]
    return {by: tuple(figures[name] for name in names) for by, figures in rows}


def test_the_guides_premium_users_earn_1200_dollars_for_380_of_costs(writer: Client) -> None:
    writer.keep(*({**PREMIUM, "cost_usd": Decimal(190)} for _ in range(2)), {"cost_usd": Decimal(5), "properties": {}})
    give(writer, {"amount": 1200, "period": "2026-11", "properties": {"UserTier": "premium"}})
    report, warnings = asked(writer, filter={"properties": {"UserTier": {"equals": "premium"}}})
    total = report["total"]
    assert (total["value_usd"], total["cost_usd"], total["margin_usd"]) == (1200, 380, 820)
    assert round(total["return_ratio"], 2) == Decimal("3.16")
    assert round(total["margin_ratio"], 4) == Decimal("0.6833")
    assert not warnings
    by_tier, _ = asked(writer, by=[{"property": "UserTier"}], orderBy={"measure": "margin_usd", "direction": "desc"})
    assert earned(by_tier, "value_usd", "margin_usd") == {"premium": (1200, 820), None: (0, -5), "total": (1200, 815)}


def test_the_guides_users_return_on_average_3_4_times_what_they_cost(writer: Client) -> None:
    writer.keep(
        *({**PREMIUM, "user_id": f"user-{number}", "cost_usd": Decimal(35)} for number in range(3)),
        *({"properties": {"usertier": "free"}, "user_id": f"free-{n}", "cost_usd": Decimal(28)} for n in range(2)),
    )
    give(
        writer,
        *(
            {"amount": 120, "period": "2026-11", "userId": f"user-{number}", "properties": {"UserTier": "premium"}}
            for number in range(3)
        ),
    )
    measures = ["value_usd", "margin_usd", "return_ratio", "cost_per_user_usd"]
    report, _ = asked(writer, measures=measures, by=[{"property": "usertier"}])
    figures = earned(report, "value_usd", "cost_per_user_usd")
    assert figures == {"premium": (360, 35), "free": (0, 28), "total": (360, Decimal("32.2"))}
    assert round(report["rows"][0]["measures"]["return_ratio"], 1) == Decimal("3.4")
    by_user, _ = asked(writer, by=[{"column": "user_id"}], having={"margin_usd": {"lt": 0}})
    assert earned(by_user, "margin_usd") == {"free-0": (-28,), "free-1": (-28,), "total": (199,)}
    assert by_user["rest"]["margin_usd"] == 255


def test_to_send_it_again_changes_nothing_and_to_send_it_otherwise_corrects_it(writer: Client) -> None:
    invoice = {"id": "in_1", "amount": 50, "period": "2026-11", "userId": "ann"}
    plain = {"amount": Decimal("0.000000000001"), "period": "2026-11", "userId": "ann"}
    first = give(writer, invoice, {**plain, "amount": 7})
    assert (first["created"], first["corrected"], first["unchanged"]) == (2, 0, 0)
    again = give(writer, {**invoice, "amount": 50}, {**plain, "amount": 7}, source="again")
    assert (again["created"], again["corrected"], again["unchanged"]) == (0, 0, 2)
    assert again["ids"] == first["ids"]
    corrected = give(writer, {**invoice, "amount": -60}, source="finance")
    assert (corrected["corrected"], corrected["ids"]) == (1, ["in_1"])
    assert {(row["id"], row["amount"]) for row in listed(writer)} == {("in_1", -60), (first["ids"][1], 7)}
    assert asked(writer)[0]["total"]["value_usd"] == -53


def test_each_version_says_who_gave_it_when_and_from_where(writer: Client, service: QueryService) -> None:
    give(writer, {"id": "a/b", "amount": 1, "at": "2026-11-02T10:00:00+01:00"}, source="stripe export")
    other = Client(service, writer.organization_id, service.key(writer.organization_id, Permission.WRITE))
    give(other, {"id": "a/b", "amount": 2, "at": "2026-11-02T09:00:00Z"})
    status, response = ask_to(writer, "DELETE", "/v1/value/a/b")
    assert (status, response["data"]) == (200, {"deleted": "a/b"})
    status, response = writer.ask("/v1/value/a/b")
    versions = response["data"]
    assert [(one["amount"], one["is_deleted"], one["source"]) for one in versions] == [
        (2, True, "api"),
        (2, False, "api"),
        (1, False, "stripe export"),
    ]
    assert [one["given_at"] for one in versions] == sorted((one["given_at"] for one in versions), reverse=True)
    assert versions[0]["key_id"] == versions[2]["key_id"] != versions[1]["key_id"] != ""
    assert (versions[0]["start"], versions[0]["end"]) == ("2026-11-02T09:00:00.000Z", "2026-11-02T09:00:00.001Z")
    assert listed(writer) == []
    assert ask_to(writer, "DELETE", "/v1/value/a/b")[0] == 404
    assert give(writer, {"id": "a/b", "amount": 2, "at": "2026-11-02T09:00:00Z"})["corrected"] == 1
    assert [row["id"] for row in listed(writer)] == ["a/b"]


def ask_to(client: Client, method: str, path: str) -> tuple[int, Any]:
    import json
    import urllib.error

    headers = {"Authorization": f"Bearer {client.key}"}
    request = urllib.request.Request(f"http://127.0.0.1:{client.service.port}{path}", headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read())


CSV = """# passed over
amount,period,user_id,properties.UserTier,id
120.50,2026-11,user-123,premium,
 -3 ,2026-Q4,,,credit-1

"""


def test_a_table_is_taken_and_one_that_is_listed_can_be_given_back(writer: Client) -> None:
    status, response = ask_csv(writer, "/v1/value?source=book.csv&timeZone=Europe/Berlin", CSV)
    assert (status, response["data"]["created"]) == (200, 2), response
    rows = {row["id"]: row for row in listed(writer)}
    assert rows["credit-1"]["start"] == "2026-09-30T22:00:00.000Z"
    (auto,) = (row for id_, row in rows.items() if id_ != "credit-1")
    assert (auto["amount"], auto["user_id"], auto["properties"]) == (
        Decimal("120.5"),
        "user-123",
        {"usertier": "premium"},
    )
    assert {row["source"] for row in rows.values()} == {"book.csv"}
    text = csv_of(writer, "/v1/value/query", {})
    block, (head, *_) = text.splitlines()[:12], text.splitlines()[12:]
    assert [line.split(":")[0] for line in block[:5]] == ["# farebox", "# period", "# zone", "# rows", "# prices"]
    assert block[0] == "# farebox: value"
    assert block[1:4] == ["# period: the first request to now", "# zone: UTC", "# rows: 1 to 2 of 2"]
    assert block[5].startswith("# state: ")
    assert head == "id,amount,currency,user_id,start,end,source,given_at,key_id,properties.usertier"
    assert ask_csv(writer, "/v1/value", text)[1]["data"]["unchanged"] == 2


def test_a_list_as_csv_names_its_period_and_what_a_spreadsheet_would_run_comes_back_as_it_was(writer: Client) -> None:
    given = {"amount": -5, "period": "2026-11", "userId": "@ann", "properties": {"Team": "=a+b"}, "id": "-1+1"}
    give(writer, given, {"amount": 1, "period": "2026-11", "userId": "-7", "id": "'quoted'"})
    query = {"timeFilter": {"start": "2026-11-01", "end": "2026-12-01"}, "timeZone": "Europe/Berlin", "limit": 1}
    lines = csv_of(writer, "/v1/value/query", query).splitlines()
    assert lines[1:4] == [
        "# period: 2026-11-01T00:00:00+01:00 to 2026-12-01T00:00:00+01:00",
        "# zone: Europe/Berlin",
        "# rows: 1 to 1 of 2",
    ]
    assert "# rows: 1 to 2 of 2" in csv_of(writer, "/v1/value/query", {"timeFilter": {"start": "2020-01-01"}})
    text = csv_of(writer, "/v1/value/query", {})
    assert "'@ann" in text
    assert "'=a+b" in text
    assert ask_csv(writer, "/v1/value", text)[1]["data"]["unchanged"] == 2
    assert csv_of(writer, "/v1/value/query", {"offset": 2}).splitlines()[3] == "# rows: none of 2"


def ask_csv(client: Client, path: str, text: str) -> tuple[int, Any]:
    return client.service.ask(path, text.encode(), key=client.key, **{"Content-Type": "text/csv"})


def csv_of(client: Client, path: str, body: object) -> str:
    import json

    headers = {
        "Authorization": f"Bearer {client.key}",
        "Content-Type": "application/json",
        "Accept": "text/csv",
    }
    request = urllib.request.Request(
        f"http://127.0.0.1:{client.service.port}{path}", json.dumps(body).encode(), headers
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        text: str = response.read().decode()
        return text


@pytest.mark.first_on_server
@pytest.mark.parametrize(
    ("value", "culprit"),
    [
        (
            {"amount": 1, "period": "2026-11", "currency": "EUR"},
            "entry 1: currency is US dollars only (USD), not 'EUR'",
        ),
        ({"amount": 10**12, "period": "2026-11"}, "entry 1: amount is below 1e12 US dollars"),
        ({"amount": "1", "period": "2026-11"}, "values.0.amount: Input should be a number"),
        ({"amount": 1}, "entry 1: give period, or start and end, or at"),
        ({"amount": 1, "period": "2026-11", "at": "2026-11-01"}, "entry 1: give period, or start and end, or at"),
        ({"amount": 1, "start": "2026-11-02", "end": "2026-11-01"}, "entry 1: start '2026-11-02' is not before end"),
        ({"amount": 1, "period": "2026-13"}, "entry 1: period takes 2026, 2026-Q4, 2026-11 or 2026-11-21"),
        ({"amount": 1, "period": "2026-02-30"}, "entry 1: period takes"),
        ({"amount": 1, "at": "soon"}, "entry 1: at takes a timestamp"),
        ({"amount": 1, "period": "2026", "properties": {"Helicone-Session-Id": "s"}}, "is no property"),
        ({"amount": 1, "period": "2026", "properties": {"Plan": "a", "plan": "b"}}, "twice, ignoring case"),
        ({"amount": 1, "period": "2026", "properties": {"Plan": ""}}, "is empty: leave it out"),
        ({"amount": "1", "period": "2026"}, "values.0.amount"),
        ({"amount": 1, "period": "2026", "user": "ann"}, "values.0.user"),
    ],
)
def test_what_cannot_be_taken_is_named_and_nothing_is_kept(writer: Client, value: dict[str, Any], culprit: str) -> None:
    assert culprit in refusal(writer, value)
    assert listed(writer) == []


def test_two_entries_that_would_be_one_are_refused(writer: Client) -> None:
    twice = {"amount": 5, "period": "2026-11", "userId": "ann"}
    assert "entry 1 and entry 2 have the same user, properties and time, and no id" in refusal(writer, twice, twice)
    assert "have the id 'x'" in refusal(writer, {**twice, "id": "x"}, {"amount": 1, "period": "2026", "id": "x"})
    assert give(writer, {**twice, "id": "x"}, {**twice, "id": "y"}, twice)["created"] == 3


@pytest.mark.first_on_server
@pytest.mark.parametrize(
    ("text", "culprit"),
    [
        ("amount,perod\n1,2026\n", "unknown column 'perod': known are id, amount"),
        ("period\n2026\n", "of which one is amount"),
        ("amount,amount\n1,2\n", "the column amount is there twice"),
        ('amount,period\n"$1,200",2026\n', "line 2: amount takes a number such as 1200.50, not '$1,200'"),
        ("amount,period\n1\n", "line 2: it has 1 cells, and the first line 2"),
        ('amount,period\n"1,2026\n', "this is not CSV"),
        (
            "amount,period,id\n" + "".join(f"1,2026,{n}\n" for n in range(1001)),
            "a table has 1 to 1000 entries, and not 1001",
        ),
        ("amount,period\n1,2026\n\n2,2026\n", "line 2 and line 4 have the same user, properties and time, and no id"),
        ("amount,period\n", "a table has 1 to 1000 entries, and not 0"),
        (f"amount,period,id\n1,2026,{129 * 'x'}\n", "values.0.id"),
    ],
)
def test_what_is_wrong_in_a_table_is_named(writer: Client, text: str, culprit: str) -> None:
    status, response = ask_csv(writer, "/v1/value", text)
    assert status == 422
    assert culprit in response["error"]


def test_it_takes_a_key_that_may_write_and_shows_ones_own(client: Client, service: QueryService) -> None:
    value = {"values": [{"amount": 1, "period": "2026-11", "id": "mine"}]}
    assert client.ask("/v1/value", value)[0] == 403
    assert ask_to(client, "DELETE", "/v1/value/mine")[0] == 403
    mine = Client(service, client.organization_id, service.key(client.organization_id, Permission.WRITE))
    assert mine.ask("/v1/value", value)[0] == 200
    assert mine.ask("/v1/value/query", {})[0] == 403
    other = Client(service, "org-other", service.key("org-other", Permission.ADMIN))
    assert "mine" not in [row["id"] for row in listed(other)]
    assert ask_to(other, "DELETE", "/v1/value/mine")[0] == ask_to(other, "GET", "/v1/value/mine")[0] == 404
    assert [row["id"] for row in listed(client)] == ["mine"]


def test_a_period_that_overlaps_in_part_has_its_part(writer: Client) -> None:
    writer.keep({})
    give(
        writer,
        {"amount": 30, "period": "2026-11"},
        {"amount": 31, "period": "2026-10"},
        {"amount": 4, "at": "2026-11-03"},
    )
    days, _ = asked(writer, measures=["value_usd"], by=[{"time": "day"}])
    amounts = [row["measures"]["value_usd"] for row in days["rows"]]
    assert (amounts, days["total"]["value_usd"]) == ([1, 1, 5, *[1] * 27], 34)
    week, _ = asked(writer, measures=["value_usd"], timeFilter={"start": "2026-10-29", "end": "2026-11-05"})
    assert week["total"]["value_usd"] == 3 + 4 + 4
    third, _ = asked(writer, measures=["value_usd"], timeFilter={"start": "2026-11-01", "end": "2026-11-01T08:00:00Z"})
    assert third["total"]["value_usd"] == Decimal("0.333333333333")


def test_value_of_a_period_that_is_not_over_comes_with_a_warning(writer: Client) -> None:
    """It stands against costs that are not there yet."""
    give(writer, {"amount": 1200, "period": "2199"})
    times = {"start": "2199-01-01", "end": "2199-02-01"}
    _, response = writer.ask("/v1/report", {"measures": ["margin_usd"], "timeFilter": times})
    (warning,) = response["warnings"]
    assert (warning["code"], "value until 2199-02-01T00:00" in warning["message"]) == ("period_not_over", True)
    assert not writer.ask("/v1/report", {"measures": ["cost_usd"], "timeFilter": times})[1]["warnings"]


def test_value_is_compared_with_the_previous_period(writer: Client) -> None:
    writer.keep({"user_id": "ann", "cost_usd": Decimal(10)})
    give(
        writer,
        {"amount": 30, "period": "2026-11", "userId": "ann"},
        {"amount": 20, "period": "2026-10", "userId": "ann"},
        {"amount": 5, "period": "2026-10", "userId": "bob"},
    )
    report, warnings = asked(
        writer,
        by=[{"column": "user_id"}],
        compare="previous",
        orderBy={"measure": "value_usd", "figure": "change", "direction": "desc"},
    )
    shown = [
        (row["by"], row["measures"]["value_usd"], row["compared"]["measures"]["value_usd"], row["compared"]["presence"])
        for row in report["rows"]
    ]
    assert shown == [(["ann"], 30, 20, "both"), (["bob"], 0, 5, "gone")]
    assert report["compared"]["total"]["change"]["margin_usd"]["absolute"] == -5
    assert not warnings
    early, warnings = asked(writer, by=[{"column": "user_id"}], compare={"start": "2025-01-01", "end": "2025-02-01"})
    assert [row["compared"]["measures"]["value_usd"] for row in early["rows"]] == [None]
    assert early["compared"]["total"]["measures"]["margin_usd"] is None
    assert warnings == [
        "no value was given from 2025-01-01T00:00:00.000Z to 2025-02-01T00:00:00.000Z, so it is unknown"
    ]


def test_where_no_value_can_be_given_it_is_unknown_with_a_warning_and_the_total_is_not(writer: Client) -> None:
    writer.keep({"model": "a", "cost_usd": Decimal(1)}, {"model": "b", "cost_usd": Decimal(2)})
    nothing, warnings = asked(writer)
    assert [nothing["total"][name] for name in EARNED] == [None, 3, None, None, None]
    assert warnings == [
        "no value was given from 2026-11-01T00:00:00.000Z to 2026-12-01T00:00:00.000Z, so it is unknown"
    ]
    give(writer, {"amount": 9, "period": "2026-11", "userId": "ann"})
    by_model, warnings = asked(writer, by=[{"column": "model"}], limit=1)
    assert earned(by_model, "value_usd", "margin_usd") == {"a": (None, None), "total": (9, 6)}
    assert (by_model["rest"]["value_usd"], by_model["rest"]["margin_usd"]) == (None, None)
    assert warnings == [
        "value is given for users, properties and times, so it cannot be grouped by model: it is unknown"
    ]
    by_feature, warnings = asked(writer, by=[{"property": "Plan"}])
    assert earned(by_feature, "value_usd") == {None: (None,), "total": (9,)}
    assert [text.split(" from ")[0] for text in warnings] == ["no value was given by properties.plan"]
    of_model, warnings = asked(writer, filter=leaf(model={"equals": "a"}), by=[{"column": "user_id"}])
    assert of_model["total"]["value_usd"] is None
    assert warnings == [
        "value is given for users, properties and times, so it cannot be filtered by model: it is unknown"
    ]


def test_the_margin_of_a_cost_that_is_unknown_in_part_is_marked(writer: Client) -> None:
    unknown = {"cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL}
    writer.keep(
        {"user_id": "ann", "cost_usd": Decimal(2)}, {"user_id": "ann", **unknown}, {"user_id": "bob", **unknown}
    )
    give(writer, *({"amount": 10, "period": "2026-11", "userId": user} for user in ("ann", "bob", "zoe")))
    report, _ = asked(writer, measures=["margin_usd"], by=[{"column": "user_id"}])
    assert earned(report, "margin_usd", "unpriced_requests", "requests", "value_usd") == {
        "zoe": (10, 0, 0, 10),
        "ann": (8, 1, 2, 10),
        "bob": (None, 1, 1, 10),
        "total": (28, 2, 3, 30),
    }
    cut, _ = asked(writer, measures=["margin_usd"], by=[{"column": "user_id"}], limit=1)
    assert (cut["rest"]["margin_usd"], cut["rest"]["value_usd"], cut["rest"]["cost_usd"]) == (18, 20, 2)


def test_buckets_without_anything_are_filled_and_breakdowns_have_value_too(writer: Client) -> None:
    writer.keep({"user_id": "ann", "request_created_at": TIMESTAMP + timedelta(days=2)})
    give(writer, {"amount": 6, "start": "2026-11-02", "end": "2026-11-04", "userId": "ann"})
    report, _ = asked(
        writer,
        measures=["value_usd"],
        timeFilter={"start": "2026-11-01", "end": "2026-11-05"},
        by=[{"time": "day"}],
        fill=True,
        breakdowns=[{"by": [{"column": "user_id"}]}],
    )
    assert [row["measures"]["value_usd"] for row in report["rows"]] == [0, 3, 3, 0]
    assert [row["measures"]["value_usd"] for row in report["breakdowns"][0]["rows"]] == [6]


def test_a_list_has_pages_and_filters(writer: Client) -> None:
    give(
        writer,
        *({"amount": n, "period": f"2026-1{n}", "userId": f"u{n}", "properties": {"Plan": "x"}} for n in (0, 1, 2)),
    )
    assert [row["user_id"] for row in listed(writer, limit=2)] == ["u2", "u1"]
    status, response = writer.ask("/v1/value/query", {"limit": 2, "offset": 2})
    assert (response["total_rows"], response["has_more"], len(response["data"])) == (3, False, 1)
    assert [row["amount"] for row in listed(writer, filter=leaf(user_id={"equals": "u1"}))] == [1]
    assert len(listed(writer, filter={"properties": {"plan": {"equals": "x"}}}, timeFilter=NOVEMBER)) == 1
    status, response = writer.ask("/v1/value/query", {"filter": leaf(model={"equals": "a"})})
    assert (status, response["error"]) == (422, "value has user_id and properties to filter by, and no model")
