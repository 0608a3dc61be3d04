"""Every path of the OpenAPI document, with made-up requests: what it returns is documented, and nothing of others.

One organization is only read by its own key; another one, which has data too and may do all there is, sends what
Schemathesis makes up, with the first one's ids among it. Examples are the same in every run.
"""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from schemas.event import Outcome
from schemas.key import Permission
from schemas.price import CostState
from tests.contracts.test_amendments_api import work
from tests.servers.querying import Client, QueryService, leaf

PUBLIC: Final = {"/healthz", "/readyz", "/v1/request/{request_id}/body"}  # the last one by a signed URL
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ACCEPTED: Final = ["application/json", "text/csv", "application/x-ndjson", "application/vnd.apache.parquet"]
RANGE: Final = {"start": "2026-10-01T00:00:00Z", "end": "2026-12-01T00:00:00Z"}
SHOWN_BY_AT_LEAST: Final = 25  # paths that show the owner's texts to the owner

Fields = dict[str, bool]  # of a body: whether each must be there


def text(name: str) -> str:
    """What only one organization has in its rows; in none of its ids, which are returned to whoever names them."""
    return f"marked-{name}-Wq7"


@dataclass(frozen=True)
class Tenant:
    client: Client
    ids: dict[str, list[str]]  # by parameter of a path


def a_tenant(service: QueryService, name: str) -> Tenant:
    """An organization with something of each kind; ids of its sessions and values are those of the other one too."""
    organization_id, marked = f"org-openapi-{name}", text(name)
    admin = Client(service, organization_id, service.key(organization_id, Permission.ADMIN))
    first = str(uuid.uuid5(uuid.NAMESPACE_DNS, organization_id))
    row = {
        "user_id": marked,
        "model": marked,
        "session_id": "s1",
        "session_name": marked,
        "session_path": f"/{marked}",
        "prompt_id": marked,
        "properties": {"feature": marked, marked.lower(): "x"},
        "property_spellings": ["Feature", marked],
        "request_fingerprint": "a" * 16,
    }
    unknown = {"cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL}
    hit = {"outcome": Outcome.CACHED, "cache_reference_id": first, "cache_saved_usd": Decimal("0.5")}
    timed = {"is_stream": True, "time_to_first_token_ms": 90}
    ids = admin.keep(
        {**row, **timed, "request_id": first}, {**row, **hit}, {**row, **unknown}, row, bodies=(marked, marked)
    )
    price = {"model": marked, "usd_per_million_tokens": {"prompt_tokens": 1}, "valid_from": "2026-10-01T00:00:00Z"}
    _, added = admin.ask("/v1/prices", price)
    _, run = admin.ask("/v1/reprice", {"model": "*", "since": "7d", "dry_run": True})
    value = {"id": "v1", "amount": 5, "period": "2026-11", "userId": marked, "properties": {"Feature": marked}}
    assert admin.ask("/v1/value", {"values": [value], "source": marked})[0] == 200
    assert admin.ask("/v1/property/hide", {"key": marked})[0] == 200
    assert admin.ask(f"/v1/request/{first}/score", {"scores": {marked: 1}})[0] == 201
    assert admin.ask("/v1/session/s1/tag", {"tag": marked})[0] == 200
    upstream = {"name": "team", "provider": "azure", "url": f"https://{marked}.example"}
    assert admin.ask("/v1/upstreams", upstream)[0] == 201
    _, made = admin.ask("/v1/api-keys", {"api_key_name": marked})
    _, channel = admin.ask("/v1/channels", {"name": marked, "kind": "email", "recipients": [f"{marked}@example.com"]})
    daily = {"name": marked, "schedule": {"every": "day"}, "channel_ids": [channel["data"]["id"]]}
    _, scheduled = admin.ask("/v1/scheduled-reports", daily)
    alert = {"name": marked, "metric": "cost", "threshold": 1, "grouping": "user", "emails": [f"{marked}@example.com"]}
    _, alerting = admin.ask("/v1/alert/create", alert)
    _, budget = admin.ask("/v1/budgets", {"name": marked, "limit_usd": 5, "segment": "user"})
    work(service)
    return Tenant(
        client=admin,
        ids={
            "request_id": ids,
            "session_id": ["s1"],
            "value_id": ["v1"],
            "key": ["Feature"],
            "name": ["team"],
            "key_id": [made["data"]["id"]],
            "alert_id": [alerting["data"]],
            "budget_id": [budget["data"]["id"]],
            "channel_id": [channel["data"]["id"]],
            "report_id": [scheduled["data"]["id"]],
            "price_id": [added["data"]["row_id"]],
            "reprice_id": [run["data"]["id"]],
        },
    )


@pytest.fixture(scope="module")
def owner(embedded_service: QueryService) -> Tenant:
    return a_tenant(embedded_service, "owner")


@pytest.fixture(scope="module")
def stranger(embedded_service: QueryService) -> Tenant:
    return a_tenant(embedded_service, "stranger")


KNOWN: Final[dict[str, list[Any]]] = {
    "filter": ["all", leaf(session_id={"equals": "s1"}), {"properties": {"Feature": {"not-equals": "x"}}}],
    "userFilter": ["all"],
    "timeZone": ["UTC", "Europe/Berlin"],
    "measures": [["requests", "cost_usd"]],
    "by": [[{"column": "user_id"}], [{"property": "Feature"}, {"column": "session_name"}], []],
    "columns": [["request_id", "user_id", "properties.Feature", "cost_usd"]],
    "scope": [[{"column": "user_id"}]],
    "offset": [0],
    "limit": [10],
    "propertyKey": ["Feature"],
    **{name: [""] for name in ("search", "nameContains", "searchTerm")},
    **{name: [0, 90] for name in ("timezoneDifference", "timeZoneDifference")},
    "dbIncrement": ["day", "hour"],
}


class Kind(Enum):
    """Of requests."""

    LEADING = "what the document allows, with values of which some rows are"
    ALLOWED = "anything that the document allows"
    WRONG = "what it does not allow"


def requests_of(operation: Any, fields: Fields, ids: dict[str, list[str]]) -> st.SearchStrategy[Any]:
    can_be_wrong = operation.body or operation.path_parameters or operation.query
    kinds = st.sampled_from([Kind.LEADING, Kind.ALLOWED, *[Kind.WRONG] * bool(can_be_wrong)])
    return kinds.flatmap(lambda kind: _requests(operation, kind, fields, ids))


@st.composite
def _requests(draw: st.DrawFn, operation: Any, kind: Kind, fields: Fields, ids: dict[str, list[str]]) -> Any:
    mode = GenerationMode.NEGATIVE if kind is Kind.WRONG else GenerationMode.POSITIVE
    case = draw(operation.as_strategy(generation_mode=mode))
    if kind is Kind.LEADING or draw(st.booleans()):
        for name in case.path_parameters or {}:
            case.path_parameters[name] = draw(st.sampled_from(ids[name]))
    if kind is Kind.LEADING and isinstance(case.body, dict):
        case.body = draw(leading(case.body, fields, ids))
    case.headers = {**(case.headers or {}), "Accept": draw(st.sampled_from(ACCEPTED))}
    case.headers.pop("Authorization", None)
    return case


@st.composite
def leading(draw: st.DrawFn, body: dict[str, Any], fields: Fields, ids: dict[str, list[str]]) -> dict[str, Any]:
    """The fields that must be there, and those of which values are known."""
    known = KNOWN | {"requestIds": [ids["request_id"]]}
    led = {name: body[name] for name, is_required in fields.items() if is_required and name in body}
    led |= {name: draw(st.sampled_from(known[name])) for name in fields if name in known}
    if "timeFilter" in led:
        led["timeFilter"] = time_filter(led["timeFilter"])
    return led


def time_filter(value: dict[str, Any]) -> dict[str, Any]:
    """The months of the rows, in the units that this endpoint takes."""
    for start, end, unit in (
        ("startTimeUnixMs", "endTimeUnixMs", 1000),
        ("startTimeUnixSeconds", "endTimeUnixSeconds", 1),
    ):
        if start in value:
            return {start: 1_790_812_800 * unit, end: 1_796_083_200 * unit}
    return RANGE


def documented(service: QueryService) -> list[tuple[Any, Fields]]:
    """Each operation, with the fields of its JSON body."""
    _, document = service.ask("/openapi.json", key="")
    openapi = schemathesis.openapi.from_dict(json.loads(json.dumps(document, default=float)))
    operations: list[Any] = [found.ok() for found in list[Any](openapi.get_all_operations())]
    return [(operation, fields_of(operation, document)) for operation in operations]


def fields_of(operation: Any, document: dict[str, Any]) -> Fields:
    documentation = document["paths"][operation.path][operation.method.lower()]
    content = documentation.get("requestBody", {}).get("content", {})
    name = content.get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
    schema = document["components"]["schemas"].get(name, {})
    return {field: field in schema.get("required", ()) for field in schema.get("properties", {})}


def test_what_any_request_returns_is_documented_and_holds_nothing_of_others(
    embedded_service: QueryService, owner: Tenant, stranger: Tenant, subtests: pytest.Subtests
) -> None:
    base_url = f"http://127.0.0.1:{embedded_service.port}"
    reader = embedded_service.key(owner.client.organization_id)
    secrets = {owner.client.key, stranger.client.key, reader}
    before = shown_to(owner.client)
    showing: set[str] = set()

    def send(case: Any, key: str) -> Any:
        case.headers = {**case.headers, "Authorization": f"Bearer {key}"} if key else dict(case.headers)
        response = case.call(base_url=base_url, timeout=60)
        case.validate_response(response, checks=CHECKS)
        assert not [secret for secret in secrets if secret.encode() in response.content]
        return response

    def check(case: Any) -> None:
        if case.operation.path not in PUBLIC:
            assert send(case, "").status_code == 401
        mine, theirs = send(case, reader), send(case, stranger.client.key)
        assert text("stranger").encode() not in mine.content
        assert text("owner").encode() not in theirs.content
        if text("owner").encode() in mine.content:
            showing.add(case.operation.label)

    for operation, fields in documented(embedded_service):
        with subtests.test(operation.label):
            examples(check, requests_of(operation, fields, owner.ids))
    work(embedded_service)
    assert shown_to(owner.client) == before
    assert len(showing) >= SHOWN_BY_AT_LEAST, showing


def examples(check: Callable[[Any], None], requests: st.SearchStrategy[Any]) -> None:
    @settings(
        max_examples=5,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=requests)
    def run(case: Any) -> None:
        check(case)

    run()


def shown_to(client: Client) -> list[Any]:
    """All that strangers might have changed, but for when it is shown."""
    by = [{"column": "user_id"}, {"property": "Feature"}]
    prices, runs = (client.ask(path)[1]["data"] for path in ("/v1/prices", "/v1/reprice"))
    return [
        client.page(limit=1000),
        client.report(measures=["requests", "cost_usd", "value_usd"], by=by, timeFilter=RANGE),
        client.ask("/v1/value/v1")[1]["data"],
        client.ask("/v1/session/s1/tag")[1]["data"],
        client.ask("/v1/property/hidden/query", {})[1]["data"],
        client.ask("/v1/channels")[1]["data"],
        client.ask("/v1/scheduled-reports")[1]["data"],
        prices["rows"],
        runs,
    ]
