"""The responses to wrong, absurd and hostile queries, on both shapes of the warehouse. Never with a 500."""

import asyncio
import contextlib
import json
import socket
import uuid

import pytest

from schemas.key import Permission
from services.query.requests.bodies import MAX_BODIES_BYTES
from tests.servers.querying import LIST, AwayWarehouse, Client, leaf, query_service

GROUPED_BY_NOTHING: list[object] = ["user_id", None, [], {}, {"colour": "red"}]
SINCE = {"since": "7d"}
REPORT = {"measures": ["requests"], "timeFilter": SINCE}
BY = 'by.0: Input should be {"column": ...}, {"property": ...} or {"time": ...}'
COMPARED = "compare: Input should be one of previous, week_before, month_before, year_before, or an object"


@pytest.mark.first_on_server
@pytest.mark.parametrize(
    ("path", "body", "culprit"),
    [
        (LIST, {}, "filter"),
        (LIST, {"filter": "all", "colour": 1}, "colour"),
        (LIST, {"filter": leaf(colour={"equals": "red"})}, "colour"),
        (LIST, {"filter": "all", "limit": 1001}, "limit"),
        (LIST, {"filter": "all", "limit": -1}, "limit"),
        (LIST, {"filter": "all", "limit": "10"}, "limit"),
        (LIST, {"filter": "all", "limit": 10**30}, "limit"),
        (LIST, {"filter": "all", "offset": -1}, "offset"),
        (LIST, {"filter": "all", "offset": 2**63}, "offset"),
        (LIST, {"filter": "all", "isCached": "yes"}, "isCached"),
        (LIST, {"filter": "all", "sort": {"colour": "asc"}}, "colour"),
        (LIST, {"filter": "all", "sort": {"request_prompt": "asc"}}, "request_prompt"),
        (LIST, {"filter": "all", "sort": {"latency": "up"}}, "up"),
        (LIST, {"filter": "all", "sort": {"latency": "asc", "cost": "asc"}}, "one key"),
        (LIST, {"filter": "all", "sort": {"random": "asc"}}, "random"),
        (LIST, {"filter": "all", "sort": {"properties": "asc"}}, "properties"),
        (LIST, {"filter": "all", "sort": []}, "sort"),
        (LIST, [], "Input should be an object"),
        (LIST, {"filter": {"left": "all", "operator": "and"}}, "this one has no right"),
        ("/v1/request/query-ids", {"requestIds": ["x"]}, "requestIds"),
        ("/v1/report", {"measures": ["colour"], "timeFilter": {"start": "2026-01-01"}}, "colour"),
        ("/v1/report", {"measures": [], "timeFilter": {"start": "2026-01-01"}}, "measures"),
        ("/v1/report", {"measures": ["requests"], "timeFilter": {}}, "start"),
        ("/v1/report", {"measures": ["requests"], "timeFilter": {"start": "soon"}}, "soon"),
        ("/v1/report", {"measures": ["requests"], "timeFilter": {"start": "2026-01-01"}, "timeZone": "Moon"}, "Moon"),
        ("/v1/report", {"measures": ["requests"], "timeFilter": {"start": "2026-01-01"}, "timeZone": "../x"}, "../x"),
        *[
            ("/v1/report", {"measures": ["requests"], "timeFilter": {"start": "2026-01-01"}, "by": [part]}, BY)
            for part in GROUPED_BY_NOTHING
        ],
        (
            "/v1/report",
            {"measures": ["requests"], "timeFilter": {"start": "2026-01-01"}, "by": [{"time": "day", "colour": 1}]},
            "by.0.colour: Unknown field",
        ),
        (
            "/v1/report",
            {"measures": ["requests"], "timeFilter": {"start": "2026-01-01"}, "by": [{"column": "properties"}]},
            "properties",
        ),
        (
            "/v1/report",
            {"measures": ["requests"], "timeFilter": {"start": "2026-01-01"}, "orderBy": {"measure": "cost_usd"}},
            "cost_usd",
        ),
        ("/v1/report", {**REPORT, "by": [{"time": "fortnight"}]}, "by.0.time: Input should be 'minute', '5_minutes',"),
        ("/v1/report", {**REPORT, "compare": "last_week"}, "compare: Input should be 'previous', 'week_before',"),
        ("/v1/report", {**REPORT, "compare": 7}, COMPARED),
        ("/v1/report", {**REPORT, "compare": {"start": "2026-01-01"}}, "compare.end: Field required"),
        (
            "/v1/savings/repeats",
            {"timeFilter": SINCE, "scope": ["user_id"]},
            'scope.0: Input should be {"column": ...}',
        ),
        ("/v1/value/query", {"timeFilter": {"start": "2026-01-01", "since": "7d"}}, "give since alone"),
    ],
)
def test_a_wrong_question_is_refused_by_name(client: Client, path: str, body: object, culprit: str) -> None:
    status, refusal = client.ask(path, body)
    assert (status, refusal["message"]) == (422, "Validation Failed")
    assert culprit in "; ".join(f"{place}: {fault['message']}" for place, fault in refusal["details"].items())
    assert culprit in refusal["error"]


@pytest.mark.first_on_server
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"filter": NaN}',
        b'{"filter": "\\ud800"}',
        b'{"filter": ' + b"[" * 200_000,
        b'{"filter": ' + b'{"left":' * 900 + b'"all"' + b',"operator":"and","right":"all"}' * 900 + b"}",
        b'{"filter": {"request_response_rmt": {"cost": {"gt": 1e999999999}}}}',
        b'{"filter": {"request_response_rmt": {"latency": {"gt": ' + b"9" * 5000 + b"}}}}",
        b'{"filter": {"request_response_rmt": {"latency": {"gt": 99999999999999999999999}}}}',
        b'{"filter": {"request_response_rmt": {"model": {"like": "\\\\"}}}}',
        b'{"filter": {"request_response_rmt": {"request_created_at": {"gt": "9999-12-31T23:59:59-23:59"}}}}',
        json.dumps({"filter": {"request_response_rmt": {"model": {"equals": "x" * 100_000}}}}).encode(),
        json.dumps({"filter": {f"t{number}": {} for number in range(50_000)}}).encode(),
        json.dumps({"filter": "all", "x" * 100_000: 1}).encode(),
    ],
    ids=range(15),
)
def test_an_absurd_body_is_refused_in_few_words(client: Client, body: bytes) -> None:
    status, refusal = client.ask(LIST, body)
    assert status == 422
    assert len(json.dumps(refusal)) < 5000


@pytest.mark.parametrize(
    ("body", "culprit"),
    [
        (b'{"filter": {"request_response_rmt": {"status": {"gte": 500, "gte": 0}}}}', "'gte'"),
        (
            b'{"filter": {"request_response_rmt": {"model": {"equals": "a"}, "m\\u006fdel": {"equals": "b"}}}}',
            "'model'",
        ),
        (b'{"filter": {"properties": {"Tier": {"equals": "a"}}, "properties": {"Feature": {"equals": "b"}}}}', "'prop"),
        (b'{"filter": "all", "limit": 1, "filter": "all"}', "'filter'"),
        (b'{"filter": {"' + b"x" * 100_000 + b'": {}, "' + b"x" * 100_000 + b'": {}}}', "'xxx"),
    ],
    ids=["operator", "column", "table", "field", "long name"],
)
def test_a_name_that_comes_twice_is_refused_since_one_of_the_two_would_be_dropped(
    client: Client, body: bytes, culprit: str
) -> None:
    status, refusal = client.ask(LIST, body)
    assert (status, f"a name twice in one object: {culprit}" in refusal["error"]) == (422, True)
    assert len(refusal["error"]) < 200


def test_a_body_that_does_not_say_it_is_json_gets_an_error(client: Client) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    status, refusal = client.service.ask(LIST, {"filter": "all"}, key=client.key, **form)
    assert (status, "application/json" in refusal["error"]) == (422, True)


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 1048577\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n" + b"100001\r\n" + b" " * 0x100001 + b"\r\n",
    ],
    ids=["announced", "in chunks"],
)
def test_a_body_beyond_one_mebibyte_is_refused_like_anything_else(client: Client, body: bytes) -> None:
    head = f"POST {LIST} HTTP/1.1\r\nHost: x\r\nAuthorization: {client.key}\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", client.service.port), timeout=20) as connection:
        connection.sendall(head.encode() + body)
        response = b"".join(iter(lambda: connection.recv(65536), b""))
    assert response.startswith(b"HTTP/1.1 413 ")
    refusal = json.loads(response.partition(b"\r\n\r\n")[2])
    assert (refusal["data"], "1,048,576" in refusal["error"]) == (None, True)


def test_whoever_has_no_key_gets_an_error_before_a_body_is_read(client: Client) -> None:
    head = f"POST {LIST} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", client.service.port), timeout=20) as connection:
        connection.sendall(head.encode())  # and no body
        assert connection.recv(65536).startswith(b"HTTP/1.1 401 ")


ENDLESS = b"x" * 2**20


@pytest.mark.parametrize("key", ["right", "wrong"])
@pytest.mark.parametrize(
    "sent",
    [
        b"X: " + ENDLESS,
        b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + ENDLESS,
        b"Transfer-Encoding: chunked\r\n\r\n1;" + ENDLESS,
    ],
    ids=["head", "trailer", "extension of a chunk"],
)
def test_what_has_no_end_around_a_body_is_not_waited_for(client: Client, sent: bytes, key: str) -> None:
    authorization = client.key if key == "right" else "sk-wrong"
    head = f"POST {LIST} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: {authorization}\r\n"
    with socket.create_connection(("127.0.0.1", client.service.port), timeout=5) as connection:
        response = b""
        with contextlib.suppress(ConnectionError):
            connection.sendall(head.encode() + sent)
            while part := connection.recv(65536):
                response += part
    assert response[:13] in (b"", b"HTTP/1.1 400 ", b"HTTP/1.1 401 ", b"HTTP/1.1 431 ")


def test_bodies_that_no_process_should_hold_at_once_are_requested_in_smaller_pages(client: Client) -> None:
    client.keep(*({} for _ in range(17)), bodies=("x" * (MAX_BODIES_BYTES // 16), "{}"))
    status, refusal = client.ask(LIST, {"filter": "all", "limit": 17, "includeInputs": True})
    assert (status, "fewer rows with includeInputs" in refusal["error"]) == (422, True)
    assert len(client.page(limit=17)) == 17
    assert len(client.page(limit=2, includeInputs=True)[1]["request_body"]) == MAX_BODIES_BYTES // 16


def test_every_value_of_text_is_data(client: Client) -> None:
    hostile = ["'; DROP TABLE request_response_rmt; --", "\\", "{p0:String}", "%s", "\x00", "\\N", "é😀", "' OR 1=1 --"]
    ids = client.keep(*({"user_id": text, "properties": {"x": text}} for text in hostile))
    for request_id, text in zip(ids, hostile, strict=True):
        assert client.ids(leaf(user_id={"equals": text})) == [request_id]
        assert client.ids(leaf(properties={"x": {"equals": text}})) == [request_id]
        assert request_id in client.ids(leaf(user_id={"contains": text}), limit=100)
        assert client.ids(leaf(properties={text: {"equals": "x"}})) == []
        assert client.report(measures=["requests"], by=[{"property": text}])["total"]["requests"] == len(hostile)


def test_the_largest_filter_that_is_allowed_gets_a_response(client: Client) -> None:
    (request_id,) = client.keep({})
    condition = leaf(user_id={"not-equals": "%" * 250})
    filter_json: object = condition
    for _ in range(255):
        filter_json = {"left": filter_json, "operator": "and", "right": condition}
    assert client.ids(filter_json) == [request_id]


def chained(conditions: list[dict[str, object]], operator: str = "and") -> object:
    filter_json: object = conditions[0]
    for condition in conditions[1:]:
        filter_json = {"left": filter_json, "operator": operator, "right": condition}
    return filter_json


YEARS = range(1970, 2194)
MANY: dict[str, list[dict[str, object]]] = {
    "texts": [leaf(user_id={"ilike": f"%{number}%"}) for number in range(256)],
    "sums": [leaf(total_tokens={"gt": number}) for number in range(256)],
    "ids": [leaf(request_id={"equals": str(uuid.UUID(int=number))}) for number in range(256)],
    "parts of ids": [leaf(request_id={"contains": f"{number:x}"}) for number in range(256)],
    "properties": [leaf(properties={f"p{number}": {"not-equals": f"v{number}"}}) for number in range(256)],
    "timestamps": [leaf(response_created_at={"gt": f"2026-01-01T00:00:00.{number:03}Z"}) for number in range(256)],
    "bodies": [leaf(request_body={"contains": f"text {number}"}) for number in range(32)],
    "long texts": [leaf(request_body={"contains": letter * 8192}) for letter in "\x00'😀\\%\n&"],
    "long names": [leaf(properties={letter * 8000: {"equals": letter}}) for letter in "\x00'😀\\%\n&"],
}


@pytest.mark.parametrize("conditions", MANY.values(), ids=MANY)
def test_as_many_conditions_as_may_be_get_responses(client: Client, conditions: list[dict[str, object]]) -> None:
    client.keep({}, bodies=("text 1", "{}"))
    assert isinstance(client.ids(chained(conditions, "or")), list)
    assert client.report(measures=["requests"], filter=chained(conditions, "and"))["total"]["requests"] in (0, 1)


@pytest.mark.parametrize(
    ("body", "culprit"),
    [
        ({"filter": chained(MANY["bodies"] + [leaf(response_body={"equals": None})])}, "request_body or response_body"),
        (
            {"filter": chained(MANY["bodies"] + [leaf(request_created_at={"gt": f"{year}-01-01"}) for year in YEARS])},
            "simplify the filter",
        ),
        ({"filter": leaf(properties={"😀" * 8193: {"equals": "x"}})}, "😀"),
        ({"filter": leaf(scores={"x" * 8193: {"equals": "1"}})}, "scores"),
        ({"filter": "all", "sort": {"properties": {"x" * 300_000: "asc"}}}, "xxx"),
    ],
    ids=["bodies", "all together", "a name", "another map's name", "a sort"],
)
def test_what_is_more_than_the_warehouse_takes_is_refused_by_name(
    client: Client, body: dict[str, object], culprit: str
) -> None:
    status, refusal = client.ask(LIST, body)
    assert (status, culprit in refusal["error"]) == (422, True)
    by_property = {"measures": ["requests"], "timeFilter": {"start": "2026-01-01"}, "by": [{"property": "x" * 9000}]}
    assert client.ask("/v1/report", by_property)[0] == 422


def test_a_user_with_an_endless_name_does_not_stop_the_summary(client: Client) -> None:
    client.keep({"user_id": "x" * 200_000}, {"user_id": "ann"})
    users = client.summary()["top_users"]
    assert [(len(user["user_id"]), user["tier"]) for user in users] == [(3, "premium"), (200_000, None)]


def test_a_missing_unknown_or_revoked_key_is_unauthenticated(client: Client) -> None:
    for key in ("", "sk-wrong", "é'", "Bearer", "Basic x"):
        status, refusal = client.service.ask(LIST, {"filter": "all"}, key=key)
        assert (status, refusal["trace"]) == (401, "isAuthenticated.error")
    (known,) = asyncio.run(client.service.keys.list_keys(client.organization_id))
    assert client.ask(LIST, {"filter": "all"})[0] == 201
    assert asyncio.run(client.service.keys.revoke_key(client.organization_id, known.id))
    client.service.clock.advance(seconds=10)
    assert client.ask(LIST, {"filter": "all"})[0] == 401


def test_asking_needs_the_permission_to_read(client: Client) -> None:
    for permission in Permission:
        status = 403 if permission is Permission.WRITE else 201
        key = client.service.key(client.organization_id, permission)
        assert client.service.ask(LIST, {"filter": "all"}, key=key)[0] == status
        for spelled in (key, f"bearer {key}", f"BEARER   {key} ", f"Bearer {key}"):
            sent = {"Authorization": spelled}
            assert client.service.ask(LIST, {"filter": "all"}, key=key, **sent)[0] == status, spelled


def test_unknown_paths_and_methods_have_the_envelope(client: Client) -> None:
    status, refusal = client.ask("/v1/nothing")
    assert (status, refusal["data"], refusal["error"][:23]) == (404, None, "no route has this path;")
    near = client.ask("/v1/user/metric/query", {})[1]["error"]
    assert near.startswith("no route has this path; the nearest are POST /v1/user/metrics/query")
    assert len(near) < 300
    assert client.ask(LIST) == (422, client.ask(LIST)[1])
    assert client.ask("/v1/report/summary", {})[0] == 405


def test_it_says_that_it_lives_and_that_it_can_respond(client: Client) -> None:
    assert client.ask("/healthz") == (200, {"data": "ok", "error": None})
    status, ready = client.ask("/readyz")
    assert (status, ready["data"], ready["error"], ready["warnings"]) == (200, "ok", None, [])
    assert (ready["seal"]["state"], ready["seal"]["events_waiting"]) == ("complete", 0)


def test_a_warehouse_that_is_unreachable_is_said_without_its_address(tmp_path_factory: pytest.TempPathFactory) -> None:
    with query_service(AwayWarehouse(), tmp_path_factory.mktemp("state")) as service:
        status, refusal = service.ask(LIST, {"filter": "all"}, key=service.key("org-1"))
        assert (status, refusal["data"]) == (503, None)
        assert "internal" not in refusal["error"]
        assert service.ask("/readyz", key="")[0] == 503
        assert service.ask("/healthz", key="")[0] == 200
