"""Who wants to be forgotten: what was said is deleted, who said it has a pseudonym, and totals stay as they are."""

import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from schemas.key import Permission
from tests.servers.querying import Client, QueryService

ANN = {"user_id": "annabel"}


@pytest.fixture
def admin(service: QueryService, organization_id: str) -> Client:
    """On both shapes of the warehouse."""
    return Client(service, organization_id, service.key(organization_id, Permission.ADMIN))


def by_user(client: Client, *measures: str) -> dict[str, list[Any]]:
    rows = client.report(measures=list(measures), by=[{"column": "user_id"}])["rows"]
    return {row["by"][0]: [row["measures"][name] for name in measures] for row in rows}


def test_what_a_user_said_is_deleted_and_what_it_cost_stays(admin: Client) -> None:
    other = replace(admin, organization_id=f"{admin.organization_id}-2")
    said = ("what annabel asked", "what she was told")
    ids = admin.keep(ANN | {"replaced": "[annabel]"}, ANN, {"user_id": "bob"}, bodies=said)
    other.keep(ANN, bodies=said)
    admin.ask("/v1/value", {"values": [{"amount": 5, "period": "2026", "userId": "annabel"}]})
    before = by_user(admin, "cost_usd", "requests", "value_usd")
    status, response = admin.ask("/v1/user/erase", {"userId": "annabel"})
    pseudonym = response["data"]["pseudonym"]
    assert (status, response["data"]) == (200, {"requests": 2, "pseudonym": pseudonym})
    assert by_user(admin, "cost_usd", "requests", "value_usd") == {pseudonym: before["annabel"], "bob": before["bob"]}
    stored = admin.page(includeInputs=True)
    assert "annabel" not in str([row for row in stored if row["request_user_id"] != "bob"])
    assert [row["replaced"] for row in stored] == [[], [], []]
    assert {row["request_id"]: row["request_body"] is None for row in stored} == dict(
        zip(ids, (True, True, False), strict=True)
    )
    theirs = Client(admin.service, other.organization_id, admin.service.key(other.organization_id))
    assert [row["request_user_id"] for row in theirs.page()] == ["annabel"]
    assert theirs.page(includeInputs=True)[0]["request_body"] is not None
    assert admin.ask("/v1/user/erase", {"userId": "anna"})[0] == 404


def test_what_came_later_is_erased_to_the_same_pseudonym(admin: Client) -> None:
    admin.keep(ANN)
    first = admin.ask("/v1/user/erase", {"userId": "annabel"})[1]["data"]
    admin.keep(ANN)
    assert admin.ask("/v1/user/erase", {"userId": "annabel"})[1]["data"] == {**first, "requests": 2}
    assert by_user(admin, "requests") == {first["pseudonym"]: [2]}


def test_only_an_administrator_erases_and_a_command_does(admin: Client) -> None:
    admin.keep(ANN)
    for permission in (Permission.READ, Permission.READ_WRITE):
        key = admin.service.key(admin.organization_id, permission)
        assert admin.service.ask("/v1/user/erase", {"userId": "annabel"}, key=key)[0] == 403
    command = [sys.executable, "-m", "services.cli", "erase", "annabel", "--key", admin.key]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FAREBOX_")}
    environ["FAREBOX_URL"] = f"http://127.0.0.1:{admin.service.port}"
    asked = subprocess.run(command, check=False, capture_output=True, text=True, env=environ, input="n\n")
    assert (asked.returncode, list(by_user(admin, "requests"))) == (1, ["annabel"]), asked
    printed = subprocess.run([*command, "--yes"], check=False, capture_output=True, text=True, env=environ)
    (pseudonym,) = by_user(admin, "requests")
    expected = f"erased: the bodies of 1 request are deleted, and the user is {pseudonym} from now on\n"
    assert printed.stdout == expected, printed.stderr
