"""The documentation that the query service gives of itself: it is there without the internet, and it is true."""

import asyncio
import contextlib
import http.client
import json
from typing import Any

import pytest

from schemas.key import Permission
from schemas.statement import Statement
from tests.servers.querying import LIST, AwayWarehouse, Client, query_service

EVERYTHING = {"filter": "all"}
NOBODY = "01932c07-2a00-7000-8000-000000000009"
RUN = {"model": "*", "since": "7d", "dry_run": True}

Schema = dict[str, Any]


def shown_at(client: Client, path: str) -> tuple[http.client.HTTPResponse, str]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", client.service.port, timeout=60)) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        return response, response.read().decode()


def test_it_needs_no_internet(client: Client) -> None:
    response, page = shown_at(client, "/docs")
    assert response.status == 200
    assert "swagger-ui-bundle.js" in page
    assert "https://" not in page


def test_who_opens_the_address_alone_is_led_to_the_dashboard(client: Client) -> None:
    response, _ = shown_at(client, "/")
    assert (response.status, response.headers["Location"]) == (307, "/dashboard/")


def fits(value: object, schema: Schema, documentation: Schema) -> bool:
    """Whether `value` is what `schema` says, and says no more than that."""
    if "$ref" in schema:
        return fits(value, documentation["components"]["schemas"][schema["$ref"].rpartition("/")[2]], documentation)
    if "const" in schema:
        return bool(value == schema["const"])
    if schema.get("type") != "object":
        return value is None if schema["type"] == "null" else isinstance(value, str)
    assert isinstance(value, dict)
    if "properties" not in schema:
        return all(fits(one, schema["additionalProperties"], documentation) for one in value.values())
    fields: dict[str, Schema] = schema["properties"]
    return set(value) == set(fields) and all(fits(value[name], fields[name], documentation) for name in fields)


REFUSED: list[tuple[int, str, str, object]] = [
    (401, "post", LIST, EVERYTHING),
    (401, "get", "/v1/reprice", None),
    (403, "post", LIST, EVERYTHING),
    (403, "post", "/v1/prices", {"model": "x"}),
    (404, "get", "/v1/request/{request_id}", None),
    (404, "get", "/v1/request/{request_id}/cost", None),
    (404, "post", "/v1/prices/{price_id}/end", {}),
    (404, "post", "/v1/reprice/{reprice_id}/undo", {}),
    (422, "post", LIST, {}),
    (422, "post", LIST, {"filter": {"request_response_rmt": {"colour": {"equals": "red"}}}}),
    (422, "post", "/v1/report", b"{"),
    (422, "get", "/v1/report/summary?since=x", None),
    (422, "get", "/v1/prices?at=x", None),
]


@pytest.mark.parametrize(("status", "method", "path", "body"), REFUSED)
def test_a_refusal_looks_as_it_says(client: Client, status: int, method: str, path: str, body: object) -> None:
    permission = Permission.WRITE if status == 403 else Permission.ADMIN
    key = "" if status == 401 else client.service.key(client.organization_id, permission)
    requested = path.replace("{request_id}", NOBODY).replace("{price_id}", NOBODY).replace("{reprice_id}", NOBODY)
    responded, refusal = client.service.ask(requested, body, key=key)
    assert responded == status
    documentation = json.loads(shown_at(client, "/openapi.json")[1])
    reported = documentation["paths"][path.partition("?")[0]][method]["responses"][str(status)]
    assert fits(refusal, reported["content"]["application/json"]["schema"], documentation), refusal


def test_a_run_that_changed_nothing_cannot_be_undone_which_is_reported_as_it_says(client: Client) -> None:
    key = client.service.key(client.organization_id, Permission.ADMIN)
    _, run = client.service.ask("/v1/reprice", RUN, key=key)
    status, refusal = client.service.ask(f"/v1/reprice/{run['data']['id']}/undo", {}, key=key)
    documentation = json.loads(shown_at(client, "/openapi.json")[1])
    reported = documentation["paths"]["/v1/reprice/{reprice_id}/undo"]["post"]["responses"]["409"]
    assert status == 409
    assert fits(refusal, reported["content"]["application/json"]["schema"], documentation), refusal


def test_each_path_says_all_that_any_query_may_return(client: Client) -> None:
    documentation = json.loads(shown_at(client, "/openapi.json")[1])
    for path, methods in documentation["paths"].items():
        for operation in methods.values():
            needed = {"401", "403", "503"} if path.startswith("/v1/") else set()
            if path == "/v1/request/{request_id}/body":  # without a key
                needed.remove("401")
            assert needed <= set(operation["responses"]), path
            assert ("413" in operation["responses"]) == ("requestBody" in operation), path
    assert LIST in documentation["paths"]
    assert "HTTPValidationError" not in documentation["components"]["schemas"]


class SilentWarehouse(AwayWarehouse):
    """A warehouse that takes for ever."""

    async def query(self, _: Statement) -> list[dict[str, Any]]:
        await asyncio.Event().wait()
        return []


def test_a_run_that_goes_on_gets_a_response_with_202_as_it_says(tmp_path_factory: pytest.TempPathFactory) -> None:
    with query_service(SilentWarehouse(), tmp_path_factory.mktemp("state")) as service:
        key = service.key("org-1", Permission.ADMIN)
        status, run = service.ask("/v1/reprice", RUN, key=key)
        _, documentation = service.ask("/openapi.json", key="")
    reported = documentation["paths"]["/v1/reprice"]["post"]["responses"]
    assert (status, run["data"]["state"]) == (202, "running")
    assert reported["202"]["content"] == reported["200"]["content"]
