"""Pages by cursor: nothing is left out or shown twice, whatever comes in between two of them."""

import random
import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.record import RequestRecord
from services.domain.cursor import Cursor, digest_of, encode_cursor
from tests.builders.records import TIMESTAMP, a_record
from tests.servers.querying import LIST, Client, QueryService, leaf
from tests.support.examples import examples


def asked(client: Client, **body: object) -> dict[str, Any]:
    status, response = client.ask(LIST, {"filter": "all"} | body)
    assert status == 201, response
    whole: dict[str, Any] = response
    return whole


def refused(client: Client, **body: object) -> str:
    status, response = client.ask(LIST, {"filter": "all"} | body)
    assert status == 422, response
    return str(response["error"])


def a_row(client: Client, draw: random.Random) -> RequestRecord:
    """Timestamps are few, so that many rows have the same."""
    return a_record(
        organization_id=client.organization_id,
        request_id=str(uuid.UUID(int=draw.getrandbits(128))),
        request_created_at=TIMESTAMP + timedelta(milliseconds=draw.randrange(10)),
        cost_usd=Decimal(draw.randrange(10**6)).scaleb(-6),
    )


def corrected(row: RequestRecord, draw: random.Random) -> RequestRecord:
    """Its correction, or the same row once more."""
    values = {name: getattr(row, name) for name in row.__struct_fields__}
    return a_record(**(values | {"version": row.version + draw.randrange(2), "cost_usd": Decimal(1)}))


@given(seed=st.integers(0, 2**32), limit=st.integers(1, 9), direction=st.sampled_from(["asc", "desc"]))
@settings(max_examples=examples(6), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pages_have_every_row_once_while_others_come_in_and_are_corrected(
    service: QueryService, seed: int, limit: int, direction: str
) -> None:
    draw, organization_id = random.Random(seed), f"org-{uuid.uuid4()}"
    client = Client(service, organization_id, service.key(organization_id))
    there = [a_row(client, draw) for _ in range(20)]
    client.insert(there, [])
    shown: list[str] = []
    cursor: str | None = None
    while cursor is not None or not shown:
        page = asked(client, sort={"created_at": direction}, limit=limit, cursor=cursor)
        shown += [row["request_id"] for row in page["data"]]
        assert page["has_more"] == (page["next_cursor"] is not None)
        cursor = page["next_cursor"]
        late = [a_row(client, draw)] if len(shown) < 60 else []
        client.insert([*late, *(corrected(row, draw) for row in draw.sample(there, 3))], [])
    assert len(set(shown)) == len(shown)
    assert {row.request_id for row in there} <= set(shown)


def test_a_page_behind_a_cursor_counts_all_and_may_have_another_limit(client: Client) -> None:
    ids = list(reversed(client.keep(*({"user_id": f"user-{number}"} for number in range(7)))))
    first = asked(client, limit=3)
    assert [row["request_id"] for row in first["data"]] == ids[:3]
    second = asked(client, limit=2, cursor=first["next_cursor"], includeInputs=True)
    assert [row["request_id"] for row in second["data"]] == ids[3:5]
    last = asked(client, limit=1000, cursor=second["next_cursor"])
    assert [row["request_id"] for row in last["data"]] == ids[5:]
    assert [page["total_rows"] for page in (first, second, last)] == [7, 7, 7]
    assert (last["has_more"], last["next_cursor"]) == (False, None)


def test_other_orders_have_no_cursor(client: Client) -> None:
    client.keep({}, {}, {})
    cursor = asked(client, limit=1)["next_cursor"]
    for sort in ({"cost": "desc"}, {"random": True}, {"properties": {"Feature": "asc"}}):
        page = asked(client, sort=sort, limit=1)
        assert (page["has_more"], page["next_cursor"]) == (True, None)
        assert "in the order of created_at only" in refused(client, sort=sort, cursor=cursor)


@pytest.mark.parametrize(
    "changed",
    [
        {"filter": leaf(model={"equals": "other"})},
        {"sort": {"created_at": "asc"}},
        {"timeZone": "Europe/Berlin"},
        {"isScored": False},
    ],
)
def test_a_cursor_of_another_query_is_refused(client: Client, changed: dict[str, object]) -> None:
    client.keep({}, {}, {})
    cursor = asked(client, limit=1)["next_cursor"]
    assert "it belongs to another query" in refused(client, **changed, cursor=cursor)
    assert "without offset" in refused(client, cursor=cursor, offset=1)


def test_a_cursor_that_was_not_given_out_is_refused(client: Client) -> None:
    client.keep({}, {}, {})
    cursor = str(asked(client, limit=1)["next_cursor"])
    other = Client(client.service, "org-other", client.service.key("org-other"))
    assert "no cursor of this Farebox" in refused(other, cursor=cursor)
    forged = Cursor(query=digest_of("requests"), created_at=TIMESTAMP, request_id=str(uuid.uuid4()))
    for wrong in (
        *("", "x", "é", "=", "\x00", "a" * 5000, cursor[:-1], cursor[1:], cursor + "A"),
        *(cursor[:30] + ("A" if cursor[30] != "A" else "B") + cursor[31:],),
        encode_cursor(forged, client.organization_id, b"guessed"),
    ):
        assert "no cursor of this Farebox" in refused(client, cursor=wrong), wrong
