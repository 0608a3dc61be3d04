"""Properties, scores and feedback set over HTTP, through the journal and a worker to what queries show."""

import asyncio
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.amendment import FEEDBACK, Amendment
from schemas.api.requests import instant
from schemas.event import encode_event
from schemas.key import KeyTags, Permission
from schemas.log_entry import decode_entry
from schemas.versions import MAX_AMENDMENTS
from services.query.seals import MAX_AGE_S
from services.stores.journal.source import JournalSource
from services.telemetry.metrics import Metrics
from services.worker.loop import Flush, run_worker
from tests.builders.price_rows import known
from tests.builders.records import TIMESTAMP, a_record, an_event
from tests.servers.querying import AwayWarehouse, Client, QueryService, leaf, query_service
from tests.support.working import work_through

DONE = (201, {"data": None, "error": None})
FLUSH = Flush(max_rows=1000, max_bytes=2**30, max_age_s=0.01)


@pytest.fixture
def client(service: QueryService, organization_id: str) -> Client:
    """With a key that may write too."""
    return Client(service, organization_id, service.key(organization_id, Permission.READ_WRITE))


def work(service: QueryService) -> None:
    """A worker brings what is in the log into the rows."""

    async def drain() -> None:
        stop = asyncio.Event()
        source = JournalSource(service.journal)
        worker = asyncio.create_task(run_worker(source, service.warehouse, known(), Metrics(), flush=FLUSH, stop=stop))
        while await source.backlog():  # noqa: ASYNC110  what is waited for has no event
            await asyncio.sleep(0.01)
        stop.set()
        await worker
        await source.close()

    asyncio.run(asyncio.wait_for(drain(), 60))


def put(client: Client, request_id: str, key: str, value: str, query: str = "") -> tuple[int, Any]:
    path = f"/v1/request/{request_id}/property{query}"
    return client.service.ask(path, {"key": key, "value": value}, key=client.key, method="PUT")


def test_what_is_set_later_is_shown_filtered_by_and_reported(client: Client) -> None:
    liked, other = client.keep({}, {})
    assert put(client, liked, "Plan", "premium") == DONE
    assert client.ask(f"/v1/request/{liked}/feedback", {"rating": True}) == DONE
    assert client.ask(f"/v1/request/{liked}/score", {"scores": {"accuracy": 92, "polite": False}}) == DONE
    assert client.ask(f"/v1/request/{other}/feedback", {"rating": False}) == DONE
    work(client.service)

    first, second = client.page(sort={"created_at": "asc"})
    assert first["scores"] == {"accuracy": 92, "polite": 0, FEEDBACK: 1}
    assert first["properties"]["Plan"] == first["request_properties"]["Plan"] == "premium"
    assert (first["feedback_rating"], second["feedback_rating"]) == (True, False)
    assert first["feedback_created_at"] == instant(client.service.clock.now())
    assert second["scores"] == {FEEDBACK: 0}
    conditions: dict[str, Any] = {
        "a property": leaf(properties={"plan": {"equals": "premium"}}),
        "its name": leaf(property_key={"equals": "Plan"}),
        "a number": leaf(scores={"accuracy": {"gte": 92}}),
        "its text": leaf(scores={"accuracy": {"equals": "92"}}),
        "digits of it": leaf(scores={"accuracy": {"contains": "2"}}),
        "a rating": leaf(**{FEEDBACK: {"equals": True}}),
        "its older name": {"feedback": {"rating": {"equals": True}}},
    }
    found = {name: client.ids(condition) for name, condition in conditions.items()}
    assert [name for name, ids in found.items() if ids != [liked]] == []
    assert client.ids(leaf(scores={"accuracy": {"equals": None}})) == [other]
    assert len(client.ids(isScored=True)) == 2
    assert client.ids(isScored=False) == []
    report = client.report(measures=["requests"], by=[{"property": "Plan"}])
    assert [row["by"] for row in report["rows"] if row["measures"] == {"requests": 1}] == [[None], ["premium"]]
    rated = client.report(measures=["requests"], by=[{"column": FEEDBACK}])
    assert sorted(row["by"][0] for row in rated["rows"]) == [False, True]


def test_the_latest_rating_counts_and_other_scores_stay(client: Client) -> None:
    (request_id,) = client.keep({})
    for path, body in (
        ("feedback", {"rating": True}),
        ("score", {"scores": {"accuracy": 1, "tone": 2}}),
        ("score", {"scores": {"accuracy": 3}}),
        ("feedback", {"rating": False}),
    ):
        client.service.clock.advance(seconds=1)
        assert client.ask(f"/v1/request/{request_id}/{path}", body) == DONE
    work(client.service)
    (row,) = client.page()
    assert row["scores"] == {"accuracy": 3, "tone": 2, FEEDBACK: 0}


def test_what_is_set_later_updates_the_row(client: Client) -> None:
    """So whoever copies what was updated since the last copy has scores too."""
    rated, other = client.keep({}, {})
    before = {row["request_id"]: row["updated_at"] for row in client.page()}
    client.service.clock.advance(seconds=90)
    set_at = instant(client.service.clock.now())
    assert client.ask(f"/v1/request/{rated}/score", {"scores": {"accuracy": 1}}) == DONE
    work(client.service)
    after = {row["request_id"]: row["updated_at"] for row in client.page()}
    assert after == {rated: set_at, other: before[other]}
    assert before[rated] < set_at


def test_a_session_set_later_is_that_of_the_row(client: Client) -> None:
    (request_id,) = client.keep({})
    assert put(client, request_id, "Helicone-Session-Id", "s-1") == DONE
    work(client.service)
    assert client.ids(leaf(session_id={"equals": "s-1"})) == [request_id]
    assert client.page()[0]["properties"]["Helicone-Session-Id"] == "s-1"


def test_what_is_set_on_a_request_that_is_still_on_its_way_waits_for_it(client: Client) -> None:
    request_id = str(uuid.uuid4())
    assert put(client, request_id, "Plan", "premium") == DONE
    work(client.service)
    event = an_event(organization_id=client.organization_id, request_id=request_id)
    work_through(client.service.warehouse, [encode_event(event)])
    assert client.page()[0]["properties"]["Plan"] == "premium"


def test_where_an_id_was_used_again_the_latest_request_is_meant_or_that_of_created_at(client: Client) -> None:
    request_id = str(uuid.uuid4())
    client.keep({"request_id": request_id}, {"request_id": request_id})
    assert put(client, request_id, "which", "the latest") == DONE
    assert put(client, request_id, "which", "the first", "?created_at=2026-11-01T12:00:00.123Z") == DONE
    work(client.service)
    first, latest = client.page(sort={"created_at": "asc"})
    assert (first["properties"]["which"], latest["properties"]["which"]) == ("the first", "the latest")


def test_requests_of_other_organizations_are_as_they_were(client: Client) -> None:
    (theirs,) = client.keep({})
    stranger = f"org-{uuid.uuid4()}"
    key = client.service.key(stranger, Permission.READ_WRITE)
    assert client.service.ask(f"/v1/request/{theirs}/feedback", {"rating": True}, key=key) == DONE
    work(client.service)
    assert client.page()[0]["scores"] == {}


@pytest.mark.parametrize(
    ("permission", "status"),
    [(Permission.ADMIN, 201), (Permission.READ_WRITE, 201), (Permission.WRITE, 201), (Permission.READ, 403)],
)
def test_it_takes_a_key_that_may_write(client: Client, permission: Permission, status: int) -> None:
    key = client.service.key(client.organization_id, permission)
    assert client.service.ask(f"/v1/request/{uuid.uuid4()}/feedback", {"rating": True}, key=key)[0] == status


def test_it_takes_a_key(client: Client) -> None:
    assert client.service.ask(f"/v1/request/{uuid.uuid4()}/feedback", {"rating": True}, key="")[0] == 401


def test_what_a_budget_wrote_stays(client: Client) -> None:
    status, response = put(client, str(uuid.uuid4()), "farebox-budget-STATUS", "0")
    assert (status, response["error"]) == (422, "farebox-budget-STATUS is set by budgets, and by nobody else")


def test_a_key_sets_no_tag_that_it_forces_and_blanks_none_that_it_requires(client: Client) -> None:
    (request_id,) = client.keep({"properties": {"team": "search"}, "property_spellings": ["team"]})
    tags = KeyTags(forced={"Team": "search", "Helicone-Session-Id": "s-1"}, required=("Feature",))
    creation = client.service.keys.create_key(
        organization_id=client.organization_id, name="of search", permission=Permission.WRITE, tags=tags
    )
    _, secret = asyncio.run(creation)
    of_search = Client(client.service, client.organization_id, secret)
    for name in ("TEAM", "helicone-session-id"):
        status, response = put(of_search, request_id, name, "sales")
        assert (status, f"'{name}'" in response["error"]) == (403, True)
    status, response = put(of_search, request_id, "feature", " ")
    assert (status, "'feature'" in response["error"]) == (422, True)
    assert put(of_search, request_id, "feature", "chat") == DONE
    work(client.service)
    (row,) = client.page()
    assert row["properties"] == {"team": "search", "feature": "chat"}


def test_what_is_set_and_not_in_the_rows_yet_waits_in_the_seal(client: Client) -> None:
    (request_id,) = client.keep({})
    assert put(client, request_id, "Plan", "premium") == DONE
    time.sleep(MAX_AGE_S)  # of a look at the log for an earlier seal
    status, response = client.ask("/v1/report", {"measures": ["requests"], "timeFilter": {"since": "30d"}})
    assert (status, response["seal"]["events_waiting"], response["seal"]["state"]) == (200, 1, "waiting")


REFUSED: dict[str, tuple[str, object, str]] = {
    "a fraction": ("score", {"scores": {"accuracy": 0.5}}, "scores.accuracy"),
    "a text": (
        "score",
        {"scores": {"accuracy": "92"}},
        "scores.accuracy: Input should be a whole number, true or false",
    ),
    "no number": ("score", {"scores": {"accuracy": None}}, "scores.accuracy"),
    "too large a number": ("score", {"scores": {"accuracy": 2**63}}, "scores.accuracy"),
    "no score": ("score", {"scores": {}}, "scores"),
    "a score without a name": ("score", {"scores": {"": 1}}, "scores"),
    "a long name": ("score", {"scores": {"x" * 257: 1}}, "scores"),
    "no rating": ("feedback", {}, "rating"),
    "a rating in words": ("feedback", {"rating": "good"}, "rating"),
    "a rating in stars": ("feedback", {"rating": 1}, "rating"),
    "something else": ("feedback", {"rating": True, "comment": "nice"}, "comment"),
    "a property without a name": ("property", {"key": "", "value": "x"}, "key"),
    "a property without a value": ("property", {"key": "x"}, "value"),
    "a property that is a number": ("property", {"key": "x", "value": 1}, "value"),
    "a long property": ("property", {"key": "x", "value": "x" * 8193}, "value"),
}


@pytest.mark.first_on_server
@pytest.mark.parametrize(("path", "body", "culprit"), REFUSED.values(), ids=REFUSED.keys())
def test_a_body_that_is_refused_names_the_culprit(client: Client, path: str, body: object, culprit: str) -> None:
    method = "PUT" if path == "property" else "POST"
    url = f"/v1/request/{uuid.uuid4()}/{path}"
    status, response = client.service.ask(url, body, key=client.key, method=method)
    assert (status, response["message"]) == (422, "Validation Failed")
    assert all(place.startswith(culprit.partition(":")[0]) for place in response["details"]), response
    assert response["error"].startswith(culprit)


def test_an_id_that_is_none_is_refused(client: Client) -> None:
    assert client.ask("/v1/request/none/feedback", {"rating": True})[0] == 422
    assert put(client, str(uuid.uuid4()), "a", "b", "?created_at=yesterday")[0] == 422


def test_a_request_takes_only_so_many_amendments(client: Client) -> None:
    version = a_record().version
    (request_id,) = client.keep({"version": version | MAX_AMENDMENTS})
    status, response = put(client, request_id, "a", "b")
    assert (status, "4,095" in response["error"]) == (409, True)


@pytest.fixture
def unreachable(tmp_path: Path) -> Iterator[QueryService]:
    with query_service(AwayWarehouse(), tmp_path) as running:
        yield running


def test_what_is_set_while_the_warehouse_is_unavailable_is_in_the_log(unreachable: QueryService) -> None:
    key, request_id = unreachable.key("org-1", Permission.WRITE), str(uuid.uuid4())
    assert unreachable.ask(f"/v1/request/{request_id}/score", {"scores": {"accuracy": 1}}, key=key) == DONE

    async def taken() -> Amendment:
        source = JournalSource(unreachable.journal)
        (delivery,) = await source.take(max_events=10, max_bytes=2**20, wait_s=5)
        await source.close()
        entry = decode_entry(delivery.payload)
        assert isinstance(entry, Amendment)
        return entry

    amendment = asyncio.run(taken())
    assert (amendment.organization_id, amendment.request_id, amendment.created_at) == ("org-1", request_id, None)
    assert (amendment.scores, amendment.recorded_at) == ({"accuracy": 1}, TIMESTAMP + timedelta(days=1))
    assert amendment.key_id
