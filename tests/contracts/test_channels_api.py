"""Channels and scheduled reports over HTTP, and the reports that come of them: once each, with exact numbers."""

import asyncio
import json
import re
import uuid
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
import pytest
from sqlalchemy import Connection, select

from schemas.key import Permission
from schemas.notice import Notice
from schemas.price import CostState
from schemas.scheduled_report import ScheduledReport
from schemas.seal import Seal, SealState
from services.domain.messages.content import content_of
from services.domain.messages.render import mail_of
from services.query.reports.scheduled import ReportEngine
from services.scheduler.reports import Reports
from services.stores.state.database import Database
from services.stores.state.scheduled_reports import SqlScheduledReports
from services.stores.state.tables import NOTICE
from services.telemetry.metrics import Metrics
from tests.builders.records import TIMESTAMP
from tests.servers.querying import Client, QueryService, leaf

T = TypeVar("T")

MAIL = {"name": "finance", "kind": "email", "recipients": ["finance@example.com"]}
HOOK = {"name": "hook", "kind": "webhook", "url": "https://receiver.example.com/canarypath?key=canaryquery"}


@pytest.fixture
def writer(embedded_service: QueryService, organization_id: str) -> Client:
    return Client(embedded_service, organization_id, embedded_service.key(organization_id, Permission.READ_WRITE))


def asked(client: Client, path: str, body: object = None, method: str | None = None, status: int = 200) -> Any:
    got, content = client.service.ask(path, body, key=client.key, method=method)
    assert got == status, content
    return content["data"] if status < 400 else content["error"]


def test_a_channel_is_shown_without_its_secrets_from_the_first_response_on(admin: Client, writer: Client) -> None:
    added = asked(admin, "/v1/channels", HOOK, status=201)
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/=]{44}", added.pop("signing_key"))
    assert added["server"] == "https://receiver.example.com"
    mail = asked(admin, "/v1/channels", MAIL, status=201)
    assert (mail.pop("signing_key"), mail["recipients"]) == (None, ["finance@example.com"])
    assert (mail["kept_secrets"], added["kept_secrets"]) == ([], ["url", "signing_key"])
    assert asked(writer, "/v1/channels") == [one | {"last_delivery": None} for one in (mail, added)]
    assert "canary" not in json.dumps([added, mail], default=str)


def test_only_an_admin_key_of_the_organization_changes_channels(
    admin: Client, writer: Client, embedded_service: QueryService
) -> None:
    channel = asked(admin, "/v1/channels", MAIL, status=201)
    path = f"/v1/channels/{channel['id']}"
    stranger_id = f"org-{uuid.uuid4()}"
    stranger = Client(embedded_service, stranger_id, embedded_service.key(stranger_id, Permission.ADMIN))
    asked(writer, "/v1/channels", {**MAIL, "name": "another"}, status=403)
    asked(writer, path, method="DELETE", status=403)
    asked(writer, f"{path}/test", {}, status=403)
    for method, below in (("DELETE", ""), ("POST", "/test"), ("GET", "/deliveries")):
        asked(stranger, f"{path}{below}", method=method, status=404)
    asked(admin, "/v1/channels", MAIL, status=409)
    assert "recipients" in asked(admin, "/v1/channels", {"name": "x", "kind": "email"}, status=422)
    refused = asked(admin, "/v1/channels", {**HOOK, "name": "x", "url": "http://10.0.0.5/canary"}, status=422)
    assert "canary" not in refused


def test_a_change_leaves_what_is_not_given(admin: Client) -> None:
    hook = asked(admin, "/v1/channels", HOOK, status=201)
    path = f"/v1/channels/{hook['id']}"
    renamed = asked(admin, path, {"name": "renamed"}, method="PATCH")
    assert (renamed["name"], renamed["server"], renamed["signing_key"]) == ("renamed", hook["server"], None)
    moved = asked(admin, path, {"url": "https://other.example.com/"}, method="PATCH")
    assert (moved["name"], moved["server"]) == ("renamed", "https://other.example.com")
    assert moved["signing_key"].startswith("whsec_")
    assert "recipients" in asked(admin, path, {"recipients": ["a@b.com"]}, method="PATCH", status=422)
    assert asked(admin, path, method="DELETE") is not None
    asked(admin, path, {"name": "gone"}, method="PATCH", status=404)


def test_a_test_is_put_on_its_way_and_its_log_is_shown(admin: Client) -> None:
    channel = asked(admin, "/v1/channels", MAIL, status=201)
    path = f"/v1/channels/{channel['id']}"
    delivery = asked(admin, f"{path}/test", {}, status=202)
    assert (delivery["state"], delivery["kind"], delivery["attempts"]) == ("waiting", "test", [])
    assert asked(admin, f"{path}/deliveries") == [delivery]
    admin.service.clock.advance(seconds=1)
    second = asked(admin, f"{path}/test", {}, status=202)
    [listed] = asked(admin, "/v1/channels")
    assert listed["last_delivery"] == second
    admin.service.clock.advance(seconds=-1)
    asked(admin, path, method="DELETE")


class Sent:
    """What the scheduler makes of the reports of one organization."""

    def __init__(self, client: Client) -> None:
        service = client.service
        self._client = client
        self._store = SqlScheduledReports(service.state)
        self._database = Database(service.state, what="a test")
        self._seal = Seal(state=SealState.COMPLETE, complete_until=TIMESTAMP + timedelta(days=100))
        self._reports = Reports(self._store, ReportEngine(service.warehouse, self._current), Metrics())

    async def _current(self) -> Seal:
        return self._seal

    def sealed_until(self, until: datetime | None) -> None:
        self._seal = Seal(state=SealState.WAITING, complete_until=until)

    def run(self, now: datetime, times: int = 1) -> None:
        async def run() -> None:
            await asyncio.gather(*(self._reports.run_once(now) for _ in range(times)))

        asyncio.run(run())

    def notices(self) -> list[Notice]:
        mine = select(NOTICE.c.body).where(NOTICE.c.organization_id == self._client.organization_id)

        def read(connection: Connection) -> list[str]:
            return list(connection.scalars(mine.order_by(NOTICE.c.created_at)))

        return [msgspec.json.decode(body, type=Notice) for body in self._wait(lambda: self._database.read(read))]

    def report(self) -> ScheduledReport:
        [report] = self._wait(lambda: self._store.reports_of(self._client.organization_id))
        return report

    def _wait(self, call: Callable[[], Awaitable[T]]) -> T:
        async def wait() -> T:
            return await call()

        return asyncio.run(wait())

    def close(self) -> None:
        asyncio.run(self._store.close())
        asyncio.run(self._database.close())


@pytest.fixture
def sent(admin: Client) -> Iterator[Sent]:
    opened = Sent(admin)
    yield opened
    opened.close()


def add(admin: Client, **given: Any) -> Any:
    """Of each day at 08:00 UTC, unless `given` says otherwise."""
    channel = asked(admin, "/v1/channels", MAIL, status=201)
    body = {"name": "Costs", "schedule": {"every": "day"}, "channel_ids": [channel["id"]], **given}
    return asked(admin, "/v1/scheduled-reports", body, status=201)


# TIMESTAMP is 1 November 2026 at noon, and the service's clock a day later.
DUE = TIMESTAMP.replace(hour=8, minute=0, second=0, microsecond=0) + timedelta(days=2)
DAY = timedelta(days=1)


def cell(notice: Notice, table: str, line: str, column: str) -> str | None:
    [found] = [one for one in notice.tables if one.title == table]
    place = [one.name for one in found.columns].index(column)
    [row] = [row for row in found.rows if row[0] == line]
    return row[place]


def test_the_weekly_report_of_the_guide_has_exact_numbers_and_comes_once(admin: Client, sent: Sent) -> None:
    at = DUE - DAY
    admin.keep(
        {"request_created_at": at, "cost_usd": Decimal("0.123456789012"), "user_id": "user-1"},
        {"request_created_at": at, "cost_usd": Decimal("1.5"), "user_id": "user-2"},
        {"request_created_at": at + 3 * DAY, "cost_usd": Decimal(99)},
    )
    report = add(admin, schedule={"every": "week", "weekday": 2})
    assert report["next_at"] == "2026-11-03T08:00:00.000Z"
    sent.run(DUE - timedelta(seconds=1))
    assert sent.notices() == []
    sent.run(DUE, times=3)
    sent.run(DUE + timedelta(hours=2))
    [notice] = sent.notices()
    assert (notice.value, notice.name) == (Decimal("1.623456789012"), "Costs")
    assert cell(notice, "Top users by cost", "user-1", "Cost") == "0.123456789012"
    assert cell(notice, "Costs", "Total", "Cost") == "1.623456789012"
    assert (sent.report().last_at, sent.report().next_at) == (DUE, DUE + 7 * DAY)


def test_of_missed_reports_only_the_last_is_sent(admin: Client, sent: Sent) -> None:
    add(admin)
    sent.run(DUE + 5 * DAY + timedelta(hours=3))
    [notice] = sent.notices()
    assert notice.created_at == DUE + 5 * DAY
    assert sent.report().next_at == DUE + 6 * DAY


def test_a_report_waits_for_its_seal_but_not_for_ever(admin: Client, sent: Sent) -> None:
    add(admin)
    sent.sealed_until(None)
    sent.run(DUE)
    sent.run(DUE + timedelta(minutes=59))
    assert sent.notices() == []
    sent.run(DUE + timedelta(hours=1))
    [notice] = sent.notices()
    assert (notice.complete_until, notice.created_at) == (None, DUE)


def test_any_report_can_be_sent_by_the_calendar(admin: Client, sent: Sent) -> None:
    at = DUE - DAY
    admin.keep(
        {"request_created_at": at, "cost_usd": Decimal("0.25"), "model": "a"},
        {"request_created_at": at, "cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL, "model": "b"},
        {"request_created_at": at, "cost_usd": Decimal(7), "model": "c", "properties": {"environment": "development"}},
    )
    query = {
        "measures": ["cost_usd", "requests"],
        "by": [{"column": "model"}],
        "filter": {"left": leaf(model={"equals": "a"}), "operator": "or", "right": leaf(model={"equals": "b"})},
    }
    report = add(admin, query=query)
    assert report["query"] == query
    sent.run(DUE)
    [notice] = sent.notices()
    assert cell(notice, "Costs", "a", "cost_usd") == "0.25"
    assert cell(notice, "Costs", "b", "cost_usd") is None
    assert cell(notice, "Costs", "Total", "unpriced_requests") == "1"
    assert notice.detail == "1 of 3 requests could not be priced and are not in it."


def test_a_fraction_in_the_filter_of_a_report_stays_a_number(admin: Client, sent: Sent) -> None:
    admin.keep(*({"request_created_at": DUE - DAY, "cost_usd": Decimal(cost)} for cost in ("0.5", "0.1")))
    query = {"measures": ["requests"], "by": [{"column": "model"}], "filter": leaf(cost_usd={"gt": 0.25})}
    assert add(admin, query=query)["query"] == query
    sent.run(DUE)
    [notice] = sent.notices()
    assert cell(notice, "Costs", "Total", "requests") == "1"


def test_a_report_is_changed_sent_now_and_removed(admin: Client, sent: Sent) -> None:
    report = add(admin)
    path = f"/v1/scheduled-reports/{report['id']}"
    changed = {"name": "Monthly", "schedule": {"every": "month", "day": 31}, "channel_ids": report["channel_ids"]}
    assert asked(admin, path, changed, method="PUT")["next_at"] == "2026-11-30T08:00:00.000Z"
    now = TIMESTAMP + DAY
    reader = Client(admin.service, admin.organization_id, admin.service.key(admin.organization_id))
    preview = asked(reader, "/v1/scheduled-reports/preview", changed | {"channel_ids": ["removed since"]})
    asked(admin, f"{path}/send", {}, status=202)
    sent.run(now)
    [notice] = sent.notices()
    assert notice.name == "Monthly"
    mail = mail_of(notice, content_of(notice, ""))
    assert preview["subject"] == mail.subject
    tables = [text.partition("\nCosts\n")[2] for text in (preview["text"], mail.text)]
    assert tables[0] == tables[1] != ""
    assert [one["content"].encode() for one in preview["attachments"]] == [one.content for one in mail.attachments]
    assert (preview["starts_at"], preview["ends_at"]) == ("2026-09-30T00:00:00.000Z", "2026-10-31T00:00:00.000Z")
    assert sent.report().next_at == datetime.fromisoformat("2026-11-30T08:00:00+00:00")
    asked(admin, path, method="DELETE")
    assert asked(admin, "/v1/scheduled-reports") == []
    asked(admin, path, method="DELETE", status=404)


@pytest.mark.parametrize(
    ("given", "culprit"),
    [
        ({"channel_ids": ["nobody"]}, "'nobody'"),
        ({"schedule": {"every": "week", "time_zone": "Mars/Olympus"}}, "time_zone"),
        ({"schedule": {"every": "week", "weekday": 8}}, "weekday"),
        ({"query": {"measures": ["nonsense"]}}, "nonsense"),
        ({"query": {"measures": ["cost_usd"], "filter": leaf(nonsense={"equals": 1})}}, "nonsense"),
        ({"name": "a\nb"}, "name"),
    ],
)
def test_a_report_that_could_not_be_made_is_refused(admin: Client, given: dict[str, Any], culprit: str) -> None:
    channel = asked(admin, "/v1/channels", MAIL, status=201)
    body = {"name": "Costs", "schedule": {"every": "day"}, "channel_ids": [channel["id"]], **given}
    assert culprit in asked(admin, "/v1/scheduled-reports", body, status=422)
