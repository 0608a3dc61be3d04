"""What stands beside the data of users, sessions, properties, metrics, the cache and what changed."""

import json
import uuid
from decimal import Decimal
from typing import Any

import pytest

from schemas.event import Outcome
from tests.contracts.test_read_isolation import IN_TIME, MILLISECONDS, NAMES, PERIOD, QUESTIONS, RANGE, SESSIONS
from tests.servers.querying import Client, QueryService

CHANGES = {"timeFilter": RANGE, "by": [{"column": "model"}], "filter": "all"}
UNSEALED = {"/v1/property/hidden/query", "/v1/value/query", "/v1/value/given"}  # what does not come through the log
SEALED = {path: body for path, body in QUESTIONS.items() if path not in UNSEALED} | {"/v1/report/changes": CHANGES}
SEAL = {
    *("state", "complete_until", "events_waiting", "dead_lettered_events"),
    *("priced_request_share", "priced_token_share", "reason"),
}
# Those that show no costs: distributions, names and the cache's originals.
WITHOUT_SHARES = ("/v1/user/metrics-overview/query", "/v1/property/query", "/api/cache/requests")


@pytest.fixture(scope="module")
def client(embedded_service: QueryService) -> Client:
    """Of an organization whose requests cost something known but for one."""
    organization_id = f"org-{uuid.uuid4()}"
    client = Client(embedded_service, organization_id, embedded_service.key(organization_id))
    step = {"session_id": "s1", "session_name": "one", "session_path": "/a", "user_id": "ann"}
    priced = {**step, "cost_usd": Decimal("0.5"), "properties": {"feature": "chat"}}
    hit = {"outcome": Outcome.CACHED, "cache_reference_id": str(uuid.uuid4()), "cache_saved_usd": Decimal("0.5")}
    client.keep(priced, priced, {**priced, **hit}, {**step, "properties": {"feature": "chat"}, "cost_usd": None})
    return client


@pytest.mark.parametrize("path", SEALED)
def test_a_seal_and_warnings_stand_beside_the_data(client: Client, path: str) -> None:
    status, body = client.service.ask(path, SEALED[path], key=client.key)
    warned = set() if path == "/v1/report/summary" else {"warnings"}  # nothing is named there
    assert (status, set(body) - {"coverage"}) == (200, {"data", "error", "seal"} | warned)
    assert set(body["seal"]) == SEAL
    assert (body["seal"]["state"], body.get("warnings", [])) == ("complete", [])
    assert body["seal"]["priced_request_share"] == (None if path in WITHOUT_SHARES else 0.75)


UNKNOWN = {"properties": {"Feeture": {"equals": "chat"}}}
FILTERED: dict[str, dict[str, Any]] = {
    "/v1/user/metrics/query": {"filter": UNKNOWN, "offset": 0, "limit": 10},
    "/v1/user/metrics-overview/query": {"filter": UNKNOWN, "pSize": "p99", "useInterquartile": False},
    "/v1/session/query": SESSIONS | {"filter": UNKNOWN, "timeFilter": MILLISECONDS},
    "/v1/session/count": SESSIONS | {"filter": UNKNOWN},
    "/v1/session/name/query": NAMES | {"filter": UNKNOWN},
    "/v1/session/metrics/query": NAMES | {"filter": UNKNOWN},
    "/v1/metrics/totalCost": PERIOD | {"filter": UNKNOWN},
    "/v1/metrics/costOverTime": IN_TIME | {"filter": UNKNOWN},
    "/v1/metrics/models": PERIOD | {"offset": 0, "limit": 10, "filter": UNKNOWN},
    "/api/cache/total_savings": {"timeFilter": RANGE, "filter": UNKNOWN},
    "/v1/property/Feeture/top-costs/query": {"timeFilter": RANGE},
    "/v1/report/changes": CHANGES | {"filter": UNKNOWN},
    "/v1/report": {
        "measures": ["cost_usd"],
        "timeFilter": RANGE,
        "breakdowns": [{"by": [{"property": "Feeture"}]}],
    },
}


@pytest.mark.parametrize("path", FILTERED)
def test_a_property_that_no_request_has_is_warned_of(client: Client, path: str) -> None:
    status, body = client.service.ask(path, FILTERED[path], key=client.key)
    assert status == 200, json.dumps(body, default=str)
    (warning,) = body["warnings"]
    assert (warning["code"], warning["name"], warning["nearest"]) == ("unknown_property", "feeture", "Feature")


def test_a_user_that_was_never_seen_is_warned_of(client: Client) -> None:
    _, body = client.service.ask("/v1/user/query", {"userIds": ["anm"]}, key=client.key)
    assert [(warning["code"], warning["nearest"]) for warning in body["warnings"]] == [("unknown_value", "ann")]
    assert body["data"] == []


def test_the_shares_of_a_comparison_are_of_the_later_period(client: Client) -> None:
    body = {"measures": ["requests"], "timeFilter": RANGE, "compare": "previous", "by": [{"column": "model"}]}
    _, response = client.service.ask("/v1/report", body, key=client.key)
    assert response["seal"]["priced_request_share"] == 0.75
    assert set(response["data"]["total"]) == set(response["data"]["compared"]["total"]["measures"]) == {"requests"}
