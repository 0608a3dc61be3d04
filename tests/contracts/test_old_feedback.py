"""The rating of a response as Helicone's older clients send it: to the address that they call models at."""

import json
from typing import Any

import pytest

from schemas.amendment import FEEDBACK, Amendment
from schemas.errors import InvalidRequest
from schemas.log_entry import decode_entry
from services.domain.logging_api.feedback import Rating, parse_rating
from tests.builders.records import ORGANIZATION, REQUEST_ID
from tests.servers.proxy_rig import SECRET, rig


@pytest.mark.parametrize(
    ("sent", "is_good"),
    [
        ({"rating": True}, True),
        ({"rating": False, "comment": "no"}, False),
        ({"is-thumbs-up": True}, True),
        ({"is-thumbs-up": False, "rating": True}, True),
    ],
)
def test_a_rating_has_either_of_its_names(sent: dict[str, Any], is_good: bool) -> None:
    assert parse_rating(json.dumps({"helicone-id": REQUEST_ID} | sent).encode()) == Rating(REQUEST_ID, is_good)


@pytest.mark.parametrize(
    ("sent", "culprit"),
    [
        ({"rating": True}, "helicone-id"),
        ({"helicone-id": "req-1", "rating": True}, "UUID"),
        ({"helicone-id": REQUEST_ID}, "rating"),
        ({"helicone-id": REQUEST_ID, "rating": 5}, "rating"),
        ([], "array"),
    ],
)
def test_what_is_no_rating_is_refused_with_its_culprit(sent: object, culprit: str) -> None:
    with pytest.raises(InvalidRequest, match=culprit):
        parse_rating(json.dumps(sent).encode())


@pytest.mark.anyio
async def test_it_is_an_amendment_in_the_event_log() -> None:
    async with rig() as proxy:
        body = {"helicone-id": REQUEST_ID, "rating": True}
        async with proxy.client() as client:
            taken = await client.post("/v1/feedback", json=body)
            by_key_alone = await client.post(
                "/v1/feedback/", json=body, headers={"Helicone-Auth": "", "Authorization": f"Bearer {SECRET}"}
            )
            refused = await client.post("/v1/feedback", json={"rating": True})
            unknown = await client.post("/v1/feedback", json=body, headers={"Helicone-Auth": "Bearer sk-nobody"})
            wrong = await client.get("/v1/feedback")
        assert (taken.status_code, taken.json()["helicone_id"]) == (200, REQUEST_ID)
        assert by_key_alone.status_code == 200
        assert (refused.status_code, unknown.status_code, wrong.status_code) == (400, 401, 405)
        entries = [decode_entry(entry) for entry in proxy.entries]
    assert len(entries) == 2
    for entry in entries:
        assert isinstance(entry, Amendment)
        assert (entry.organization_id, entry.request_id, entry.scores) == (ORGANIZATION, REQUEST_ID, {FEEDBACK: 1})
