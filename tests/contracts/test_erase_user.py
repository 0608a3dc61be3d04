"""Who wants to be forgotten: what was said is deleted, who said it has a pseudonym, and totals stay as they are."""

import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from schemas.errors import Busy
from schemas.key import Permission
from schemas.record import RequestRecord
from schemas.statement import Statement
from schemas.tables import REQUEST_BODY, REQUEST_RESPONSE, ROLLUP, VALUE, Table
from services.ports.warehouse import LedgerWarehouse
from services.query.fair_warehouse import FairWarehouse
from services.query.users.erase import erase_stored
from services.sql.erasure import compile_erasure
from tests.builders.records import a_record, some_bodies
from tests.servers.querying import Client, QueryService
from tests.servers.warehouses import ask
from tests.support.rolling import rolled_up

ANN = {"user_id": "annabel"}
FIRST_VERSION = 1 << 12
VALUE_OF_ANN = {"amount": 5, "period": "2026", "userId": "annabel"}
REPLACED_ANN = '[{"user_id":"annabel"}]'
REPLACED_CARL = '[{"user_id":"carl"}]'
# Of months that no other test writes, ahead of any TTL: what one insert wrote there is merged with nothing.
MARCH, APRIL = (datetime(2058, month, 14, tzinfo=UTC) for month in (3, 4))


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
    ids = admin.keep(ANN | {"replaced": REPLACED_ANN}, ANN, {"user_id": "bob"}, bodies=said)
    other.keep(ANN, bodies=said)
    admin.ask("/v1/value", {"values": [VALUE_OF_ANN]})
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


@pytest.mark.parametrize("done", range(1, 5))
def test_where_it_broke_off_does_not_matter(admin: Client, done: int) -> None:
    """After so many statements all of them are sent again."""
    keep_one_of_each(admin)
    statements = compile_erasure(admin.organization_id, "annabel", "erased-1")
    assert len(statements) == 5
    for statement in (*statements[:done], *statements):
        asyncio.run(admin.service.warehouse.execute(statement))
    assert not any("annabel" in str(stored(admin, table)) for table in (REQUEST_RESPONSE, REQUEST_BODY, VALUE, ROLLUP))
    assert [row["user_id"] for row in stored(admin, VALUE)] == ["erased-1"]
    assert by_user(admin, "requests") == {"erased-1": [1], "bob": [1]}
    of_users = [row["groups.user_id"] for row in stored(admin, ROLLUP) if row["grain"] == "user"]
    assert [sorted(names) for names in of_users] == [["bob", "erased-1"]]
    assert [row["request_body"] for row in stored(admin, REQUEST_BODY)] == ["what bob asked"]


def keep_one_of_each(client: Client) -> None:
    client.keep(ANN, bodies=("what annabel asked", "what annabel was told"))
    client.keep({"user_id": "bob", "replaced": REPLACED_ANN}, bodies=("what bob asked", "what he was told"))
    client.ask("/v1/value", {"values": [VALUE_OF_ANN]})
    rolled_up(client.service.warehouse, client.organization_id)


def stored(client: Client, table: Table) -> list[dict[str, Any]]:
    """On the disk, in whatever version."""
    sql = f"SELECT * FROM {table.name} WHERE {table.tenant} = {{organization:String}}"
    return ask(client.service.warehouse, sql, organization=client.organization_id)


def test_a_body_goes_whose_row_came_after_the_rows_were_renamed(admin: Client) -> None:
    """The worker writes bodies first."""
    row = a_record(organization_id=admin.organization_id, **ANN)
    admin.insert([], [some_bodies(row, request_body="what annabel asked")])
    warehouse = WrittenMeanwhile(admin.service.warehouse, [row], times=1)
    asyncio.run(erase_stored(admin.organization_id, "annabel", "erased-1", warehouse))
    assert (by_user(admin, "requests"), stored(admin, REQUEST_BODY)) == ({"erased-1": [1]}, [])


def test_rows_that_keep_coming_are_said_to_be_left(admin: Client) -> None:
    row = a_record(organization_id=admin.organization_id, **ANN)
    warehouse = WrittenMeanwhile(admin.service.warehouse, [row], times=3)
    with pytest.raises(Busy, match="send it again"):
        asyncio.run(erase_stored(admin.organization_id, "annabel", "erased-1", warehouse))


class WrittenMeanwhile(FairWarehouse):
    """Others write rows after each renaming of rows, so many times."""

    def __init__(self, warehouse: LedgerWarehouse, rows: list[RequestRecord], times: int) -> None:
        super().__init__(warehouse)
        self._others = warehouse
        self._rows = rows
        self._times = times

    async def execute(self, statement: Statement) -> None:
        await super().execute(statement)
        if self._times and f"{REQUEST_RESPONSE.name} UPDATE user_id" in statement.sql:
            self._times -= 1
            await self._others.insert(self._rows, [])


@pytest.mark.parametrize(("erased", "month", "left"), [("annabel", MARCH, ["what bob asked"]), ("bob", APRIL, [])])
def test_the_bodies_of_a_call_that_another_user_logged_again(
    admin: Client, erased: str, month: datetime, left: list[str]
) -> None:
    """Each log has bodies, and those of the first, which was amended, are on the disk until parts are merged."""
    key = {"organization_id": admin.organization_id, "request_created_at": month}
    versions = ((FIRST_VERSION, "annabel"), (2 * FIRST_VERSION, "bob"))
    first, second = (a_record(**key, version=version, user_id=user) for version, user in versions)
    amended = msgspec.structs.replace(first, version=first.version + 1)
    said = [some_bodies(row, request_body=f"what {row.user_id} asked") for row in (first, second)]
    admin.insert([amended, second], said)
    assert admin.ask("/v1/user/erase", {"userId": erased})[0] == 200
    assert [row["request_body"] for row in stored(admin, REQUEST_BODY)] == left


def test_a_user_who_is_named_elsewhere_only_is_erased_too(admin: Client) -> None:
    admin.ask("/v1/value", {"values": [VALUE_OF_ANN]})
    status, response = admin.ask("/v1/user/erase", {"userId": "annabel"})
    assert (status, response["data"]["requests"]) == (200, 0)
    assert [row["user_id"] for row in stored(admin, VALUE)] == [response["data"]["pseudonym"]]
    other = replace(admin, organization_id=f"{admin.organization_id}-2")
    other = replace(other, key=other.service.key(other.organization_id, Permission.ADMIN))
    other.keep({"user_id": "bob", "replaced": REPLACED_ANN}, {"user_id": "bob", "replaced": REPLACED_CARL})
    status, response = other.ask("/v1/user/erase", {"userId": "annabel"})
    assert (status, response["data"]["requests"]) == (200, 0)
    assert {row["replaced"] for row in stored(other, REQUEST_RESPONSE)} == {"", REPLACED_CARL}
    assert by_user(other, "requests") == {"bob": [2]}


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
