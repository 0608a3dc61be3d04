"""A request with billed attempts, from the client's socket through a worker to what the query service shows of it."""

import asyncio
import uuid
from decimal import Decimal
from pathlib import Path

from schemas.key import Permission
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.memory import ManualClock
from tests.builders.records import TIMESTAMP, chat_response
from tests.contracts.test_proxy_retries import ANSWER, BILLED, CHAT, GAVE_UP, PLAIN, RETRY
from tests.servers.proxy_rig import SECRET, rig
from tests.servers.querying import Client, leaf, query_service
from tests.servers.scripted_provider import http_response
from tests.support.rolling import rolled_up
from tests.support.working import work_through

ALONE = http_response(chat_response(model="gpt-4o-2024-08-06", prompt=1_000, cached=0, completion=0))
MEASURES = [
    *("requests", "attempts", "cost_usd", "unpriced_requests", "errors", "error_rate", "requests_without_usage"),
    *("priced_request_share", "requests_per_user", "cost_per_user_usd", "active_users"),
]
PERIOD = {"start": "2020-01-01T00:00:00Z", "end": "2099-01-01T00:00:00Z"}


def test_the_attempts_of_a_call_are_rows_that_add_up(embedded_warehouse: ClickHouseWarehouse, tmp_path: Path) -> None:
    organization_id = f"org-{uuid.uuid4()}"

    async def through_the_proxy() -> tuple[str, list[bytes]]:
        async with rig(clock=ManualClock(TIMESTAMP)) as proxy, proxy.client() as client:
            proxy.keys.known = {SECRET: (organization_id, Permission.READ_WRITE)}
            proxy.provider.scripts = [[BILLED], [GAVE_UP], [ANSWER], [ALONE]]
            headers = RETRY | {"Helicone-User-Id": "ann", "Helicone-Session-Id": "s1"}
            got = await client.post(CHAT, json=PLAIN, headers=headers)
            await client.post(CHAT, json=PLAIN, headers=headers)
            await proxy.events(4)
            return got.headers["Helicone-Id"], proxy.entries

    call_id, entries = asyncio.run(through_the_proxy())
    work_through(embedded_warehouse, entries)
    with query_service(embedded_warehouse, tmp_path) as service:
        client = Client(service, organization_id, service.key(organization_id, Permission.READ_WRITE))
        for _ in range(2):
            total = client.report(measures=MEASURES, by=[{"column": "user_id"}], timeFilter=PERIOD)["total"]
            assert (
                total
                | {
                    "requests": 2,
                    "attempts": 4,
                    "cost_usd": Decimal("0.04"),
                    "unpriced_requests": 1,
                    "priced_request_share": Decimal("0.75"),
                    "requests_without_usage": 1,
                    "errors": 0,
                    "error_rate": 0,
                    "requests_per_user": 2,
                    "cost_per_user_usd": Decimal("0.04"),
                    "active_users": 1,
                }
                == total
            )
            rolled_up(embedded_warehouse, organization_id)
        attempts = client.page(leaf(attempt_of={"equals": call_id}), sort={"created_at": "asc"})
        assert [one["cost_usd"] for one in attempts] == [Decimal("0.0025"), None]
        assert [one["outcome"] for one in attempts] == ["provider_error"] * 2
        assert {one["attempt_of"] for one in attempts} == {call_id}
        assert client.ids(leaf(is_attempt={"equals": True}), sort={"created_at": "asc"}) == [
            one["request_id"] for one in attempts
        ]
        assert len(client.ids(leaf(is_attempt={"equals": False}))) == 2
        status, one = client.ask(f"/v1/request/{call_id}")
        assert (status, one["data"]["attempt_of"], one["data"]["cost_usd"]) == (200, None, Decimal("0.035"))
        assert client.ask("/v1/request/count/query", {"filter": "all"})[1]["data"] == 4
        summary = client.summary("?start=2020-01-01T00:00:00Z&end=2099-01-01T00:00:00Z")["total"]
        assert (summary["requests"], summary["attempts"], summary["cost_usd"]) == (2, 4, Decimal("0.04"))
