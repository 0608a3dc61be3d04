"""Sessions by Helicone's endpoints, and one session as the tree of its steps: exact, and unknown is not zero."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas.price import CostState
from tests.builders.records import TIMESTAMP
from tests.servers.querying import Client, leaf

UNKNOWN: dict[str, Any] = {"cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL}
MS = int(TIMESTAMP.timestamp() * 1000)
PERIOD = {"startTimeUnixMs": MS - 1000, "endTimeUnixMs": MS + 90 * 86_400_000}
QUERY = {"search": "", "timeFilter": PERIOD, "timezoneDifference": 0, "filter": "all"}
NAMES = {"nameContains": "", "timezoneDifference": 0}


def step(session: str, name: str = "Document Analysis", path: str = "/", **more: object) -> dict[str, Any]:
    return {"session_id": session, "session_name": name, "session_path": path, **more}


def responded(client: Client, path: str, body: object = None) -> Any:
    status, response = client.ask(path, body)
    assert (status, response.get("error")) == (200, None), response
    return response["data"]


def ids(client: Client, **body: object) -> list[str]:
    return [session["session_id"] for session in responded(client, "/v1/session/query", QUERY | body)]


def keep_sessions(client: Client) -> None:
    client.keep(
        step("s1", path="/analyze", cost_usd=Decimal("0.4"), latency_ms=100, user_id="ann"),
        step("s1", path="/analyze/extract", cost_usd=Decimal("0.05"), latency_ms=300, user_id="bob"),
        step("s2", path="/analyze", cost_usd=Decimal("0.1"), latency_ms=850),
        step("s2", "Search", **UNKNOWN),
        {"session_id": "", "cost_usd": Decimal(7)},
        step("s3", "Search", **UNKNOWN),
    )


def test_a_session_has_every_field_of_helicone_and_its_coverage(client: Client) -> None:
    keep_sessions(client)
    (session,) = [row for row in responded(client, "/v1/session/query", QUERY) if row["session_id"] == "s1"]
    assert session == {
        "created_at": "2026-11-01T12:00:00.123Z",
        "latest_request_created_at": "2026-11-01T12:00:01.123Z",
        "session_id": "s1",
        "session_name": "Document Analysis",
        "avg_latency": 200,
        "total_cost": Decimal("0.45"),
        "total_requests": 2,
        "prompt_tokens": 1200,
        "completion_tokens": 400,
        "total_tokens": 1600,
        "user_ids": ["ann", "bob"],
        "coverage": {
            "requests": 2,
            "attempts": 2,
            "unpriced_requests": 0,
            "priced_request_share": 1,
            "priced_token_share": 1,
            "unpriced_requests_without_tokens": 0,
        },
    }


def test_a_session_is_an_id_and_a_name_and_the_newest_comes_first(client: Client) -> None:
    keep_sessions(client)
    sessions = responded(client, "/v1/session/query", QUERY)
    named = [(row["session_id"], row["session_name"], row["total_cost"]) for row in sessions]
    assert named == [
        ("s3", "Search", None),
        ("s2", "Search", None),
        ("s2", "Document Analysis", Decimal("0.1")),
        ("s1", "Document Analysis", Decimal("0.45")),
    ]


def test_sessions_are_found_by_a_part_of_id_or_name_and_in_pages(client: Client) -> None:
    keep_sessions(client)
    assert ids(client, search="SEAR") == ["s3", "s2"]
    assert ids(client, search="s1") == ["s1"]
    assert ids(client, search="100%_") == []
    assert ids(client, nameEquals="Search") == ["s3", "s2"]
    assert ids(client, limit=2, offset=1) == ["s2", "s2"]
    assert ids(client, timeFilter={"startTimeUnixMs": MS + 5000, "endTimeUnixMs": MS + 6000}) == ["s3"]
    assert ids(client, filter=leaf(user_id={"equals": "ann"})) == ["s1"]


def test_figures_of_sessions_can_be_filtered(client: Client) -> None:
    keep_sessions(client)

    def of_sessions(**columns: object) -> list[str]:
        return ids(client, filter={"sessions_request_response_rmt": columns})

    assert of_sessions(session_total_cost={"gt": 0.1}) == ["s1"]
    assert of_sessions(session_total_requests={"lt": 2}, session_session_name={"equals": "Search"}) == ["s3", "s2"]
    assert of_sessions(session_total_tokens={"equals": 1600}) == ["s1"]
    assert of_sessions(session_created_at={"gte": (TIMESTAMP + timedelta(seconds=5)).isoformat()}) == ["s3"]


def test_all_sessions_are_counted_and_added_up(client: Client) -> None:
    keep_sessions(client)
    assert responded(client, "/v1/session/count", QUERY) == {
        "count": 4,
        "total_cost": Decimal("0.55"),
        "avg_cost": Decimal("0.275"),
        "avg_latency": pytest.approx(687.5),
        "avg_requests": Decimal("1.25"),
        "coverage": {
            "requests": 5,
            "attempts": 5,
            "unpriced_requests": 2,
            "priced_request_share": Decimal("0.6"),
            "priced_token_share": Decimal("0.6"),
            "unpriced_requests_without_tokens": 0,
        },
    }
    none = responded(client, "/v1/session/count", QUERY | {"search": "nobody"})
    assert (none["count"], none["total_cost"], none["avg_cost"]) == (0, 0, None)


def test_names_of_sessions_come_with_what_they_cost(client: Client) -> None:
    keep_sessions(client)
    names = responded(client, "/v1/session/name/query", NAMES | {"timezoneDifference": -60})
    assert [row["name"] for row in names] == ["Search", "Document Analysis"]
    assert names[1] | {"coverage": None} == {
        "name": "Document Analysis",
        "created_at": "2026-11-01T13:00:00.123+01:00",
        "avg_latency": pytest.approx(Decimal(1250) / 3),
        "last_used": "2026-11-01T13:00:02.123+01:00",
        "first_used": "2026-11-01T13:00:00.123+01:00",
        "session_count": 2,
        "total_cost": Decimal("0.55"),
        "coverage": None,
    }
    only = responded(client, "/v1/session/name/query", NAMES | {"nameContains": "anal", "timeFilter": PERIOD})
    assert [row["name"] for row in only] == ["Document Analysis"]


def test_old_names_are_left_out(client: Client) -> None:
    client.keep(step("s1", request_created_at=TIMESTAMP - timedelta(days=151)))
    assert responded(client, "/v1/session/name/query", NAMES) == []


def test_requests_durations_and_costs_are_distributed_over_sessions(client: Client) -> None:
    keep_sessions(client)
    metrics = responded(client, "/v1/session/metrics/query", NAMES | {"pSize": "p99", "useInterquartile": False})
    assert metrics["average"] == {
        "session_count": [{"average": Decimal("1.25")}],
        "session_duration": [{"average": Decimal("0.25")}],
        "session_cost": [{"average": Decimal("0.275")}],
    }
    for name, sessions in (("session_count", 4), ("session_duration", 4), ("session_cost", 2)):
        assert sum(row["value"] for row in metrics[name]) == sessions
    assert metrics["session_cost"][0] == {"range_start": "0.1", "range_end": "0.135", "value": 1}
    exact = responded(client, "/v1/session/metrics/query", NAMES | {"nameContains": "Document"})
    assert exact["session_count"] == []
    assert exact["average"]["session_cost"] == [{"average": None}]


def test_a_session_is_a_tree_of_its_paths_with_the_cost_of_each(client: Client) -> None:
    client.keep(
        step("s/1", path="/plan", cost_usd=Decimal("0.5")),
        step("s/1", path="/analyze/extract/table", cost_usd=Decimal("0.125")),
        step("s/1", path="/analyze/extract", cost_usd=Decimal("0.25")),
        step("s/1", path="analyze/extract/", **UNKNOWN),
        step("s/1", path="", cost_usd=Decimal(1)),
    )
    tree = responded(client, "/v1/session/s%2F1")
    assert (tree["session_id"], tree["session_names"], tree["truncated"]) == ("s/1", ["Document Analysis"], False)
    assert costs(tree["root"]) == {
        "/": (1, Decimal("1.875")),
        "/plan": (Decimal("0.5"), Decimal("0.5")),
        "/analyze": (0, Decimal("0.375")),
        "/analyze/extract": (Decimal("0.25"), Decimal("0.375")),
        "/analyze/extract/table": (Decimal("0.125"), Decimal("0.125")),
    }
    assert tree["total"] == tree["root"]["total"]
    extract = tree["root"]["steps"][1]["steps"][0]
    assert extract["name"] == "extract"
    assert extract["own"] == {
        "cost": Decimal("0.25"),
        "prompt_tokens": 1200,
        "completion_tokens": 400,
        "first_request_at": "2026-11-01T12:00:02.123Z",
        "last_request_at": "2026-11-01T12:00:03.123Z",
        "average_latency_ms": 850,
        "coverage": {
            "requests": 2,
            "attempts": 2,
            "unpriced_requests": 1,
            "priced_request_share": Decimal("0.5"),
            "priced_token_share": Decimal("0.5"),
            "unpriced_requests_without_tokens": 0,
        },
    }


def costs(node: dict[str, Any]) -> dict[str, tuple[Decimal, Decimal]]:
    """By path, its own and its total, in the order of the tree."""
    own = {node["path"]: (node["own"]["cost"], node["total"]["cost"])}
    return own | {path: pair for below in node["steps"] for path, pair in costs(below).items()}


def test_one_name_of_an_id_can_be_looked_at_alone(client: Client) -> None:
    keep_sessions(client)
    assert responded(client, "/v1/session/s2")["session_names"] == ["Document Analysis", "Search"]
    only = responded(client, "/v1/session/s2?name=Search")
    assert (only["session_names"], only["total"]["cost"]) == (["Search"], None)


def test_a_path_of_very_many_levels_is_shown(client: Client) -> None:
    deep = "/x" * 4000
    client.keep(step("s1", path=deep))
    tree = responded(client, "/v1/session/s1")
    assert len(costs(tree["root"])) == 33
    assert deep in costs(tree["root"])


def test_sessions_of_others_are_not_seen(client: Client) -> None:
    keep_sessions(client)
    stranger = client.service.key(f"{client.organization_id}-other")
    for path, body in (("/v1/session/query", QUERY), ("/v1/session/name/query", NAMES)):
        status, response = client.service.ask(path, body, key=stranger)
        assert (status, response["data"], response["warnings"]) == (200, [], [])
    status, refusal = client.service.ask("/v1/session/s1", key=stranger)
    assert (status, refusal["error"]) == (404, "there is no session s1")


@pytest.mark.parametrize("missing", sorted(QUERY))
def test_what_helicone_requires_is_required(client: Client, missing: str) -> None:
    status, response = client.ask(
        "/v1/session/query", {name: value for name, value in QUERY.items() if name != missing}
    )
    assert status == 422
    assert missing in response["error"]
