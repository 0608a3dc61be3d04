"""What the query service owes its clients, asked over real sockets, on both shapes of the warehouse."""

import uuid
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from schemas.event import Outcome
from schemas.price import CostState
from schemas.record import RequestBodies
from schemas.usage import UsageSource
from tests.builders.records import TIMESTAMP, a_record, some_bodies
from tests.servers.querying import LIST, Client, leaf

HELICONE_FIELDS = [
    "response_id",
    "response_body",
    "response_created_at",
    "response_status",
    "request_id",
    "request_body",
    "request_created_at",
    "request_user_id",
    "request_properties",
    "provider",
    "delay_ms",
    "request_model",
    "ai_gateway_body_mapping",
    "time_to_first_token",
    "total_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "prompt_cache_read_tokens",
    "prompt_cache_write_tokens",
    "prompt_tokens",
    "country_code",
    "scores",
    "properties",
    "asset_ids",
    "target_url",
    "cache_reference_id",
    "request_referrer",
    "cache_enabled",
    "cost",
    "prompt_id",
    "prompt_version",
    "updated_at",
    "storage_location",
    "model",
    "feedback_created_at",
]
NIL = "00000000-0000-0000-0000-000000000000"


def test_the_guides_own_body_gives_the_premium_requests_and_their_cost(client: Client) -> None:
    client.keep(
        {"properties": {"usertier": "premium"}, "property_spellings": ["UserTier"], "cost_usd": Decimal("0.1")},
        {"properties": {"usertier": "premium"}, "property_spellings": ["UserTier"], "cost_usd": Decimal("0.2")},
        {"properties": {"usertier": "free"}, "property_spellings": ["UserTier"]},
    )
    printed = {
        "filter": leaf(
            request_created_at={"gte": "2024-01-01T00:00:00Z"}, properties={"UserTier": {"equals": "premium"}}
        ),
        "limit": 1000,
    }
    status, response = client.ask(LIST, printed)
    assert status == 201
    assert response["error"] is None
    assert sum(Decimal(row["cost_usd"]) for row in response["data"]) == Decimal("0.3")


def test_an_item_has_helicones_fields_in_helicones_order(client: Client) -> None:
    client.keep({})
    (row,) = client.page()
    assert [name for name in row if name in HELICONE_FIELDS] == HELICONE_FIELDS
    assert row["request_created_at"] == "2026-11-01T12:00:00.123Z"
    assert row["properties"] == row["request_properties"] == {"Feature": "chat", "UserTier": "premium"}
    assert (row["prompt_tokens"], row["completion_tokens"], row["total_tokens"]) == (600, 200, 800)
    assert row["cache_reference_id"] == NIL
    assert row["response_status"] == 200


def test_a_cost_is_the_same_exact_number_under_its_three_names(client: Client) -> None:
    exact = Decimal("123456.123456789012")
    client.keep({"cost_usd": exact})
    (row,) = client.page()
    assert [row[name] for name in ("cost", "costUSD", "cost_usd")] == [exact] * 3


def test_what_is_unknown_is_null_and_not_zero(client: Client) -> None:
    client.keep({"cost_usd": None, "cost_state": CostState.NO_USAGE, "usage_source": UsageSource.NONE})
    (row,) = client.page()
    assert (row["cost"], row["cost_state"], row["total_tokens"], row["prompt_tokens"]) == (None, "no_usage", None, None)


def test_session_and_prompt_are_properties_too(client: Client) -> None:
    (first, _) = client.keep(
        {"session_id": "s-1", "session_name": "Analysis", "session_path": "/a", "prompt_id": "p-1"}, {}
    )
    for name, value in (
        ("Session-Id", "s-1"),
        ("session-name", "Analysis"),
        ("SESSION-PATH", "/a"),
        ("Prompt-Id", "p-1"),
    ):
        assert client.ids(leaf(properties={f"Helicone-{name}": {"equals": value}})) == [first]
        assert client.ids(leaf(property_key={"equals": f"Helicone-{name}"})) == [first]
    (row,) = client.page(leaf(session_id={"equals": "s-1"}))
    assert row["properties"]["Helicone-Session-Name"] == "Analysis"


def test_a_property_is_shown_in_its_most_used_spelling_with_capitals_and_matched_in_any_case(client: Client) -> None:
    spellings = ["usertier", "USERTIER", "UserTier", "UserTier", "usertier", "usertier"]
    client.keep(*({"properties": {"usertier": "a"}, "property_spellings": [spelling]} for spelling in spellings))
    rows = client.page(leaf(properties={"userTIER": {"contains": ""}}))
    assert [row["properties"] for row in rows] == [{"UserTier": "a"}] * len(spellings)


def test_a_key_sees_its_organization_only(client: Client) -> None:
    (request_id,) = client.keep({}, bodies=("secret", "secret"))
    stranger = Client(client.service, "org-stranger", client.service.key("org-stranger"))
    assert stranger.page() == []
    assert stranger.page(leaf(request_id={"equals": request_id})) == []
    assert stranger.page(leaf(organization_id={"equals": client.organization_id})) == []
    assert stranger.page({"left": leaf(request_body={"contains": "secret"}), "operator": "or", "right": "all"}) == []
    assert stranger.ask(f"/v1/request/{request_id}?includeBody=true")[0] == 404
    assert stranger.ask("/v1/request/query-ids", {"requestIds": [request_id]})[1]["data"] == []
    assert stranger.report(measures=["requests"])["total"]["requests"] == 0
    assert client.ids(leaf(request_id={"equals": request_id})) == [request_id]


def test_pages_fit_together_whatever_the_order(client: Client) -> None:
    client.keep(
        *(
            {"latency_ms": 100 + position % 3, "cost_usd": None if position % 4 else Decimal(1)}
            for position in range(17)
        )
    )
    for sort in ({"latency": "desc"}, {"cost": "asc"}, {"created_at": "asc"}, {"properties": {"Feature": "asc"}}):
        pages = [client.ids(limit=5, offset=offset, sort=sort) for offset in range(0, 20, 5)]
        assert [len(page) for page in pages] == [5, 5, 5, 2]
        assert sorted(request_id for page in pages for request_id in page) == sorted(client.ids(limit=1000))


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ({}, "210"),
        ({"created_at": "asc"}, "012"),
        ({"request_created_at": "desc"}, "210"),
        ({"latency": "asc"}, "120"),
        ({"time_to_first_token": "desc"}, "021"),
        ({"total_tokens": "asc"}, "201"),
        ({"cost": "desc"}, "102"),
        ({"user_id": "asc"}, "201"),
        ({"body_model": "desc"}, "102"),
        ({"is_cached": "desc"}, "210"),
        ({"properties": {"RANK": "asc"}}, "102"),
    ],
)
def test_rows_come_in_the_order_that_was_requested(client: Client, sort: object, order: str) -> None:
    fields: list[dict[str, object]] = [
        {"latency_ms": 30, "time_to_first_token_ms": 9, "prompt_tokens": 5, "cost_usd": Decimal(1), "user_id": "b"},
        {"latency_ms": 10, "time_to_first_token_ms": None, "prompt_tokens": 9, "cost_usd": Decimal(2), "user_id": "c"},
        {"latency_ms": 20, "time_to_first_token_ms": 5, "prompt_tokens": 1, "cost_usd": None, "user_id": "a"},
    ]
    more: list[dict[str, object]] = [
        {"model": "b", "properties": {"rank": "2"}},
        {"model": "c", "properties": {"rank": "1"}},
        {"model": "a", "properties": {"rank": "3"}, "outcome": Outcome.CACHED},
    ]
    ids = client.keep(*(one | other for one, other in zip(fields, more, strict=True)))
    assert "".join(str(ids.index(request_id)) for request_id in client.ids(sort=sort)) == order


def test_a_random_order_shows_every_row_once(client: Client) -> None:
    ids = client.keep(*({} for _ in range(20)))
    assert sorted(client.ids(sort={"random": True}, limit=20)) == sorted(ids)


def test_cached_requests_can_be_filtered_and_isCached_hides_none_as_in_helicone(client: Client) -> None:  # noqa: N802
    reference = str(uuid.uuid4())
    cached, plain = client.keep(
        {
            "outcome": Outcome.CACHED,
            "cache_reference_id": reference,
            "cost_usd": Decimal(0),
            "cost_state": CostState.FREE,
        },
        {},
    )
    assert client.ids(leaf(cached={"equals": True})) == [cached]
    assert client.ids(leaf(cache_reference_id={"equals": NIL})) == [plain]
    assert client.ids(isCached=True) == client.ids(isCached=False) == [plain, cached]
    (row,) = client.page(leaf(cached={"equals": True}), isCached=False)
    assert (row["cache_reference_id"], row["cost"]) == (reference, 0)


def test_rows_of_the_future_are_not_shown(client: Client) -> None:
    now = client.service.clock.now()
    client.keep({"request_created_at": now + timedelta(minutes=6)}, {"request_created_at": now + timedelta(minutes=4)})
    assert len(client.page()) == 1


def test_bodies_come_when_requested_as_json_where_they_are_json(client: Client) -> None:
    (request_id,) = client.keep({}, bodies=('{"n": 12345678901234567890.10}', "event: ping\n\ndata: [1"))
    (row,) = client.page(includeInputs=True)
    assert row["request_body"] == {"n": Decimal("12345678901234567890.10")}
    assert row["response_body"] == "event: ping\n\ndata: [1"
    (bare,) = client.page()
    assert (bare["request_body"], bare["response_body"]) == (None, None)
    alone: dict[str, object] = {"also_created_at": []}
    assert client.ask(f"/v1/request/{request_id}?includeBody=true")[1]["data"] == row | alone
    assert client.ask(f"/v1/request/{request_id}")[1]["data"] == bare | alone


def test_bodies_are_searched_in_their_latest_version(client: Client) -> None:
    (request_id,) = client.keep({}, {}, bodies=("the Quick fox", "42"))[:1]
    row = a_record(organization_id=client.organization_id, request_id=request_id)
    assert request_id in client.ids(leaf(request_body={"contains": "qUICK"}))
    client.insert([], [later(some_bodies(row, request_body="the slow fox"))])
    assert request_id not in client.ids(leaf(request_body={"contains": "qUICK"}))
    assert client.ids(leaf(request_body={"like": "the slow%"})) == [request_id]
    assert len(client.ids(leaf(request_body={"not-contains": "slow"}))) == 1
    assert client.ids(leaf(response_body={"equals": None})) == []


def later(bodies: RequestBodies) -> RequestBodies:
    return msgspec.structs.replace(bodies, version=bodies.version + 1)


def test_a_replayed_row_is_shown_and_counted_once(client: Client) -> None:
    row = a_record(organization_id=client.organization_id)
    for _ in range(3):
        client.insert([row], [some_bodies(row)])
    assert len(client.page(includeInputs=True)) == 1
    status, counted = client.ask("/v1/request/count/query", {"filter": "all"})
    assert (status, counted["data"], counted["error"], counted["warnings"]) == (200, 1, None, [])
    assert client.report(measures=["cost_usd"])["total"]["cost_usd"] == Decimal("0.00024")


def test_requests_are_found_by_id(client: Client) -> None:
    ids = client.keep({}, {}, {})
    status, response = client.ask(
        "/v1/request/query-ids", {"requestIds": [*ids[:2], ids[0].upper(), str(uuid.uuid4())]}
    )
    assert (status, [row["request_id"] for row in response["data"]]) == (200, [ids[1], ids[0]])
    assert client.ask(f"/v1/request/{ids[2]}")[1]["data"]["request_id"] == ids[2]
    assert client.ask(f"/v1/request/{uuid.uuid4()}")[0] == 404
    assert client.ask("/v1/request/not-an-id")[0] == 422


def test_no_request_has_inputs_of_a_managed_prompt(client: Client) -> None:
    (request_id,) = client.keep({"prompt_id": "greeting"})
    assert client.ask(f"/v1/request/{request_id}/inputs") == (200, {"data": None, "error": None})
    assert client.ask(f"/v1/request/{uuid.uuid4()}/inputs")[0] == 404


def keep_twice(client: Client) -> tuple[str, list[str]]:
    """An id that its client used for two requests, a second apart, and the timestamps of the two. Bodies say which."""
    request_id = str(uuid.uuid4())
    rows = [
        a_record(
            organization_id=client.organization_id,
            request_id=request_id,
            request_created_at=TIMESTAMP + timedelta(seconds=number),
            cost_usd=Decimal(number),
            price_id="",
            user_id=f"user-{number}",
        )
        for number in (1, 2)
    ]
    client.insert(rows, [some_bodies(row, request_body=f'"{row.user_id}"') for row in rows])
    return request_id, ["2026-11-01T12:00:01.123Z", "2026-11-01T12:00:02.123Z"]


def test_each_request_of_an_id_that_was_used_again_has_its_own_bodies(client: Client) -> None:
    request_id, timestamps = keep_twice(client)
    rows = client.page(leaf(request_id={"equals": request_id}), includeInputs=True)
    assert [(row["request_created_at"], row["request_body"]) for row in rows] == [
        (timestamps[1], "user-2"),
        (timestamps[0], "user-1"),
    ]
    assert [row["request_body"] for row in client.page(leaf(user_id={"equals": "user-1"}), includeInputs=True)] == [
        "user-1"
    ]


def test_an_id_that_was_used_again_names_the_latest_request_or_the_one_of_a_timestamp(client: Client) -> None:
    request_id, timestamps = keep_twice(client)
    path = f"/v1/request/{request_id}"
    for query, number in (("", 2), (f"&created_at={timestamps[0]}", 1), (f"&created_at={timestamps[1]}", 2)):
        shown = client.ask(f"{path}?includeBody=true{query}")[1]["data"]
        assert (shown["request_user_id"], shown["request_body"]) == (f"user-{number}", f"user-{number}")
        receipt = client.ask(f"{path}/cost?{query[1:]}")[1]["data"]
        assert (receipt["cost_usd"], receipt["request_created_at"]) == (number, shown["request_created_at"])
        others = timestamps[:1] if not query else None
        assert shown["also_created_at"] == receipt["also_created_at"] == others
    assert client.ask(f"{path}?created_at=2026-11-01T12:00:01.124Z")[0] == 404
    for wrong in ("soon", "2026-11-01T12:00:01.1234Z"):
        status, refusal = client.ask(f"{path}/cost?created_at={wrong}")
        assert (status, "created_at" in refusal["error"]) == (422, True)


def test_ids_find_every_request_that_has_them(client: Client) -> None:
    request_id, timestamps = keep_twice(client)
    (other,) = client.keep({})
    status, response = client.ask("/v1/request/query-ids", {"requestIds": [request_id, other]})
    assert status == 200
    found = [(row["request_id"], row["request_created_at"]) for row in response["data"]]
    assert found == [(request_id, timestamps[1]), (request_id, timestamps[0]), (other, "2026-11-01T12:00:00.123Z")]


def test_more_requests_of_few_ids_than_a_response_holds_are_refused(client: Client) -> None:
    row = a_record(organization_id=client.organization_id)
    client.insert(
        [
            msgspec.structs.replace(row, request_created_at=TIMESTAMP + timedelta(milliseconds=number))
            for number in range(5001)
        ],
        [],
    )
    status, refusal = client.ask("/v1/request/query-ids", {"requestIds": [row.request_id]})
    assert (status, "requestIds" in refusal["error"]) == (422, True)


def test_older_clients_names_and_path_work(client: Client) -> None:
    first, _ = client.keep({"user_id": "ann", "status": 500, "cost_usd": Decimal("0.5")}, {"user_id": "bob"})
    for old in (
        {"request": {"user_id": {"equals": "ann"}}},
        {"response": {"status": {"gte": 500}}},
        {
            "left": {"properties": {"feature": {"equals": "chat"}}},
            "operator": "and",
            "right": {"request": {"user_id": {"equals": "ann"}}},
        },
    ):
        status, response = client.ask("/v1/request/query", {"filter": old, "limit": 100, "offset": 0})
        assert (status, [row["request_id"] for row in response["data"]]) == (201, [first])
        assert response["data"][0]["costUSD"] == Decimal("0.5")
