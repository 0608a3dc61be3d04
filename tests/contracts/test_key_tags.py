"""Keys with tags, before real sockets: what is forced holds, what is required is required, in calls and in logs."""

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.event import ExchangeEvent
from schemas.key import KeyTags, MissingTags, Permission
from schemas.record import RequestRecord
from services.domain.enrich import to_record
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.shipped_prices.book import ShippedPrices
from services.stores.state.api_keys import SqlKeyStore
from services.stores.state.migrations.run import migrate_state
from tests.builders.logged_calls import a_log
from tests.contracts.test_one_base_url import logged, posted
from tests.servers.plain_http import TRUSTS_NOBODY
from tests.servers.proxy_rig import SECRET, Rig, rig
from tests.servers.querying import query_service
from tests.support.command_line import farebox

pytestmark = pytest.mark.anyio

CHAT, LOG = "/oai/v1/chat/completions", "/oai/v1/log"
PLAIN = {"model": "gpt-4o-mini", "messages": [], "user": "of-the-body"}
FORCED = KeyTags(forced={"Team": "search", "Helicone-User-Id": "bot"})
REQUIRED = KeyTags(default={"Environment": "production"}, required=("Feature", "Environment"))
SPELLINGS = (
    *("Helicone-Property-Team", "helicone-property-team", "HELICONE-PROPERTY-TEAM", "Helicone-Property-tEAM"),
    *("Helicone-User-Id", "helicone-user-id"),
)
SNAKE_CASE = ("helicone_property_Team", "helicone_property_TEAM", "helicone_user_id")


def row_of(event: ExchangeEvent) -> RequestRecord:
    return to_record(event, ShippedPrices())[0]


async def post(proxy: Rig, path: str, body: object, headers: Mapping[str, str] | None = None) -> httpx.Response:
    own = {"Authorization": f"Bearer {SECRET}"} if path == LOG else {"Helicone-Auth": f"Bearer {SECRET}"}
    async with httpx.AsyncClient(base_url=proxy.url, timeout=10, trust_env=False, verify=TRUSTS_NOBODY) as client:
        return await client.post(path, json=body, headers=own | dict(headers or {}))


async def test_no_spelling_in_a_header_or_a_log_gets_past_a_forced_tag() -> None:
    async with rig() as proxy:
        proxy.keys.tags[SECRET] = FORCED
        for spelled in SPELLINGS:
            assert (await post(proxy, CHAT, PLAIN, {spelled: "theirs"})).status_code == 200
            assert (await post(proxy, LOG, a_log(requested=PLAIN), {spelled: "theirs"})).status_code == 200
        for spelled in (*SPELLINGS, *SNAKE_CASE):
            payload = a_log(
                requested=PLAIN | {"metadata": {"team": "theirs"}}, meta={spelled: "theirs", "team": "theirs"}
            )
            assert (await post(proxy, LOG, payload)).status_code == 200
        every = [(name.encode(), b"theirs") for name in SPELLINGS]
        async with proxy.client() as client:
            await client.post(CHAT, json=PLAIN, headers=every)
        for event in await proxy.events(2 * len(SPELLINGS) + len(SPELLINGS) + len(SNAKE_CASE) + 1):
            row = row_of(event)
            assert (row.properties, row.property_spellings, row.user_id) == ({"team": "search"}, ["Team"], "bot")


async def test_a_missing_required_tag_is_refused_by_name_before_a_byte_leaves() -> None:
    async with rig() as proxy:
        proxy.keys.tags[SECRET] = REQUIRED
        for path, body in ((CHAT, PLAIN), (LOG, a_log()), ("/v1/trace/custom/v1/log", a_log())):
            for headers in ({}, {"Helicone-Property-Feature": ""}, {"Helicone-Property-Featur": "x"}):
                sent = headers | {"Authorization": f"Bearer {SECRET}"}
                refused = await post(proxy, path, body, sent)
                assert refused.status_code == 400, path
                assert refused.json()["error"]["code"] == "missing_tag"
                assert "'Feature'" in refused.json()["error"]["message"]
        assert (proxy.provider.heads, proxy.provider.connections) == ([], 0)
        await proxy.events(0)
        assert proxy.metrics.get("proxy_refused_total") == 9
        async with proxy.client() as client:
            assert (await client.post(CHAT, json=PLAIN)).status_code == 400
            tagged = await client.post(CHAT, json=PLAIN, headers={"helicone-property-FEATURE": "chat"})
            assert tagged.status_code == 200, "the connection can be used again"
        assert row_of(await proxy.event()).properties == {"feature": "chat", "environment": "production"}


async def test_a_request_id_that_was_refused_can_be_used_again() -> None:
    id_ = "0192f0c1-2a00-7abc-8def-0123456789ab"
    async with rig() as proxy:
        proxy.keys.tags[SECRET] = REQUIRED
        assert (await post(proxy, CHAT, PLAIN, {"Helicone-Request-Id": id_})).status_code == 400
        headers = {"Helicone-Request-Id": id_, "Helicone-Property-Feature": "chat"}
        assert (await post(proxy, CHAT, PLAIN, headers)).headers["helicone-id"] == id_


async def test_by_setting_a_missing_required_tag_is_recorded_as_unattributed() -> None:
    async with rig(missing_tags=MissingTags.UNATTRIBUTED) as proxy:
        proxy.keys.tags[SECRET] = REQUIRED
        assert (await post(proxy, CHAT, PLAIN)).status_code == 200
        assert (await post(proxy, LOG, a_log())).status_code == 200
        for event in await proxy.events(2):
            assert row_of(event).properties == {"feature": "unattributed", "environment": "production"}


async def test_a_key_without_tags_leaves_what_is_sent_as_it_is() -> None:
    async with rig() as proxy:
        await post(proxy, CHAT, PLAIN, {"Helicone-Property-Team": "theirs"})
        assert row_of(await proxy.event()).properties == {"team": "theirs"}


def test_tags_hold_for_what_is_logged_to_the_query_service(
    embedded_warehouse: ClickHouseWarehouse, tmp_path: Path, organization_id: str
) -> None:
    def key(tags: KeyTags) -> str:
        made = service.keys.create_key(
            organization_id=organization_id, name="tagged", permission=Permission.READ_WRITE, tags=tags
        )
        return asyncio.run(made)[1]

    with query_service(embedded_warehouse, tmp_path) as service:
        payload = a_log(meta={"helicone_property_TEAM": "theirs", "Helicone-User-Id": "theirs"})
        assert posted(service, LOG, payload, key(FORCED))[0] == 200
        status, text, _ = posted(service, LOG, payload, key(REQUIRED))
        assert (status, "missing_tag" in text, "'Feature'" in text) == (400, True, True)
        (event,) = logged(service)
    assert (row_of(event).properties, row_of(event).user_id) == ({"team": "search"}, "bot")


def test_the_tags_of_a_key_are_kept_by_both_databases(state_url: str, organization_id: str) -> None:
    asyncio.run(migrate_state(state_url))

    async def kept(tags: KeyTags | None) -> Any:
        store = SqlKeyStore(state_url)
        try:
            made, secret = await store.create_key(
                organization_id=organization_id, name="k", permission=Permission.WRITE, tags=tags
            )
            assert made.tags == tags
            found = await store.key_of(secret)
            assert found is not None
            # Its use is written meanwhile, so when it was used last may differ.
            assert {key.id: key.tags for key in await store.list_keys(organization_id)}[found.id] == tags
            return found.tags
        finally:
            await store.close()

    for tags in (None, FORCED, REQUIRED, KeyTags(forced={"Käse": "ä'\"\\"})):
        assert asyncio.run(kept(tags)) == tags


def test_a_key_is_made_with_tags_and_listed_with_them(tmp_path: Path) -> None:
    here = ("--data", str(tmp_path))
    typed = ("--force", "team=search", "--force", "Cost-Center=[b]7", "--default", "Environment=production")
    made = farebox("keys", "create", *typed, "--require", "Feature", "--require", "Helicone-User-Id", *here)
    assert re.fullmatch(r"sk-helicone(-[a-z0-9]{7}){4}", made.stdout.strip()), made.stderr
    listed = " ".join(farebox("keys", "list", *here).stdout.split())
    assert (
        "forces team=search, Cost-Center=[b]7; defaults to Environment=production; requires Feature, Helicone-User-Id"
    ) in listed
    refused = farebox("keys", "create", "--force", "team", *here)
    assert (refused.returncode, "'team' is not NAME=VALUE" in refused.stderr) == (1, True)
