"""Whoever asks an endpoint that adds up, be it of users, sessions, reports or savings, is shown nothing of others."""

import uuid
from decimal import Decimal
from typing import Any

import pytest

from schemas.event import Outcome
from schemas.key import Permission
from services.query.metrics.figures import FIGURES
from services.query.metrics.over_time import SERIES
from tests.servers.querying import Client, QueryService

RANGE = {"start": "2026-11-01T00:00:00Z", "end": "2026-11-04T00:00:00Z"}
MILLISECONDS = {"startTimeUnixMs": 0, "endTimeUnixMs": 1_900_000_000_000}
SESSIONS = {"search": "", "timeFilter": MILLISECONDS, "timezoneDifference": 0, "filter": "all"}
NAMES = {"nameContains": "", "timezoneDifference": 0}
PERIOD = {"filter": "all", "timeFilter": RANGE}
IN_TIME = PERIOD | {"dbIncrement": "day", "timeZoneDifference": 0}
PAGE = PERIOD | {"offset": 0, "limit": 10}
OF_VALUES = {
    "timeFilter": RANGE,
    "userFilter": "all",
    "dbIncrement": "day",
    "timeZoneDifference": 0,
    "propertyKey": "Feature",
}

QUESTIONS: dict[str, Any] = {
    "/v1/user/metrics/query": {"filter": "all", "offset": 0, "limit": 10},
    "/v1/user/metrics-overview/query": {"filter": "all", "pSize": "p99", "useInterquartile": False},
    "/v1/user/query": {},
    "/v1/session/query": SESSIONS,
    "/v1/session/count": SESSIONS,
    "/v1/session/name/query": NAMES,
    "/v1/session/metrics/query": NAMES,
    "/v1/session/s1": None,
    "/v1/property/query": {},
    "/v1/property/hidden/query": {},
    "/v1/property/Feature/search": {"searchTerm": ""},
    "/v1/property/Feature/top-costs/query": {"timeFilter": RANGE},
    "/v1/property/Feature/top-requests/query": {"timeFilter": RANGE},
    "/v1/property/properties/over-time": OF_VALUES,
    **{f"/v1/metrics/{name}": PERIOD for name in (*FIGURES, "totalCost", "averageTokensPerRequest")},
    **{f"/v1/metrics/{name}": IN_TIME for name in SERIES if name != "threatsOverTime"},
    "/v1/metrics/quantiles": IN_TIME | {"metric": "latency"},
    "/v1/metrics/requestCount": {"filter": "all"},
    **{f"/v1/metrics/{name}": PAGE for name in ("models", "providers")},
    **{f"/api/cache/{name}": {"timeFilter": RANGE} for name in ("total", "total_savings", "time_saved")},
    "/api/cache/requests": {},
    "/v1/request/count/query": {"filter": "all"},
    "/v1/report": {"measures": ["cost_usd"], "by": [{"column": "user_id"}], "timeFilter": RANGE},
    "/v1/report/summary": None,
    "/v1/report/distribution": {"of": "session", "timeFilter": RANGE},
    **{f"/v1/report/{name}": {"timeFilter": RANGE, "by": [{"column": "user_id"}]} for name in ("changes", "anomalies")},
    **{f"/v1/savings/{name}": {"timeFilter": RANGE} for name in ("repeats", "what-if", "prompt-cache")},
    "/v1/value/query": {},
    "/v1/value/given": None,
    "/api/cache/cacheHitsOverTime": {"timeFilter": RANGE},
}


@pytest.fixture(scope="module")
def keys(embedded_service: QueryService) -> tuple[str, str, str]:
    """Of an organization with requests, of one with none, and of a third, whose ids are like the first one's."""
    ids = [f"org-{uuid.uuid4()}{end}" for end in ("", "-none", "%")]
    owner = Client(embedded_service, ids[0], embedded_service.key(ids[0]))
    first = str(uuid.uuid4())
    step = {
        "session_id": "s1",
        "session_name": "one",
        "session_path": "/a",
        "prompt_tokens": 5000,
        "cost_usd": Decimal("0.5"),
    }
    timed = {"is_stream": True, "time_to_first_token_ms": 90}
    hit = {"outcome": Outcome.CACHED, "cache_reference_id": first, "cache_saved_usd": Decimal("0.5")}
    owner.keep(
        {"request_id": first, **step, **timed}, {**step, **hit}, {"status": 500, "outcome": Outcome.PROVIDER_ERROR}
    )
    writing = Client(embedded_service, ids[0], embedded_service.key(ids[0], Permission.WRITE))
    value = {"id": "given", "amount": 5, "period": "2026-11", "userId": "ann"}
    assert writing.ask("/v1/value", {"values": [value]})[0] == 200
    none, like = (embedded_service.key(organization_id) for organization_id in ids[1:])
    return owner.key, none, like


@pytest.mark.parametrize("path", QUESTIONS)
def test_others_get_responses_as_if_there_were_nothing(
    embedded_service: QueryService, keys: tuple[str, str, str], path: str
) -> None:
    mine, none, like = (without_seal(*embedded_service.ask(path, QUESTIONS[path], key=key)) for key in keys)
    assert none == like
    assert none[0] == (404 if path in ("/v1/session/s1", "/v1/value/given") else 200)
    if path != "/v1/property/hidden/query":
        assert mine != none


def without_seal(status: int, body: Any) -> tuple[int, Any]:
    """The seal says when the response was made, and nothing of an organization but how much of its costs is known."""
    return status, {name: part for name, part in body.items() if name != "seal"}


@pytest.mark.parametrize("path", QUESTIONS)
def test_nobody_gets_a_response_without_a_key_that_may_read(embedded_service: QueryService, path: str) -> None:
    assert embedded_service.ask(path, QUESTIONS[path], key="")[0] == 401
    assert embedded_service.ask(path, QUESTIONS[path], key="sk-unknown")[0] == 401
