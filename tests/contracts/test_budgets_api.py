"""Budgets in the API, and their counters rebuilt from the rows that the warehouse has."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import create_engine, select
from typer.testing import CliRunner

from schemas.budget import Budget, Period, Segment
from schemas.key import Permission
from services.cli.app import app
from services.domain.budgets.slots import ledger_span_of
from services.ports.budgets import BudgetCounters
from services.ports.warehouse import Warehouse
from services.query.budgets.counters import spend_of
from services.query.dependencies import Service
from services.sql.budgets import compile_spent
from services.stores.budgets.sqlite_counters import SqliteCounters
from services.stores.journal.positions import JournalPositions
from services.stores.state.budgets import SqlBudgets
from services.stores.state.progress import SqlProgress
from services.stores.state.tables import NOTICE
from services.worker.budgets import BudgetLedger
from tests.builders.budgets import a_budget, a_claim, a_reservation
from tests.builders.records import TIMESTAMP, a_record
from tests.servers.querying import AwayWarehouse, Client, QueryService
from tests.servers.warehouses import insert

NOW = TIMESTAMP + timedelta(days=1)  # of the service's clock
FREE: dict[str, Any] = {
    "name": "free tier",
    "limit_usd": 25,
    "segment": "user",
    "where": {"UserTier": "free"},
    "thresholds": [100, 80],
}


def call(client: Client, method: str, path: str, body: object = None, *, status: int = 200) -> Any:
    got, response = client.service.ask(path, body, key=client.key, method=method)
    assert got == status, response
    return response["data"] if status < 400 else response["error"]


def folder_of(service: QueryService) -> Path:
    return service.journal.parent


def rebuild(client: Client, *, at: datetime = NOW) -> None:
    """As the worker does."""

    async def run() -> None:
        folder = folder_of(client.service)
        state = f"sqlite:///{folder}/state.sqlite"
        ledger = BudgetLedger(
            rows=SqlBudgets(state),
            counters=SqliteCounters(folder / "budgets.sqlite"),
            warehouse=client.service.warehouse,
            positions=JournalPositions(folder / "journal.sqlite"),
            progress=SqlProgress(state),
        )
        assert await ledger.rebuild_all(at)

    asyncio.run(run())


def test_a_budget_is_made_listed_changed_and_removed(admin: Client) -> None:
    made = call(admin, "POST", "/v1/budgets", FREE, status=201)
    assert made == {
        "id": made["id"],
        "name": "free tier",
        "limit_usd": 25,
        "segment": "user",
        "property": "",
        "value": "",
        "where": {"usertier": "free"},
        "period": "month",
        "window_s": 0,
        "time_zone": "UTC",
        "action": "block",
        "fallback_model": "",
        "mode": "enforced",
        "unknown_cost": "pass",
        "thresholds": [80, 100],
        "channel_ids": [],
        "override": None,
        **dict.fromkeys(("created_at", "changed_at"), "2026-11-02T12:00:00.123Z"),
    }
    assert call(admin, "GET", "/v1/budgets") == [made | {"spend": None}]
    path = f"/v1/budgets/{made['id']}"
    change = {"limit_usd": 30.5, "mode": "shadow", "thresholds": []}
    assert call(admin, "PATCH", path, change) == made | change | {"limit_usd": Decimal("30.5")}
    until = "2026-11-03T00:00:00Z"
    raised = call(admin, "POST", f"{path}/override", {"limit_usd": 100, "until": until})
    assert raised["override"] == {"limit_usd": 100, "until": "2026-11-03T00:00:00.000Z"}
    assert call(admin, "DELETE", f"{path}/override")["override"] is None
    assert "free tier" in call(admin, "POST", "/v1/budgets", FREE, status=409)
    call(admin, "DELETE", path)
    for method, where, body in (
        ("GET", path, None),
        ("PATCH", path, {}),
        ("DELETE", path, None),
        ("GET", f"{path}/history", None),
        ("POST", f"{path}/override", {"limit_usd": 1, "until": until}),
    ):
        assert "there is no budget" in call(admin, method, where, body, status=404)


@pytest.mark.parametrize(
    ("change", "culprit"),
    [
        ({"limit_usd": 0}, "limit_usd"),
        ({"time_zone": "Mars"}, "time_zone"),
        ({"action": "fallback"}, "fallback_model"),
        ({"period": "fortnight"}, "period"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_a_budget_cannot_be_is_refused_by_name(admin: Client, change: dict[str, Any], culprit: str) -> None:
    status, response = admin.service.ask("/v1/budgets", FREE | change, key=admin.key)
    assert status == 422
    assert culprit in str(response["error"])


def mail_channel(client: Client) -> str:
    """The id of a new one."""
    body = {"name": "finance", "kind": "email", "recipients": ["finance@example.com"]}
    return str(call(client, "POST", "/v1/channels", body, status=201)["id"])


def test_channels_are_those_of_the_organization_or_what_a_budget_had_before(admin: Client) -> None:
    channel_id = mail_channel(admin)
    for unknown in ("finance", "x" * 100):
        refused = call(admin, "POST", "/v1/budgets", FREE | {"channel_ids": [unknown]}, status=422)
        assert "channel_ids: no channel of this organization" in refused
    path = "/v1/budgets/" + call(admin, "POST", "/v1/budgets", FREE | {"channel_ids": [channel_id]}, status=201)["id"]
    call(admin, "DELETE", f"/v1/channels/{channel_id}")
    assert call(admin, "PATCH", path, {"channel_ids": [channel_id], "limit_usd": 30})["limit_usd"] == 30
    assert "channel_ids" in call(admin, "PATCH", path, {"channel_ids": [channel_id, "finance"]}, status=422)


def test_channels_of_a_budget_are_typed_by_name(admin: Client) -> None:
    channel_id = mail_channel(admin)
    given = ("create", "free tier", "--limit", "25", "--where", "UserTier=free")
    assert "there is no channel" in typed(admin, *given, "--channel", "nobody", code=1)
    assert "warning: no request has the property 'usertier'" in typed(admin, *given, "--channel", "finance")
    assert [one["channel_ids"] for one in call(admin, "GET", "/v1/budgets")] == [[channel_id]]


def typed(client: Client, *words: str, code: int = 0) -> str:
    here = ("--url", f"http://127.0.0.1:{client.service.port}", "--key", client.key)
    done = CliRunner().invoke(app, ["budgets", *words, *here], env={"COLUMNS": "160"})
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def test_an_operator_changes_a_budget_and_sees_what_it_did_and_who_spent_what(admin: Client) -> None:
    made = call(admin, "POST", "/v1/budgets", FREE | {"action": "fallback", "fallback_model": "small"}, status=201)
    assert "nothing was spent of it yet" in typed(admin, "list")
    settle(admin, made["id"], "ann", 26)
    tier = {"properties": {"usertier": "free"}, "property_spellings": ["UserTier"]}
    admin.keep({"user_id": "ann", "cost_usd": Decimal(26), **tier})
    assert "ann: $26 spent, $1 above $25; 1 of 1 have nothing left" in typed(admin, "list")
    lost = "can be exceeded by $26 now: $0 if proxies are killed, $26 if counters are lost; requests of unknown cost"
    assert lost in typed(admin, "show", "free tier", "--value", "ann")
    changed = typed(admin, "change", "free tier", "--limit", "30", "--action", "block", "--shadow")
    assert "$30 per month (UTC) for each user, usertier=free: block, shadow" in changed
    kept = call(admin, "GET", "/v1/budgets")[0]
    assert "it refuses nothing" in typed(admin, "show", "free tier", "--value", "ann")
    assert (kept["thresholds"], kept["unknown_cost"], kept["fallback_model"]) == ([80, 100], "pass", "")
    assert "block\n" in typed(admin, "change", "free tier", "--enforce")
    assert "pass what is to change" in typed(admin, "change", "free tier", code=1)
    asked = typed(admin, "spend", "--user", "ann", "--budget", "free tier")
    assert "user ann: $26 spent" in asked
    assert "$4 of $30 left, by the budget free tier" in asked
    assert "by the ledger, complete until" in typed(admin, "spend", "--user", "ann")
    assert "It has refused no request" in typed(admin, "history", "free tier")
    acted = {"farebox-budget": "free tier", "farebox-budget-status": "blocked"}
    [request_id] = admin.keep({"properties": acted, "user_id": "ann", "request_created_at": NOW + timedelta(seconds=1)})
    assert re.search(rf"blocked +{request_id} of ann, ", typed(admin, "history", "free tier"))


def test_only_admin_keys_change_budgets_and_each_organization_sees_its_own(admin: Client) -> None:
    made = call(admin, "POST", "/v1/budgets", FREE, status=201)
    path = f"/v1/budgets/{made['id']}"
    reader = Client(admin.service, admin.organization_id, admin.service.key(admin.organization_id))
    for method, where, body in (("POST", "/v1/budgets", FREE), ("PATCH", path, {}), ("DELETE", path, None)):
        call(reader, method, where, body, status=403)
    assert [one["id"] for one in call(reader, "GET", "/v1/budgets")] == [made["id"]]
    other = Client(admin.service, "another", admin.service.key("another", Permission.ADMIN))
    assert call(other, "GET", "/v1/budgets") == []
    call(other, "GET", path, status=404)
    call(other, "DELETE", path, status=404)


def test_counters_show_what_the_ledger_says_and_what_came_since(admin: Client) -> None:
    tier = {"properties": {"usertier": "free"}, "property_spellings": ["UserTier"]}
    made = call(admin, "POST", "/v1/budgets", FREE, status=201)
    admin.keep(
        {"user_id": "ann", "cost_usd": Decimal("20.25"), **tier},
        {"user_id": "ann", "cost_usd": Decimal(1), **tier},
        {"user_id": "bob", "cost_usd": Decimal("2.000000000001"), **tier},
        {"user_id": "ann", "cost_usd": Decimal(100)},  # of no tier
        {"user_id": "ann", "cost_usd": Decimal(7), **tier, "request_created_at": TIMESTAMP - timedelta(days=2)},
    )
    path = f"/v1/budgets/{made['id']}"
    assert call(admin, "GET", f"{path}?value=ann")["counters"][0]["freshness"]["rebuilt"] is False
    rebuild(admin)
    state = call(admin, "GET", path)
    assert state["unpriced_requests"] == 0
    ann, bob = state["counters"]
    assert ann == {
        "value": "ann",
        "limit_usd": 25,
        "spent_usd": Decimal("21.25"),
        "reserved_usd": 0,
        "remaining_usd": Decimal("3.75"),
        "starts_at": "2026-11-01T00:00:00.000Z",
        "resets_at": "2026-12-01T00:00:00.000Z",
        "overshoot": {
            "bound_usd": 0,
            "killed_proxies_usd": 0,
            "lost_counters_usd": 0,
            "unknown_cost_passes": True,
        },
        # A second is left for what proxies are about to write, and slices are five.
        "freshness": {"source": "counters", "rebuilt": True, "ledger_until": "2026-11-02T11:59:55.000Z"},
    }
    assert (bob["value"], bob["spent_usd"]) == ("bob", Decimal("2.000000001")), "rounded up to nanodollars"
    [listed] = call(admin, "GET", "/v1/budgets?spend=true")
    assert listed["spend"] == {"leading": ann, "counters": 2, "used_up": 0}


def test_a_budget_says_where_its_spend_is_heading(admin: Client) -> None:
    """At noon, after a dollar in each hour of the day."""
    body = {"name": "each day", "limit_usd": 20, "segment": "user", "period": "day", "where": {"UserTier": "free"}}
    made = call(admin, "POST", "/v1/budgets", body, status=201)
    path = f"/v1/budgets/{made['id']}"
    assert call(admin, "GET", path)["forecast"] is None
    tier = {"user_id": "ann", "properties": {"usertier": "free"}, "property_spellings": ["UserTier"]}
    hours = [NOW - timedelta(hours=number) for number in range(1, 13)]
    admin.keep(*({"cost_usd": Decimal(1), "request_created_at": at, **tier} for at in hours))
    admin.keep({"user_id": "ann", "cost_usd": Decimal(100)}, {"cost_usd": Decimal(100), **tier, "user_id": "bob"})
    rebuild(admin)
    heading = {"spent_usd": 24, "reaches_limit_by": "2026-11-02T20:00:00.000Z"}
    assert call(admin, "GET", f"{path}?value=ann")["forecast"] == heading
    shown = typed(admin, "show", "each day", "--value", "ann")
    assert "at this pace $24 at the end, and the limit is reached by 2026-11-02T20:00:00.000Z" in shown
    call(admin, "PATCH", path, {"limit_usd": 12})
    assert call(admin, "GET", f"{path}?value=ann")["forecast"] == heading | {"reaches_limit_by": None}
    rolling = {"name": "rolling", "limit_usd": 5, "period": "rolling", "window_s": 86_400}
    made = call(admin, "POST", "/v1/budgets", rolling, status=201)
    assert call(admin, "GET", f"/v1/budgets/{made['id']}")["forecast"] is None


def test_values_of_a_rolling_window_are_ranked_by_all_that_they_spent_in_it(admin: Client) -> None:
    body = {"name": "rolling", "limit_usd": 5, "segment": "user", "period": "rolling", "window_s": 86_400}
    made = call(admin, "POST", "/v1/budgets", body, status=201)
    hours = [NOW - timedelta(hours=number) for number in (1, 5, 9)]
    admin.keep(
        *({"user_id": "often", "cost_usd": Decimal(2), "request_created_at": at} for at in hours),
        {"user_id": "once", "cost_usd": Decimal(3), "request_created_at": hours[0]},
    )
    rebuild(admin)
    shown = call(admin, "GET", f"/v1/budgets/{made['id']}")["counters"]
    assert [(one["value"], one["spent_usd"]) for one in shown] == [("often", 6), ("once", 3)]
    [listed] = call(admin, "GET", "/v1/budgets?spend=true")
    assert (listed["spend"]["leading"], listed["spend"]["used_up"]) == (shown[0], 1)


def test_all_values_are_counted_and_those_that_spent_most_are_looked_at(admin: Client) -> None:
    made = call(admin, "POST", "/v1/budgets", {"name": "each", "limit_usd": 50, "segment": "user"}, status=201)
    admin.keep(*({"user_id": f"user-{usd}", "cost_usd": Decimal(usd)} for usd in range(1, 104)))
    admin.keep({"user_id": "user-1", "cost_usd": None}, {"user_id": "unpriced", "cost_usd": None})
    rebuild(admin)
    state = call(admin, "GET", f"/v1/budgets/{made['id']}")
    assert [one["value"] for one in state["counters"]] == [f"user-{usd}" for usd in range(103, 3, -1)]
    assert state["unpriced_requests"] == 2
    [listed] = call(admin, "GET", "/v1/budgets?spend=true")
    assert (listed["spend"]["counters"], listed["spend"]["used_up"]) == (104, 54)


def test_what_was_spent_of_a_budget_is_not_known_where_its_query_fails() -> None:
    service = cast(Service, SimpleNamespace(warehouse=AwayWarehouse()))
    assert asyncio.run(spend_of(service, a_budget(segment=Segment.USER), NOW)) is None


def test_a_threshold_that_is_reached_goes_to_the_channels_once(admin: Client) -> None:
    body = {"name": "all", "limit_usd": 5, "thresholds": [50, 80, 100], "channel_ids": [mail_channel(admin)]}
    call(admin, "POST", "/v1/budgets", body, status=201)
    insert(admin.service.warehouse, [a_record(organization_id=admin.organization_id, cost_usd=Decimal("4.5"))])
    for seconds in range(3):
        rebuild(admin, at=NOW + timedelta(seconds=5 * seconds))
    engine = create_engine(f"sqlite:///{folder_of(admin.service)}/state.sqlite")
    with engine.connect() as connection:
        its_notices = select(NOTICE.c.body).where(NOTICE.c.organization_id == admin.organization_id)
        labels = [json.loads(text)["threshold_label"] for text in connection.scalars(its_notices)]
    engine.dispose()
    assert sorted(labels) == ["50 % of $5", "80 % of $5"]


def test_a_budget_that_cannot_be_rebuilt_keeps_no_other_waiting(admin: Client) -> None:
    faulty = a_budget(organization_id="faulty", time_zone="No/Where")

    async def change(what: Callable[[SqlBudgets], Awaitable[object]]) -> None:
        budgets = SqlBudgets(f"sqlite:///{folder_of(admin.service)}/state.sqlite")
        await what(budgets)
        await budgets.close()

    asyncio.run(change(lambda budgets: budgets.add_budget(faulty)))
    path = "/v1/budgets/" + call(admin, "POST", "/v1/budgets", {"name": "all", "limit_usd": 5}, status=201)["id"]
    rebuild(admin)
    assert call(admin, "GET", path)["counters"][0]["freshness"]["rebuilt"]
    asyncio.run(change(lambda budgets: budgets.remove_budget("faulty", faulty.id)))


@pytest.mark.parametrize("at", ["replayed", "re-priced", "removed"])
def test_counters_follow_the_rows_whatever_happens_to_them(admin: Client, at: str) -> None:
    made = call(admin, "POST", "/v1/budgets", {"name": "all", "limit_usd": 5}, status=201)
    row = a_record(organization_id=admin.organization_id, cost_usd=Decimal(2))
    insert(admin.service.warehouse, [row])
    rebuild(admin)

    def spent() -> Decimal:
        return Decimal(call(admin, "GET", f"/v1/budgets/{made['id']}")["counters"][0]["spent_usd"])

    assert spent() == 2
    match at:
        case "replayed":
            insert(admin.service.warehouse, [row])
            expected = Decimal(2)
        case "re-priced":
            changed = a_record(organization_id=admin.organization_id, cost_usd=Decimal(3), version=row.version + 1)
            insert(admin.service.warehouse, [changed])
            expected = Decimal(3)
        case _:
            nothing = a_record(
                organization_id=admin.organization_id, cost_usd=None, cost_state="no_usage", version=row.version + 1
            )
            insert(admin.service.warehouse, [nothing])
            expected = Decimal(0)
    rebuild(admin, at=NOW + timedelta(seconds=10))
    assert spent() == expected


def test_what_was_recorded_since_the_seal_is_not_counted_by_the_ledger_but_logs_are(admin: Client) -> None:
    budget = a_budget(organization_id=admin.organization_id, period=Period.DAY)
    at = TIMESTAMP.replace(hour=20)
    sealed = at - timedelta(minutes=10)
    base = {"organization_id": admin.organization_id, "cost_usd": Decimal(1)}
    created = {"request_created_at": at - timedelta(minutes=20)}
    late = {"response_created_at": sealed}
    rows = [
        a_record(**base, **created, response_created_at=sealed - timedelta(milliseconds=1), request_id=_id(1)),
        a_record(**base, **created, **late, request_id=_id(2)),
        a_record(**base, **created, **late, request_id=_id(3), logged_us=1),
    ]
    insert(admin.service.warehouse, rows)
    [row] = ask(admin.service.warehouse, budget, at, sealed)
    assert (row["usd"], row["slot"]) == (2, int(TIMESTAMP.replace(hour=0, minute=0, second=0).timestamp()))


def test_what_has_no_known_cost_counts_as_what_was_reserved_for_it(admin: Client) -> None:
    budget = a_budget(organization_id=admin.organization_id, period=Period.DAY)
    at = TIMESTAMP.replace(hour=20)
    base = {"organization_id": admin.organization_id, "request_created_at": at - timedelta(minutes=20)}
    unknown = base | {"cost_usd": None, "cost_state": "no_usage"}
    rows = [
        a_record(**base, request_id=_id(1), cost_usd=Decimal(1), budget_reserved_usd=Decimal(8)),
        a_record(**unknown, request_id=_id(2), budget_reserved_usd=Decimal("0.25")),
        a_record(**unknown, request_id=_id(3), properties={"farebox-budget-reserved": "9" * 26}),
        a_record(**unknown, request_id=_id(5)),
    ]
    insert(admin.service.warehouse, rows)
    [row] = ask(admin.service.warehouse, budget, at, at)
    assert (row["usd"], row["unpriced"]) == (Decimal("1.25"), 3)
    [money] = ask(admin.service.warehouse, budget, at)
    assert money["usd"] == 1, "an estimate is never money"


def _id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def ask(warehouse: Warehouse, budget: Budget, at: datetime, sealed: datetime | None = None) -> list[dict[str, Any]]:
    span = ledger_span_of(budget, at)
    statement = compile_spent(budget, span.start, span.end, span.slot_s, sealed)
    return asyncio.run(warehouse.query(statement))


def test_slots_of_the_ledger_are_those_of_the_counters(admin: Client) -> None:
    rolling = a_budget(
        organization_id=admin.organization_id, period=Period.ROLLING, window_s=7200, segment=Segment.SESSION
    )
    timestamps = [NOW - timedelta(seconds=seconds) for seconds in (0, 119, 120, 3_600, 7_199, 7_400, 7_200 * 2)]
    admin.keep(*({"session_id": "s", "request_created_at": at, "cost_usd": Decimal(1)} for at in timestamps))
    found = {row["slot"]: row["usd"] for row in ask(admin.service.warehouse, rolling, NOW)}
    claim = a_claim(rolling, "s", at=NOW)
    expected: dict[int, int] = {}
    for at in timestamps:
        slot = a_claim(rolling, "s", at=at).counter.slot
        if slot >= claim.counter.oldest_slot:
            expected[slot] = expected.get(slot, 0) + 1
    assert found == expected
    assert len(timestamps) - sum(expected.values()) == 2


def test_the_history_is_what_a_budget_did(admin: Client) -> None:
    made = call(admin, "POST", "/v1/budgets", FREE, status=201)
    blocked = {
        "properties": {"farebox-budget": "free tier", "farebox-budget-status": "blocked"},
        "user_id": "ann",
        "request_created_at": NOW + timedelta(seconds=1),
    }
    [request_id, _] = admin.keep(blocked, {"request_created_at": NOW + timedelta(seconds=2)})
    [row] = call(admin, "GET", f"/v1/budgets/{made['id']}/history")
    assert (row["request_id"], row["status"], row["user_id"]) == (request_id, "blocked", "ann")
    assert row["created_at"] == "2026-11-02T12:00:01.123Z"


# What an application asks before it calls a model.


def spend(client: Client, query: str, *, status: int = 200) -> Any:
    return call(client, "GET", f"/v1/me/spend{query}", status=status)


def settle(client: Client, budget_id: str, value: str, usd: int, **fields: Any) -> None:
    """As a proxy does at the end of a request."""
    budget = a_budget(id=budget_id, organization_id=client.organization_id, segment=Segment.USER, **fields)
    claim = a_claim(budget, value, at=NOW)
    folder = folder_of(client.service)

    async def run(counters: BudgetCounters) -> None:
        await counters.settle(a_reservation([claim], 0), usd * 10**9, int(NOW.timestamp()) // 5 * 5)
        await counters.close()

    asyncio.run(run(SqliteCounters(folder / "budgets.sqlite")))


def test_an_application_asks_what_a_user_has_spent_of_a_budget(admin: Client) -> None:
    made = call(admin, "POST", "/v1/budgets", FREE, status=201)
    settle(admin, made["id"], "ann", 24)
    spent = spend(admin, "?user=ann&budget=free%20tier")
    figures = {name: spent[name] for name in ("spent_usd", "limit_usd", "remaining_usd", "budget", "resets_at")}
    assert figures == {
        "spent_usd": 24,
        "limit_usd": 25,
        "remaining_usd": 1,
        "budget": "free tier",
        "resets_at": "2026-12-01T00:00:00.000Z",
    }
    assert spent["freshness"] == {"source": "counters", "rebuilt": False, "ledger_until": None}
    assert spend(admin, f"?user=bob&budget={made['id']}")["spent_usd"] == 0
    assert "no budget" in spend(admin, "?budget=other", status=404)
    assert "counts by user" in spend(admin, "?session=x&budget=free%20tier", status=422)


def test_without_a_budget_the_ledger_responds_and_says_so(admin: Client) -> None:
    admin.keep({"user_id": "ann", "cost_usd": Decimal("1.5")}, {"user_id": "ann", "cost_usd": None})
    spent = spend(admin, "?user=ann")
    assert (spent["spent_usd"], spent["unpriced_requests"], spent["budget"]) == (Decimal("1.5"), 1, "")
    assert (spent["limit_usd"], spent["remaining_usd"], spent["freshness"]["source"]) == (None, None, "ledger")
    assert spent["freshness"]["ledger_until"] is not None
    # A budget with a condition counts something else; one without counts exactly this.
    call(admin, "POST", "/v1/budgets", FREE, status=201)
    assert spend(admin, "?user=ann")["freshness"]["source"] == "ledger"
    exact = call(admin, "POST", "/v1/budgets", {"name": "users", "limit_usd": 9, "segment": "user"}, status=201)
    settle(admin, exact["id"], "ann", 3)
    assert (spent := spend(admin, "?user=ann"))["spent_usd"] == 3
    assert spent["budget"] == "users"
    assert spend(admin, "?user=ann&period=day")["freshness"]["source"] == "ledger"


def test_by_itself_a_key_asks_about_itself(admin: Client) -> None:
    spent = spend(admin, "")
    assert (spent["segment"], spent["spent_usd"]) == ("key", 0)
    assert "property" in spend(admin, "?property=Feature", status=422)
    assert "one of" in spend(admin, "?user=a&session=b", status=422)
    assert spend(admin, "?property=Feature&value=chat")["property"] == "feature"
    assert datetime.fromisoformat(spent["starts_at"]) == datetime(2026, 11, 1, tzinfo=UTC)
