"""`signed_body_url`, as Helicone's export tool and its MCP server follow it: without a key or other headers."""

import asyncio
import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from services.domain.assembly.stream import TRUNCATED
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.state.migrations.run import migrate_state
from services.stores.state.secrets import SqlSecrets
from tests.golden.test_assembly import TOOL_CALLS, read
from tests.servers.querying import LIST, Client, query_service

# What the export tool sends, whatever its options are.
EXPORT = {
    "filter": "all",
    "isCached": False,
    "limit": 1000,
    "offset": 0,
    "sort": {"created_at": "desc"},
    "includeInputs": False,
    "isScored": False,
    "isPartOfExperiment": False,
}


def fetched(url: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.loads(refusal.read())


def changed(url: str, **said: object) -> str:
    parts = urlsplit(url)
    return parts._replace(query=urlencode(dict(parse_qsl(parts.query)) | said)).geturl()


def test_an_export_finds_the_bodies_behind_the_urls_of_its_page(client: Client) -> None:
    ids = client.keep({}, {}, bodies=('{"model": "gpt-4o"}', "plain"))
    status, response = client.ask(LIST, EXPORT)
    assert (status, [row["request_id"] for row in response["data"]]) == (201, ids[::-1])
    for row in response["data"]:
        assert (row["request_body"], row["response_body"]) == (None, None)
        assert fetched(row["signed_body_url"]) == (200, {"request": {"model": "gpt-4o"}, "response": "plain"})
        assert client.key not in row["signed_body_url"]


def test_one_request_and_requests_by_id_have_their_url_too(client: Client) -> None:
    (request_id,) = client.keep({}, bodies=("{}", "{}"))
    (listed,) = client.page()
    (by_id,) = client.ask("/v1/request/query-ids", {"requestIds": [request_id]})[1]["data"]
    alone = client.ask(f"/v1/request/{request_id}")[1]["data"]
    assert listed["signed_body_url"] == by_id["signed_body_url"] == alone["signed_body_url"]


def test_bodies_that_are_not_stored_are_null_so_that_no_client_tries_again(client: Client) -> None:
    client.keep({})
    assert fetched(client.page()[0]["signed_body_url"]) == (200, {"request": None, "response": None})


def test_a_url_is_good_for_its_request_only_and_says_why_it_is_not(client: Client) -> None:
    (_, other) = client.keep({}, {}, bodies=("{}", "{}"))
    url = client.page()[1]["signed_body_url"]
    signature = dict(parse_qsl(urlsplit(url).query))["signature"]
    forged = [
        url.replace(client.page()[1]["request_id"], other),
        changed(url, organization="another"),
        changed(url, created_at=client.page()[0]["request_created_at"]),
        changed(url, expires=9_999_999_999),
        changed(url, signature=signature[:-1]),
        changed(url, signature=signature.swapcase()),
        changed(url, signature=""),
        changed(url, signature="é" * 43),
    ]
    for one in forged:
        status, refusal = fetched(one)
        assert (status, "not signed" in refusal["error"]) == (403, True), one
    assert fetched(url)[0] == 200


@pytest.mark.parametrize("missing", ["organization", "created_at", "expires", "signature"])
def test_a_url_that_lacks_a_part_is_refused(client: Client, missing: str) -> None:
    client.keep({})
    parts = urlsplit(client.page()[0]["signed_body_url"])
    said = [(name, value) for name, value in parse_qsl(parts.query) if name != missing]
    assert fetched(parts._replace(query=urlencode(said)).geturl())[0] == 422


def test_a_url_expires_after_half_an_hour(client: Client) -> None:
    client.keep({})
    url = client.page()[0]["signed_body_url"]
    clock = client.service.clock
    try:
        clock.advance(seconds=1800)
        assert fetched(url)[0] == 200
        clock.advance(seconds=1)
        status, refusal = fetched(url)
        assert (status, "expired" in refusal["error"]) == (403, True)
    finally:
        clock.advance(seconds=-1801)


def test_a_stream_is_shown_as_one_response_and_as_its_events_when_asked(client: Client) -> None:
    (request_id,) = client.keep({"is_stream": True}, bodies=("{}", TOOL_CALLS.decode()))
    (row,) = client.page(includeInputs=True)
    assert row["response_body"] == read(TOOL_CALLS)
    assert fetched(row["signed_body_url"]) == (200, {"request": {}, "response": read(TOOL_CALLS)})
    assert client.ask(f"/v1/request/{request_id}?includeBody=true")[1]["data"]["response_body"] == read(TOOL_CALLS)
    raw = TOOL_CALLS.decode()
    assert client.page(includeInputs=True, rawEvents=True)[0]["response_body"] == raw
    assert client.ask(f"/v1/request/{request_id}?includeBody=true&rawEvents=true")[1]["data"]["response_body"] == raw
    assert fetched(changed(row["signed_body_url"], rawEvents="true"))[1]["response"] == raw


def test_a_stream_that_broke_off_says_so_and_what_is_no_stream_stays_as_it_is(client: Client) -> None:
    client.keep({"is_stream": True}, bodies=("{}", TOOL_CALLS[: len(TOOL_CALLS) // 2].decode()))
    assert client.page(includeInputs=True)[0]["response_body"][TRUNCATED] is True
    client.keep({"is_stream": False, "user_id": "plain"}, bodies=("{}", TOOL_CALLS.decode()))
    (row,) = client.page({"request_response_rmt": {"user_id": {"equals": "plain"}}}, includeInputs=True)
    assert row["response_body"] == TOOL_CALLS.decode()


def test_every_row_has_a_response_id_of_its_own_which_never_changes(client: Client) -> None:
    client.keep({}, {}, {})
    first, again = ([row["response_id"] for row in client.page()] for _ in range(2))
    assert first == again
    assert len({uuid.UUID(one) for one in first}) == 3
    assert not set(first) & set(client.ids())


@pytest.fixture
def stores(state_url: str) -> Iterator[list[SqlSecrets]]:
    asyncio.run(migrate_state(state_url))
    stores = [SqlSecrets(state_url) for _ in range(4)]
    yield stores
    for store in stores:
        asyncio.run(store.close())


def test_replicas_sign_by_the_same_secret_however_many_start_at_once(stores: list[SqlSecrets]) -> None:
    async def requested() -> list[bytes]:
        return await asyncio.gather(*(store.secret("a test") for store in stores for _ in range(3)))

    drawn = asyncio.run(requested())
    assert (len(drawn), len(set(drawn)), len(drawn[0])) == (12, 1, 32)
    assert asyncio.run(stores[0].secret("another")) != drawn[0]


def test_a_configured_address_stands_in_the_urls(tmp_path: Path, embedded_warehouse: ClickHouseWarehouse) -> None:
    with query_service(embedded_warehouse, tmp_path, public_url="https://costs.example/api/") as service:
        client = Client(service, str(uuid.uuid4()), "")
        client.keep({})
        _, response = service.ask(LIST, {"filter": "all"}, key=service.key(client.organization_id))
    assert response["data"][0]["signed_body_url"].startswith("https://costs.example/api/v1/request/")
