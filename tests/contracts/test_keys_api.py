"""API keys over HTTP: seen by whoever may read, managed by an admin key, and refused once they have ended."""

from typing import Any
from uuid import uuid4

import pytest

from schemas.key import Permission
from services.key_secrets import hash_of
from tests.contracts.test_dashboard_server import FROM_PAGE, SESSION, fetched, signed_in
from tests.servers.querying import Client, QueryService

KEYS = "/v1/api-keys"
NEW = {"api_key_name": "shop"}
TAGS = {"forced": {"team": "search"}, "default": {"Environment": "production"}, "required": ["Feature"]}
OF_HELICONE = "sk-helicone-aizk36y-5yue2my-qmy5tza"


def made(admin: Client, **terms: object) -> dict[str, Any]:
    status, response = admin.ask(KEYS, NEW | terms)
    assert status == 201, response
    data: dict[str, Any] = response["data"]
    return data


def listed(client: Client, query: str = "?include_revoked=true") -> list[dict[str, Any]]:
    status, response = client.ask(f"{KEYS}{query}")
    assert status == 200, response
    keys: list[dict[str, Any]] = response["data"]
    return keys


def sent(client: Client, method: str, path: str, body: object = None) -> tuple[int, Any]:
    return client.service.ask(path, body, key=client.key, method=method)


def status_of(service: QueryService, secret: str) -> tuple[int, str | None]:
    status, response = service.ask(KEYS, key=secret)
    return status, response["error"]


def test_a_key_is_made_in_the_shape_of_helicones_and_its_secret_is_shown_once(admin: Client) -> None:
    new = made(admin, key_permissions="r", tags=TAGS, expires_at="2099-01-01")
    assert new["apiKey"].startswith("sk-helicone-")
    assert new["hashedKey"] == hash_of(new["apiKey"])
    (own, shown) = listed(admin)
    assert shown == new["key"]
    assert (shown["id"], shown["api_key_name"], shown["key_permissions"]) == (new["id"], "shop", "r")
    assert (shown["tags"], shown["expires_at"]) == (TAGS, "2099-01-01T00:00:00.000Z")
    assert (shown["created_by"], shown["state"], shown["is_own"], own["is_own"]) == (own["id"], "active", False, True)
    assert own["created_by"] == "cli"
    assert new["apiKey"] not in str(shown)
    assert status_of(admin.service, new["apiKey"]) == (200, None)


def test_a_secret_of_helicones_is_taken_and_never_repeated(admin: Client) -> None:
    secret = f"{OF_HELICONE}-{uuid4().hex[:7]}"
    new = made(admin, secret=secret, key_permissions="r")
    assert (new["apiKey"], new["hashedKey"], new["key"]["hint"]) == (None, hash_of(secret), secret[-4:])
    assert status_of(admin.service, secret)[0] == 200
    status, response = admin.ask(KEYS, NEW | {"secret": secret})
    assert (status, secret in str(response)) == (409, False)


@pytest.mark.parametrize(
    ("body", "culprit"),
    [
        ({}, "api_key_name"),
        ({"api_key_name": " "}, "api_key_name"),
        ({"key_permissions": "owner"}, "key_permissions"),
        ({"expires_at": "2020-01-01"}, "expires_at"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"secret": "short"}, "secret"),
        ({"secret": "has a space in the middle"}, "a secret has 16 to 256"),
        ({"tags": {"forced": {"a=b": "c"}}}, "'a=b'"),
        ({"tags": {"forced": {"a": "x"}, "default": {"A": "y"}}}, "'a'"),
        ({"organization_id": "another"}, "organization_id"),
    ],
)
def test_what_is_wrong_with_a_new_key_is_named(admin: Client, body: dict[str, object], culprit: str) -> None:
    status, response = admin.ask(KEYS, (NEW | body) if body else {})
    assert status == 422, response
    assert culprit in response["error"]
    assert str(body.get("secret", "no secret")) not in str(response)
    assert len(listed(admin)) == 1


def test_a_rotated_key_takes_both_secrets_and_the_old_one_says_when_it_ended(admin: Client) -> None:
    new = made(admin, key_permissions="r")
    status, response = sent(admin, "POST", f"{KEYS}/{new['id']}/rotate")
    assert (status, response["data"]["id"]) == (200, new["id"])
    second = response["data"]["apiKey"]
    assert [status_of(admin.service, secret)[0] for secret in (new["apiKey"], second)] == [200, 200]
    assert response["data"]["key"]["old_secret_until"] > response["data"]["key"]["rotated_at"]
    _, response = sent(admin, "POST", f"{KEYS}/{new['id']}/rotate", {"overlap_s": 0})
    admin.service.clock.advance(seconds=6)
    for secret in (new["apiKey"], second):
        status, error = status_of(admin.service, secret)
        assert (status, "has a new secret; the old one was valid until" in str(error)) == (401, True)
    assert status_of(admin.service, response["data"]["apiKey"])[0] == 200


def test_a_key_is_renamed_and_revoked_and_then_left_out(admin: Client) -> None:
    new = made(admin)
    status, response = sent(admin, "PATCH", f"{KEYS}/{new['id']}", {"api_key_name": "store"})
    assert (status, response["data"]["api_key_name"], response["data"]["hint"]) == (200, "store", new["apiKey"][-4:])
    status, response = sent(admin, "DELETE", f"{KEYS}/{new['id']}")
    assert (status, response["data"]["state"], response["data"]["revoked_by"]) == (
        200,
        "revoked",
        listed(admin)[0]["id"],
    )
    admin.service.clock.advance(seconds=6)
    assert status_of(admin.service, new["apiKey"]) == (401, "this API key is unknown or revoked")
    assert [key["id"] for key in listed(admin, "")] == [listed(admin)[0]["id"]]
    for method, path, body in (("DELETE", "", None), ("PATCH", "", NEW), ("POST", "/rotate", {})):
        assert sent(admin, method, f"{KEYS}/{new['id']}{path}", body)[0] == 404


CHANGES: list[tuple[str, str, object]] = [
    ("POST", "", NEW),
    ("PATCH", "/{id}", NEW),
    ("POST", "/{id}/rotate", {}),
    ("DELETE", "/{id}", None),
]


@pytest.mark.parametrize("permission", [Permission.READ, Permission.READ_WRITE, Permission.WRITE])
def test_only_an_admin_key_manages_keys(admin: Client, permission: Permission) -> None:
    new = made(admin)
    client = Client(admin.service, admin.organization_id, admin.service.key(admin.organization_id, permission))
    for method, path, body in CHANGES:
        status, response = sent(client, method, KEYS + path.format(id=new["id"]), body)
        assert (status, "create an admin key" in response["error"]) == (403, True)
    assert client.ask(KEYS)[0] == (403 if permission is Permission.WRITE else 200)


def test_nobody_sees_or_changes_the_keys_of_others(admin: Client) -> None:
    new = made(admin)
    other = Client(admin.service, "another", admin.service.key(f"another-{uuid4()}", Permission.ADMIN))
    assert new["id"] not in {key["id"] for key in listed(other)}
    for method, path, body in CHANGES[1:]:
        assert sent(other, method, KEYS + path.format(id=new["id"]), body)[0] == 404


def test_a_session_manages_keys_by_the_page_only_and_ends_with_its_secret(admin: Client) -> None:
    service = admin.service
    session = signed_in(service, admin.key)
    forged = {"Cookie": session["Cookie"]}
    assert fetched(service, "POST", KEYS, NEW, **forged)[0].status == 401
    response, new = fetched(service, "POST", KEYS, NEW | {"key_permissions": "r"}, **session)
    assert response.status == 201
    reader = signed_in(service, new["data"]["apiKey"])
    assert fetched(service, "POST", KEYS, NEW, **reader)[0].status == 403
    rotate = f"{KEYS}/{new['data']['id']}/rotate"
    assert fetched(service, "POST", rotate, {"overlap_s": 0}, **session)[0].status == 200
    service.clock.advance(seconds=6)
    assert fetched(service, "GET", SESSION, **reader)[1]["data"] is None
    response, refusal = fetched(service, "POST", SESSION, {"key": new["data"]["apiKey"]}, **FROM_PAGE)
    assert (response.status, "has a new secret" in refusal["error"]) == (401, True)


def test_what_runs_is_told_to_whoever_may_read(admin: Client) -> None:
    status, response = admin.ask("/v1/system")
    assert status == 200
    system = response["data"]
    assert (system["omit_bodies"], system["missing_tags"], system["capture_bytes"]) == ("none", "refuse", 2**20)
    assert "genai-prices" in system["pricing_release"]
    assert response["seal"]["state"]
