"""Names and values that no request has: the response says so, and names what is near."""

import contextlib
import http.client
import json
from typing import Any

import pytest

from schemas.key import Permission
from schemas.statement import Statement
from tests.builders.records import a_record
from tests.servers.querying import LIST, Client, leaf

SPEND: dict[str, Any] = {"measures": ["cost_usd"], "timeFilter": {"start": "2026-01-01"}}
PATHS: dict[str, dict[str, Any]] = {
    LIST: {},
    "/v1/request/query": {},
    "/v1/request/count/query": {},
    "/v1/report": SPEND,
}


@pytest.fixture
def known(client: Client) -> Client:
    """An organization with a few names, and another one with others."""
    feature = {"properties": {"feature": "search"}, "property_spellings": ["Feature"]}
    client.keep(feature, feature | {"model": "gpt-4o", "user_id": "ann@example.com"})
    others = {"properties": {"featura": "searcn"}, "property_spellings": ["Featura"], "model": "gpt-4p"}
    client.insert([a_record(organization_id="somebody-else", **others)], [])
    return client


def warned(client: Client, path: str, body: object) -> list[tuple[str, str | None, str, str | None]]:
    """Code, column, name and nearest of each warning."""
    status, response = client.ask(path, body)
    assert status in (200, 201), response
    assert all(warning["name"] in warning["message"] for warning in response["warnings"])
    return [tuple(warning[part] for part in ("code", "column", "name", "nearest")) for warning in response["warnings"]]


@pytest.mark.parametrize(
    ("filter_json", "expected"),
    [
        ({"properties": {"Feautre": {"equals": "search"}}}, ("unknown_property", None, "feautre", "Feature")),
        ({"properties": {"Plan": {"contains": "x"}}}, ("unknown_property", None, "plan", None)),
        (leaf(property_key={"equals": "Features"}), ("unknown_property", None, "features", "Feature")),
        (
            {"properties": {"FEATURE": {"equals": "serach"}}},
            ("unknown_value", "properties.Feature", "serach", "search"),
        ),
        (
            {"properties": {"Feature": {"equals": "Search"}}},
            ("unknown_value", "properties.Feature", "Search", "search"),
        ),
        ({"properties": {"Feature": {"not-equals": "faq"}}}, ("unknown_value", "properties.Feature", "faq", None)),
        ({"properties": {"Feature": {"contains": "faq"}}}, ("unknown_value", "properties.Feature", "faq", None)),
        (leaf(model={"equals": "gpt-4q"}), ("unknown_value", "model", "gpt-4q", "gpt-4o")),
        (leaf(model={"like": "claude%"}), ("unknown_value", "model", "claude%", None)),
        (
            leaf(user_id={"equals": "anne@example.com"}),
            ("unknown_value", "user_id", "anne@example.com", "ann@example.com"),
        ),
        (leaf(outcome={"equals": "complete"}), ("unknown_value", "outcome", "complete", "completed")),
        (leaf(target_url={"equals": "https://x"}), ("unknown_value", "target_url", "https://x", None)),
        (leaf(country_code={"equals": "DE"}), ("unknown_value", "country_code", "DE", None)),
    ],
)
def test_a_name_that_no_request_has_is_warned_of(
    known: Client, filter_json: object, expected: tuple[str, str | None, str, str | None]
) -> None:
    for path, body in PATHS.items():
        assert warned(known, path, body | {"filter": filter_json}) == [expected], path


@pytest.mark.parametrize(
    "filter_json",
    [
        "all",
        {"properties": {"feature": {"equals": "search"}}},
        {"properties": {"Feature": {"contains": "EAR", "not-equals": "__empty__"}}},
        {"properties": {"Helicone-Session-Id": {"equals": None}}},
        leaf(model={"equals": "gpt-4o"}, user_id={"ilike": "ANN%"}, status={"equals": 999}),
        leaf(cost={"gt": 10**9}, cached={"equals": True}, request_created_at={"lt": "2001-01-01"}),
        leaf(request_id={"equals": "01932c07-2a00-7000-8000-0000000000ff"}),
        leaf(request_body={"contains": "never said"}),
        leaf(user_id={"equals": "ann@example.com"}, request_created_at={"lt": "2001-01-01"}),
    ],
)
def test_what_was_ever_seen_is_no_warning_though_nothing_is_found(known: Client, filter_json: object) -> None:
    for path, body in PATHS.items():
        assert warned(known, path, body | {"filter": filter_json}) == [], path


def test_one_wrong_name_among_right_ones_is_found(known: Client) -> None:
    right, wrong = ({"properties": {"Feature": {"equals": value}}} for value in ("search", "searhc"))
    either = {"left": right, "operator": "or", "right": wrong}
    assert warned(known, LIST, {"filter": either}) == [("unknown_value", "properties.Feature", "searhc", "search")]
    without = {"left": right, "operator": "and", "right": leaf(user_id={"not-equals": "ann@example.con"})}
    expected = [("unknown_value", "user_id", "ann@example.con", "ann@example.com")]
    assert warned(known, "/v1/report", SPEND | {"filter": without}) == expected


def test_groupings_and_sorts_by_a_name_that_no_request_has_are_warned_of(known: Client) -> None:
    by = [{"property": "Feture"}, {"property": "feature"}, {"column": "model"}, {"time": "day"}]
    assert warned(known, "/v1/report", SPEND | {"by": by}) == [("unknown_property", None, "feture", "Feature")]
    sort = {"properties": {"Featrue": "asc"}}
    assert warned(known, LIST, {"filter": "all", "sort": sort}) == [("unknown_property", None, "featrue", "Feature")]


def test_names_of_another_organization_are_neither_known_nor_near(known: Client) -> None:
    for filter_json, name in (
        ({"properties": {"Featura": {"equals": "searcn"}}}, "featura"),
        (leaf(model={"equals": "gpt-4p"}), "gpt-4p"),
    ):
        ((_, _, found, nearest),) = warned(known, LIST, {"filter": filter_json})
        assert (found, nearest in ("Feature", "gpt-4o")) == (name, True)


def test_an_organization_without_requests_knows_no_name(client: Client) -> None:
    assert warned(client, LIST, {"filter": {"properties": {"Feature": {"equals": "search"}}}}) == [
        ("unknown_property", None, "feature", None)
    ]


@pytest.mark.parametrize(
    "name", ["'; DROP TABLE x --", "%", "\\", "{p0:String}", "ß" * 60, "名" * 30, "\0", "x" * 8192, '"', "\r\nX: y"]
)
def test_names_may_hold_anything(known: Client, name: str) -> None:
    status, response = known.ask(LIST, {"filter": leaf(model={"equals": name}), "sort": {"properties": {name: "asc"}}})
    assert (status, [warning["name"] for warning in response["warnings"]]) == (201, [name.lower(), name])
    assert [warning["nearest"] for warning in response["warnings"]] == [None, None]


def test_a_new_name_is_known_as_soon_as_it_is_seen(known: Client) -> None:
    requested = {"filter": {"properties": {"Plan": {"equals": "gold"}}}}
    assert warned(known, LIST, requested) == [("unknown_property", None, "plan", None)]
    known.keep({"properties": {"plan": "gold"}, "property_spellings": ["Plan"]})
    assert warned(known, LIST, requested) == []


def test_a_known_name_is_looked_up_once(known: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    requested: list[str] = []
    query = known.service.warehouse.query

    async def counted(statement: Statement) -> list[dict[str, Any]]:
        if not statement.sql.startswith("EXPLAIN"):  # how many rows there may be, which belongs to the report
            requested.append(statement.sql)
        return await query(statement)

    monkeypatch.setattr(known.service.warehouse, "query", counted)
    body = SPEND | {"filter": {"properties": {"Feature": {"not-equals": "search"}}}, "by": [{"property": "Feature"}]}
    assert warned(known, "/v1/report", body) == []
    assert len(requested) == 3  # the report, the property, and the value
    requested.clear()
    assert warned(known, "/v1/report", body) == []
    assert len(requested) == 1
    requested.clear()
    assert warned(known, "/v1/report", SPEND | {"by": [{"column": "model"}]}) == []
    assert len(requested) == 1


def test_a_value_that_every_row_has_is_not_looked_up(known: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    requested: list[str] = []
    query = known.service.warehouse.query

    async def counted(statement: Statement) -> list[dict[str, Any]]:
        requested.append(statement.sql)
        return await query(statement)

    monkeypatch.setattr(known.service.warehouse, "query", counted)
    for value, looks in (("search", 0), ("serach", 2)):  # the value, and the nearest
        requested.clear()
        body = SPEND | {"filter": {"properties": {"Feature": {"equals": value}}}}
        warnings = warned(known, "/v1/report", body)
        assert [warning[3] for warning in warnings] == (["search"] if looks else [])
        assert sum("LIMIT 1" in sql for sql in requested) == looks


WRONG = {"properties": {"Feature": {"equals": "serach"}}}
RULE = {"name": "x", "metric": "cost", "threshold": 1, "filter": WRONG, "by": [{"property": "Teem"}]}
BUDGET = {"name": "x", "limit_usd": 1, "segment": "property", "property": "Teem", "where": {"Feature": "serach"}}
WEEKLY = {
    "name": "x",
    "schedule": {"every": "week"},
    "query": {"measures": ["cost_usd"], "by": [{"property": "Teem"}], "filter": WRONG},
}


NEVER_SEEN = {
    ("unknown_property", None, "teem", None),
    ("unknown_value", "properties.Feature", "serach", "search"),
}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/alert/create", RULE),
        ("/v1/alert/backtest", RULE),
        ("/v1/budgets", BUDGET),
        ("/v1/scheduled-reports", WEEKLY),
    ],
)
def test_what_is_kept_is_warned_of_when_it_is_made(known: Client, path: str, body: dict[str, Any]) -> None:
    """Else an alert that watches nothing is silent for good, and a budget has no end."""
    admin = with_admin_key(known)
    assert set(warned(admin, path, body | channel_of(admin, body))) == NEVER_SEEN


def test_what_is_kept_is_warned_of_when_it_is_changed(known: Client) -> None:
    admin = with_admin_key(known)
    weekly = WEEKLY | channel_of(admin, WEEKLY)
    alert_id = admin.ask("/v1/alert/create", RULE)[1]["data"]
    report_id = admin.ask("/v1/scheduled-reports", weekly)[1]["data"]["id"]
    for path, body in ((f"/v1/alert/{alert_id}", RULE), (f"/v1/scheduled-reports/{report_id}", weekly)):
        status, response = admin.service.ask(path, body, key=admin.key, method="PUT")
        assert (status, {one["name"] for one in response["warnings"]}) == (200, {"teem", "serach"}), response


def with_admin_key(client: Client) -> Client:
    service, organization_id = client.service, client.organization_id
    return Client(service, organization_id, service.key(organization_id, Permission.ADMIN))


def channel_of(admin: Client, body: dict[str, Any]) -> dict[str, Any]:
    """Of a report, which cannot be made without one."""
    if body is not WEEKLY:
        return {}
    mail = {"name": "finance", "kind": "email", "recipients": ["finance@example.com"]}
    return {"channel_ids": [admin.ask("/v1/channels", mail)[1]["data"]["id"]]}


def test_csv_has_the_warnings_in_a_header(known: Client) -> None:
    by = [{"property": "Feautre"}]
    filter_json = leaf(model={"equals": "\r\nX-Evil: ü"})
    for path, body in (("/v1/report", SPEND | {"by": by, "filter": filter_json}), (LIST, {"filter": filter_json})):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", known.service.port, timeout=30)) as connection:
            headers = {"Authorization": f"Bearer {known.key}", "Content-Type": "application/json", "Accept": "text/csv"}
            connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            response.read()
        _, in_json = known.ask(path, body)
        assert "X-Evil" not in response.headers
        assert json.loads(response.headers["Farebox-Warnings"]) == [one["message"] for one in in_json["warnings"]]
