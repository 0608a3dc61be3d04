"""The chapters of the walkthrough. Each is one step of the two documents, on whatever shape of Farebox runs."""

import subprocess
import sys
from decimal import Decimal
from typing import Any

from tests.journeys.story import Story


def properties(row: dict[str, Any]) -> dict[str, str]:
    """By lower case name: OpenAI's SDK sends header names in lower case, Anthropic's as they were written."""
    return {name.lower(): value for name, value in row["properties"].items()}


def step_1_cost_tracking_headers(story: Story) -> None:
    """A call with the guide's headers becomes a priced row with user, feature, environment and tier."""
    request_id = story.chat(
        User_Id="user-123", Property_Feature="chat", Property_Environment="production", Property_UserTier="premium"
    )
    row = story.rows([request_id])[request_id]
    assert row["request_user_id"] == "user-123"
    assert properties(row) == {"feature": "chat", "environment": "production", "usertier": "premium"}
    assert row["model"] == "gpt-4o-mini-2024-07-18"
    assert row["cost_state"] == "priced"
    assert Decimal(row["cost_usd"]) == story.ledger[request_id] > 0


def user_metrics_quick_start(story: Story) -> None:
    """The user is named by the header, or by OpenAI's own parameter; the header wins."""
    by_header, by_body = story.chat(User_Id="user-123"), story.chat(user="user-456")
    by_both = story.chat(user="user-456", User_Id="user-789")
    rows = story.rows([by_header, by_body, by_both])
    users = [rows[request_id]["request_user_id"] for request_id in (by_header, by_body, by_both)]
    assert users == ["user-123", "user-456", "user-789"]


def user_metrics_use_case(story: Story) -> None:
    """The document's call for billing, and what it wants to know: the cost of a user, and by plan."""
    calls = {user: story.chat(User_Id=user, Property_Plan=plan, Property_Feature="chat") for user, plan in _PLANS}
    story.rows(list(calls.values()))
    only = {"left": _has_user("ann@example.com"), "operator": "or", "right": _has_user("bob@example.com")}
    body = {"filter": only, "offset": 0, "limit": 100, "sort": {"user_id": "asc"}}
    status, response = story.ask("/v1/user/metrics/query", body)
    assert status == 200
    assert [(user["user_id"], user["total_requests"]) for user in response["data"]["users"]] == [
        ("ann@example.com", 1),
        ("bob@example.com", 1),
    ]
    for user in response["data"]["users"]:
        assert Decimal(user["cost"]) == story.ledger[calls[user["user_id"]]] > 0
    period = {"timeFilter": {"start": "2020-01-01T00:00:00Z", "end": "2100-01-01T00:00:00Z"}}
    _, plans = story.ask("/v1/property/Plan/top-costs/query", period)
    by_plan = {row["value"]: Decimal(row["cost"]) for row in plans["data"]}
    assert by_plan["premium"] == story.ledger[calls["ann@example.com"]]
    assert by_plan["free"] == story.ledger[calls["bob@example.com"]]


_PLANS = (("ann@example.com", "premium"), ("bob@example.com", "free"))


def _has_user(user_id: str) -> dict[str, object]:
    return {"request_response_rmt": {"user_id": {"equals": user_id}}}


def step_2_sessions(story: Story) -> None:
    """Two steps of one workflow add up to one session's cost."""
    session = {"Session_Id": "11111111-2222-4333-8444-555555555555", "Session_Name": "Document Analysis"}
    common = {"User_Id": "user-123", "Property_Feature": "document-analysis"}
    first = story.chat("gpt-4o", "Summarize this document...", **session, Session_Path="/analyze", **common)
    second = story.chat("gpt-4o", "Extract key points...", **session, Session_Path="/analyze/extract", **common)
    story.rows([first, second])
    leaf = {"request_response_rmt": {"properties": {"Helicone-Session-Id": {"equals": session["Session_Id"]}}}}
    _, page = story.ask("/v1/request/query-clickhouse", {"filter": leaf})
    assert {row["properties"]["Helicone-Session-Path"] for row in page["data"]} == {"/analyze", "/analyze/extract"}
    assert sum(Decimal(row["cost"]) for row in page["data"]) == story.ledger[first] + story.ledger[second]
    names = {"nameContains": "Document Analysis", "timezoneDifference": 0, "filter": leaf}
    _, metrics = story.ask("/v1/session/metrics/query", names)
    assert metrics["data"]["average"]["session_cost"] == [{"average": story.ledger[first] + story.ledger[second]}]
    _, tree = story.ask(f"/v1/session/{session['Session_Id']}", None)
    (analyze,) = tree["data"]["root"]["steps"]
    assert Decimal(analyze["own"]["cost"]) == story.ledger[first]
    assert Decimal(analyze["steps"][0]["own"]["cost"]) == story.ledger[second]


def every_sdk_and_shape(story: Story) -> None:
    """OpenAI synchronous, asynchronous and streamed; responses; embeddings; Anthropic plain and streamed."""
    production = {"Property_Environment": "production", "Property_UserTier": "premium", "User_Id": "user-456"}
    made = [
        story.chat_streamed(Property_Feature="chat", **production),
        story.chat_streamed_plainly(Property_Feature="chat", **production),
        *story.chats_at_once(5, Property_Feature="search", **production),
        story.responses(Property_Feature="chat", **production),
        story.embeddings(Property_Feature="search", **production),
        story.message(Property_Feature="chat", **production),
        story.message_streamed(Property_Feature="chat", **production),
    ]
    for request_id, row in story.rows(made).items():
        assert row["cost_state"] == "priced", row
        assert Decimal(row["cost_usd"]) == story.ledger[request_id] > 0, row


def step_3_filter_by_property(story: Story) -> None:
    """A property's figures are those of its rows, however its name is spelled."""
    sums = []
    for spelling in ("Feature", "feature", "FEATURE"):
        leaf = {"request_response_rmt": {"properties": {spelling: {"equals": "document-analysis"}}}}
        _, page = story.ask("/v1/request/query-clickhouse", {"filter": leaf, "limit": 1000})
        assert all(properties(row)["feature"] == "document-analysis" for row in page["data"])
        sums.append((len(page["data"]), sum(Decimal(row["cost"]) for row in page["data"])))
    assert sums[0] == sums[1] == sums[2]
    assert sums[0][1] > 0


def step_6_query_costs_programmatically(story: Story) -> None:
    """The guide's own request body, as printed, and the guide's own sum."""
    body = {
        "filter": {
            "request_response_rmt": {
                "request_created_at": {"gte": "2024-01-01T00:00:00Z"},
                "properties": {"UserTier": {"equals": "premium"}},
            }
        },
        "limit": 1000,
    }
    status, response = story.ask("/v1/request/query-clickhouse", body)
    assert status == 201
    assert response["error"] is None
    premium = {row["request_id"] for row in response["data"]}
    assert premium
    assert all(properties(row)["usertier"] == "premium" for row in response["data"])
    total = sum(Decimal(row["cost_usd"] or 0) for row in response["data"])
    assert total == sum(story.ledger[request_id] for request_id in premium)


def the_report_agrees(story: Story, report_env: dict[str, str]) -> None:
    """The report's total is the ledger's, and its tree adds up to it."""
    status, response = story.ask("/v1/report/summary?since=1d")
    assert status == 200
    summary = response["data"]
    total = sum(story.ledger.values())
    assert Decimal(str(summary["total"]["cost_usd"])) == total
    assert sum(Decimal(str(branch["cost_usd"])) for branch in summary["environments"]) == total
    printed = subprocess.run(
        [sys.executable, "-m", "services.cli", "report", "--since", "1d"],
        env=report_env,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert "user-456" in printed
    assert "production" in printed.lower()


def bad_questions_are_refused(story: Story) -> None:
    """A wrong key, an unknown column and an absurd limit each get a clear response that names the culprit."""
    path = "/v1/request/query-clickhouse"
    assert story.ask(path, {"filter": "all"}, key="sk-helicone-aaaaaaa-bbbbbbb-ccccccc-ddddddd")[0] == 401
    status, refusal = story.ask(path, {"filter": {"request_response_rmt": {"colour": {"equals": "red"}}}})
    assert status == 422
    assert "colour" in str(refusal)
    assert story.ask(path, {"filter": "all", "limit": 100_000})[0] == 422


def helicones_own_clients(story: Story) -> None:
    """One address is enough for them: it takes logs, and gives bodies behind signed URLs, as its export tool asks."""
    logged, streamed = story.log_at_the_query_service(), story.chat_streamed()
    story.rows([logged, streamed])
    export = {"filter": "all", "isCached": False, "includeInputs": False, "isScored": False, "limit": 1000}
    status, page = story.ask("/v1/request/query-clickhouse", export)
    rows = {row["request_id"]: row for row in page["data"]}
    assert (status, Decimal(rows[logged]["cost"])) == (201, story.ledger[logged])
    status, bodies = story.fetched(rows[streamed]["signed_body_url"])
    assert (status, bodies["response"]["object"]) == (200, "chat.completion")
    assert bodies["response"]["choices"][0]["message"]["content"]
    assert bodies["request"]["messages"]
    status, refusal = story.fetched(f"{story.proxy_url}/v1/request/query-clickhouse")
    assert (status, refusal["error"]["code"]) == (421, "misdirected_request")


def tell(story: Story, report_env: dict[str, str]) -> None:
    """The whole walkthrough, in the order of the documents."""
    step_1_cost_tracking_headers(story)
    user_metrics_quick_start(story)
    user_metrics_use_case(story)
    step_2_sessions(story)
    every_sdk_and_shape(story)
    step_3_filter_by_property(story)
    step_6_query_costs_programmatically(story)
    the_report_agrees(story, report_env)
    bad_questions_are_refused(story)
    helicones_own_clients(story)
