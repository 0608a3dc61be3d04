"""Scores in time and in reports; feedback and a tag of a session."""

import uuid
from datetime import timedelta
from typing import Any

import pytest

from schemas.amendment import FEEDBACK, MAX_NAME, MAX_NAMES
from schemas.key import Permission
from tests.builders.records import TIMESTAMP
from tests.contracts.test_amendments_api import put, work
from tests.servers.querying import Client, QueryService, leaf

OVER_TIME = "/v1/dashboard/scores/query"
PERIOD = {"start": "2026-11-01T00:00:00Z", "end": "2026-11-04T00:00:00Z"}
DAILY = {"timeFilter": PERIOD, "userFilter": "all", "dbIncrement": "day", "timeZoneDifference": 0}
NULL = {"data": None, "error": None}


@pytest.fixture
def client(service: QueryService, organization_id: str) -> Client:
    """With a key that may write too."""
    return Client(service, organization_id, service.key(organization_id, Permission.READ_WRITE))


def score(client: Client, request_id: str, **scores: int | bool) -> None:
    assert client.ask(f"/v1/request/{request_id}/score", {"scores": scores}) == (201, NULL)


def keep_scored(client: Client) -> list[str]:
    """Requests of two days and two features, three of them scored."""
    chat, search = {"properties": {"feature": "chat"}}, {"properties": {"feature": "search"}}
    later = {"request_created_at": TIMESTAMP + timedelta(hours=20)}
    ids = client.keep(chat, chat, search, {**chat, **later})
    score(client, ids[0], accuracy=80)
    score(client, ids[1], accuracy=91, polite=True)
    score(client, ids[3], accuracy=-5)
    assert client.ask(f"/v1/request/{ids[2]}/feedback", {"rating": True}) == (201, NULL)
    work(client.service)
    return ids


def in_time(client: Client, **body: object) -> Any:
    status, response = client.ask(OVER_TIME, DAILY | body)
    assert (status, response.get("error")) == (200, None), response
    assert response.keys() == {"data", "error", "seal", "warnings"}
    return response["data"]


def test_scores_in_time_are_averages_of_those_that_have_them(client: Client) -> None:
    keep_scored(client)
    first, second = "2026-11-01T00:00:00.000Z", "2026-11-02T00:00:00.000Z"

    def row(key: str, average: float, day: str, requests: int) -> dict[str, Any]:
        return {"score_key": key, "score_sum": average, "created_at_trunc": day, "scored_requests": requests}

    accuracy, rated, polite = row("accuracy", 85.5, first, 2), row(FEEDBACK, 1, first, 1), row("polite", 1, first, 1)
    assert in_time(client) == [accuracy, rated, polite, row("accuracy", -5, second, 1)]
    of_search = {"request_response_rmt": {"properties": {"Feature": {"equals": "search"}}}}
    assert in_time(client, userFilter=of_search) == [rated]
    condition = {"table": "request_response_rmt", "column": "scores", "subtype": "score", "key": "accuracy"}
    high = {"type": "condition", "field": condition, "operator": "gt", "value": 85}
    assert in_time(client, userFilter=high) == [accuracy | {"score_sum": 91, "scored_requests": 1}, polite]
    # A day of Auckland, thirteen hours ahead, begins at eleven of the day before.
    assert in_time(client, timeZoneDifference=-780)[0]["created_at_trunc"] == "2026-11-01T11:00:00.000Z"
    (stranger,) = (client.service.key(f"org-{uuid.uuid4()}") for _ in "1")
    assert client.service.ask(OVER_TIME, DAILY, key=stranger)[1]["data"] == []


@pytest.mark.parametrize(
    ("body", "culprit"),
    [
        ({"dbIncrement": "fortnight"}, "dbIncrement"),
        ({"timeFilter": {"start": "2026-11-04", "end": "2026-11-01"}}, "timeFilter starts after its end"),
        ({"userFilter": leaf(scores={"accuracy": {"gt": 0.5}})}, "'accuracy' gt"),
        ({"userFilter": leaf(scoers={"accuracy": {"gt": 1}})}, "scoers"),
        ({"dbIncrement": "min", "timeFilter": {"start": "2020-01-01", "end": "2026-11-01"}}, "dbIncrement min"),
    ],
)
def test_a_wrong_body_is_refused_by_name(client: Client, body: dict[str, Any], culprit: str) -> None:
    status, refusal = client.ask(OVER_TIME, DAILY | body)
    assert status in (400, 422)
    assert culprit in str(refusal)


def test_reports_average_any_score_and_say_of_how_many_requests(client: Client) -> None:
    keep_scored(client)
    measures = ["average_score.accuracy", f"average_score.{FEEDBACK}", "scored_requests", "average_score.no'such\\"]
    report = client.report(measures=measures, by=[{"property": "Feature"}])
    names = (*measures, "requests", "requests_with_score.accuracy", "requests_with_score.no'such\\")
    total = [report["total"][name] for name in names]
    assert float(total[0]) == pytest.approx(166 / 3)
    assert total[1:] == [1, 4, None, 4, 3, 0]
    rows = {row["by"][0]: row["measures"] for row in report["rows"]}
    assert rows["search"]["average_score.accuracy"] is None
    assert rows["search"]["requests_with_score.accuracy"] == 0
    assert rows["chat"]["requests_with_score.accuracy"] == 3
    one = client.report(measures=["requests", *measures], by=[{"property": "Feature"}], limit=1)
    assert (one["rest"]["requests_with_score.accuracy"], one["rest"]["average_score.accuracy"]) == (0, None)
    high = client.report(
        measures=["requests"], by=[{"property": "Feature"}], having={"average_score.accuracy": {"gt": 50}}
    )
    assert [row["by"] for row in high["rows"]] == [["chat"]]


def test_scores_are_compared_with_another_period(client: Client) -> None:
    keep_scored(client)
    day = {"start": "2026-11-02T00:00:00Z", "end": "2026-11-03T00:00:00Z"}
    report = client.report(measures=["average_score.accuracy"], timeFilter=day, compare="previous")
    assert report["compared"]["total"]["measures"]["average_score.accuracy"] == 85.5
    assert report["compared"]["total"]["change"]["average_score.accuracy"]["absolute"] == -90.5


@pytest.mark.parametrize("name", ["average_score.", f"average_score.{'a' * (MAX_NAME + 1)}", "average_scores.accuracy"])
def test_a_measure_of_no_score_is_unknown(client: Client, name: str) -> None:
    body = {"measures": [name], "timeFilter": {"start": "2026-01-01T00:00:00Z"}}
    status, refusal = client.ask("/v1/report", body)
    assert status in (400, 422)
    assert "unknown measure" in refusal["error"]


def test_feedback_of_a_session_is_a_property_of_its_first_request(client: Client) -> None:
    step = {"session_id": "trip/1", "session_name": "travel"}
    first, second = client.keep(step, step)
    for rating in (True, False):
        client.service.clock.advance(seconds=1)
        assert client.ask("/v1/session/trip/1/feedback", {"rating": rating}) == (200, NULL)
    work(client.service)
    assert client.ids(leaf(properties={"Helicone-Session-Feedback": {"equals": "0"}})) == [first]
    assert client.ids(leaf(property_key={"equals": "Helicone-Session-Feedback"})) == [first]
    assert second in client.ids()


def test_the_last_tag_of_a_session_counts_and_filters_sessions(client: Client) -> None:
    step = {"session_id": "s-1", "session_name": "travel"}
    client.keep(step, step, {"session_id": "s-2"})
    path = "/v1/session/s-1/tag"
    assert client.ask(path) == (200, NULL)
    for tag in ("open", "resolved"):
        client.service.clock.advance(seconds=1)
        assert client.ask(path, {"tag": tag}) == (200, NULL)
        work(client.service)
        # One that began before all others and is recorded late takes the tag from no one.
        client.keep(step | {"request_created_at": TIMESTAMP - timedelta(hours=1 + len(tag))})
    assert client.ask(path) == (200, NULL | {"data": "resolved"})
    found = client.service.ask(
        "/v1/session/query",
        {
            "search": "",
            "timeFilter": {"startTimeUnixMs": 0, "endTimeUnixMs": 4_000_000_000_000},
            "timezoneDifference": 0,
            "filter": {"sessions_request_response_rmt": {"session_tag": {"equals": "resolved"}}},
        },
        key=client.key,
    )[1]
    assert [session["session_id"] for session in found["data"]] == ["s-1"]
    assert found["data"][0]["total_requests"] == 4
    assert len(client.ids(leaf(property_key={"equals": "Helicone-Session-Tag"}))) == 1
    client.service.clock.advance(seconds=1)
    assert client.ask(path, {"tag": ""}) == (200, NULL)
    work(client.service)
    assert client.ask(path) == (200, NULL)


def test_a_session_of_another_organization_or_of_none_is_not_found(client: Client) -> None:
    client.keep({"session_id": "s-1"}, {"session_id": ""})
    stranger = client.service.key(f"org-{uuid.uuid4()}", Permission.READ_WRITE)
    for key, session_id in ((stranger, "s-1"), (client.key, "s-2")):
        for path, body in (("feedback", {"rating": True}), ("tag", {"tag": "a"})):
            status, refusal = client.service.ask(f"/v1/session/{session_id}/{path}", body, key=key)
            assert (status, refusal["data"]) == (404, None)
            assert session_id in refusal["error"]
    assert client.service.ask("/v1/session/s-1/tag", key=stranger) == (200, NULL)
    reader = client.service.key(client.organization_id)
    assert client.service.ask("/v1/session/s-1/tag", {"tag": "a"}, key=reader)[0] == 403


def test_a_request_has_room_for_a_thousand_properties_and_scores(client: Client) -> None:
    properties = {f"p{number}": "" for number in range(MAX_NAMES)}
    full, other = client.keep({"properties": properties}, {})
    assert put(client, full, "P7", "set again") == (201, NULL)
    for path, body, culprit in (("property", {"key": "new", "value": ""}, "'new'"),):
        status, refusal = client.service.ask(f"/v1/request/{full}/{path}", body, key=client.key, method="PUT")
        assert (status, refusal["data"]) == (409, None)
        assert culprit in refusal["error"]
    for part in range(MAX_NAMES // 100):
        score(client, other, **{f"s{part * 100 + number}": number for number in range(100)})
    work(client.service)
    score(client, other, s1=2)
    status, refusal = client.ask(f"/v1/request/{other}/score", {"scores": {"s1": 1, "one more": 1}})
    assert status == 409
    assert "'one more'" in refusal["error"]
    work(client.service)
    by_id = {row["request_id"]: row for row in client.page()}
    assert by_id[full]["properties"]["P7"] == "set again"
    assert len(by_id[other]["scores"]) == MAX_NAMES
