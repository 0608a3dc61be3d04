"""Alerts over HTTP: the guide's own, Helicone's fields, back-tests, and why one is silent."""

import json
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from typer.testing import CliRunner

from schemas.key import Permission
from services.cli.app import app
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from tests.servers.querying import Client, QueryService, query_service

PRODUCTION = {"properties": {"environment": "production"}, "property_spellings": ["Environment"]}
# The guide's alert, as Helicone's page sends it.
GUIDE: dict[str, Any] = {
    "name": "Daily cost",
    "metric": "cost",
    "threshold": 100,
    "aggregation": None,
    "percentile": None,
    "grouping": None,
    "grouping_is_property": None,
    "time_window": "86400000",
    "emails": ["finance@company.com"],
    "slack_channels": ["#alerts"],
    "minimum_request_count": 0,
    "filter": {
        "type": "and",
        "expressions": [
            {
                "type": "condition",
                "field": {
                    "table": "request_response_rmt",
                    "column": "properties",
                    "subtype": "property",
                    "valueMode": "value",
                    "key": "Environment",
                },
                "operator": "eq",
                "value": "production",
            }
        ],
    },
}


@pytest.fixture(scope="module")
def alerting(
    embedded_warehouse: ClickHouseWarehouse, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[QueryService]:
    with query_service(embedded_warehouse, tmp_path_factory.mktemp("alerts")) as running:
        yield running


@pytest.fixture
def owner(alerting: QueryService, organization_id: str) -> Client:
    """With an admin key."""
    return Client(alerting, organization_id, alerting.key(organization_id, Permission.ADMIN))


def ask(client: Client, path: str, body: object = None, method: str | None = None) -> Any:
    status, response = client.service.ask(path, body, key=client.key, method=method)
    assert status == 200, response
    return response["data"]


def spend(client: Client, dollars: int, **changed: Any) -> None:
    """A dollar each, an hour apart, the last one five hours before now."""
    last = client.service.clock.now() - timedelta(hours=5)
    hours = [{"request_created_at": last - at * timedelta(hours=1)} for at in range(dollars)]
    client.keep(*({"cost_usd": Decimal(1), **PRODUCTION, **changed, **hour} for hour in hours))


def test_the_guides_alert_is_made_listed_and_removed(owner: Client) -> None:
    spend(owner, 30)
    status, created = owner.ask("/v1/alert/create", GUIDE | {"threshold": 15})
    assert status == 200, created
    alert_id = str(uuid.UUID(created["data"]))
    # A dollar an hour, so fifteen of them after as many hours, and until a day after the last: once.
    assert [(one["kind"], one["level"]) for one in created["backtest"]["events"]] == [("firing", "CRITICAL")]
    (alert,) = ask(owner, "/v1/alert/query?historyPage=0&historyPageSize=25")["alerts"]
    same = {name: value for name, value in GUIDE.items() if name in ("name", "metric", "emails", "slack_channels")}
    assert {name: alert[name] for name in same} == same
    assert (alert["id"], alert["status"], alert["time_window"]) == (alert_id, "resolved", "86400000")
    assert (alert["threshold"], alert["time_block_duration"], alert["filter"]) == (15, 60000, GUIDE["filter"])
    ask(owner, f"/v1/alert/{alert_id}", method="DELETE")
    assert ask(owner, "/v1/alert/query") == {"alerts": [], "history": [], "historyTotalCount": 0}


def test_a_budget_in_steps_is_read_back_as_it_was_given(owner: Client) -> None:
    steps = [{"percent": 50}, {"percent": 80}, {"percent": 95}, {"percent": 100}]
    body = {"name": "Budget", "metric": "cost", "threshold": 500, "thresholds": steps, "calendar": "month"}
    alert_id = owner.ask("/v1/alert/create", body | {"time_zone": "Europe/Berlin"})[1]["data"]
    shown = ask(owner, f"/v1/alert/{alert_id}")
    assert [(one["value"], one["level"], one["label"]) for one in shown["thresholds"]] == [
        (250, "WARNING", "50 % of $500"),
        (400, "WARNING", "80 % of $500"),
        (475, "WARNING", "95 % of $500"),
        (500, "CRITICAL", "100 % of $500"),
    ]
    assert (shown["state"], shown["calendar"], shown["time_zone"]) == ("OK", "month", "Europe/Berlin")
    changed = ask(owner, f"/v1/alert/{alert_id}", body | {"time_zone": "Europe/Berlin", "threshold": 600}, "PUT")
    assert (changed["threshold"], changed["active_since"]) == (600, shown["active_since"])
    other = ask(owner, f"/v1/alert/{alert_id}", body | {"metric": "requests"}, "PUT")
    assert other["metric"] == "requests"
    until = (owner.service.clock.now() + timedelta(days=1)).isoformat()
    assert ask(owner, f"/v1/alert/{alert_id}/mute", {"until": until})["muted_until"] is not None
    assert ask(owner, f"/v1/alert/{alert_id}/mute", {"until": None})["muted_until"] is None
    assert ask(owner, f"/v1/alert/{alert_id}/history") == {"evaluations": [], "episodes": [], "episodes_total": 0}
    assert (shown["evaluation"], ask(owner, f"/v1/alert/{alert_id}/notices")) == (None, [])
    assert ask(owner, "/v1/alert/states") == {"OK": 1, "WARNING": 0, "CRITICAL": 0, "NO_DATA": 0}


DAILY = {"name": "An alert", "metric": "cost", "calendar": "day"}
ROLLING = {"name": "An alert", "time_window": 86_400_000}
ONCE, EACH_DAY = ["firing CRITICAL", "resolved OK"], ["firing CRITICAL", "firing CRITICAL"]
HALF_AND_ALL = [{"percent": 50}, {"percent": 100}]
BACKTESTS: list[tuple[dict[str, Any], list[str]]] = [
    # From 7:00 on 17 dollars, an hour apart, and on the next day eight until 7:00.
    (DAILY | {"threshold": 10}, ONCE),
    (
        DAILY | {"threshold": 16, "thresholds": HALF_AND_ALL},
        ["firing WARNING", "escalated CRITICAL", "resolved OK", "firing WARNING"],
    ),
    (DAILY | {"threshold": 10, "by": [{"column": "user_id"}]}, ONCE),
    (ROLLING | {"metric": "latency", "threshold": 800, "percentile": 95}, ["firing CRITICAL"]),
    (DAILY | {"metric": "error_rate", "threshold": 1}, []),
    (DAILY | {"metric": "unpriced_share", "threshold": 1}, []),
    (DAILY | {"metric": "cache_hit_rate", "threshold": 1, "direction": "below"}, []),
    (DAILY | {"metric": "margin", "threshold": 1, "direction": "below"}, []),
    (DAILY | {"metric": "total_tokens", "aggregation": "max", "threshold": 800}, EACH_DAY),
    (DAILY | {"metric": "latency", "aggregation": "avg", "threshold": 800}, EACH_DAY),
    (DAILY | {"condition": "forecast", "threshold": 12}, ["firing CRITICAL"]),
    (ROLLING | {"metric": "cost", "condition": "anomaly"}, []),
]


@pytest.mark.parametrize(("body", "expected"), BACKTESTS, ids=[str(at) for at in range(len(BACKTESTS))])
def test_a_rule_is_tried_on_the_past(owner: Client, body: dict[str, Any], expected: list[str]) -> None:
    spend(owner, 25)
    found = ask(owner, "/v1/alert/backtest", body | {"since": "7d"})
    assert [f"{one['kind']} {one['level']}" for one in found["events"]][: len(expected) or 1] == expected


def test_an_organization_tries_one_rule_at_a_time(owner: Client) -> None:
    body, many = DAILY | {"threshold": 2, "since": "7d"}, 24

    def tried(_number: int) -> int:
        return owner.service.ask("/v1/alert/backtest", body, key=owner.key)[0]

    with ThreadPoolExecutor(many) as pool:
        statuses = Counter(pool.map(tried, range(many)))
    assert set(statuses) <= {200, 503}
    assert statuses[200] >= 9, "one is tried and eight wait"
    assert owner.service.ask("/v1/alert/backtest", body, key=owner.key)[0] == 200


REFUSED = [
    ({"metric": "costs"}, "metric: unknown metric 'costs'"),
    ({"threshold": None}, "threshold: give a threshold"),
    ({"threshold": 0}, "threshold: it is above zero"),
    ({"threshold": "0.001"}, "at least 0.01 US dollars"),
    ({"metric": "response.status", "threshold": 101}, "so at most 100"),
    ({"calendar": "day"}, "time_window: give either time_window or calendar"),
    ({"time_window": "1000"}, "time_window: it lies between 30 seconds and 30 days"),
    ({"time_window": "a day"}, "time_window: it takes milliseconds"),
    ({"time_zone": "Europe/Berln"}, "unknown time_zone"),
    ({"filter": {"request_response_rmt": {"modell": {"equals": "x"}}}}, "modell"),
    ({"grouping": "modle"}, "modle"),
    ({"thresholds": [{"percent": 50, "value": 5}]}, "thresholds.0: give either value or percent"),
    ({"thresholds": [{"value": 5}, {"value": 5}]}, "two of them are the same"),
    ({"metric": "latency", "aggregation": "sum"}, "aggregation: latency takes avg, percentile, min, max"),
    ({"percentile": 95, "aggregation": "sum"}, "percentile: it is for the aggregation percentile"),
    ({"condition": "forecast"}, "give calendar instead of time_window"),
    ({"condition": "anomaly"}, "an anomaly is what is unusual, and has none"),
    ({"channel_ids": ["nobody"]}, "no channel of this organization has the id 'nobody'"),
    ({"emails": ["finance"]}, "'finance' is not a mail address"),
    ({"notify_no_data": True, "grouping": "user"}, "a group without requests is no group"),
    ({"threshhold": 3}, "threshhold"),
]


@pytest.mark.parametrize(("changed", "culprit"), REFUSED)
def test_what_cannot_be_evaluated_is_refused_by_name(owner: Client, changed: dict[str, Any], culprit: str) -> None:
    status, response = owner.ask("/v1/alert/create", GUIDE | changed)
    assert (status, culprit in response["error"]) == (422, True), response


def test_a_filter_by_numbers_is_kept_as_it_was_given(owner: Client) -> None:
    spend(owner, 2)
    wanted = {"request_response_rmt": {"cost": {"gte": Decimal("0.5")}, "latency": {"lt": 5000}}}
    body = json.loads(json.dumps(GUIDE | {"filter": wanted, "threshold": 1.5}, default=float))
    alert_id = owner.ask("/v1/alert/create", body)[1]["data"]
    found = ask(owner, f"/v1/alert/{alert_id}/explain")
    assert (found["alert"]["filter"], found["alert"]["threshold"]) == (wanted, Decimal("1.5"))
    assert (found["matched_requests"], found["value_now"]) == (2, 2)
    assert found["summary"] == "nothing keeps it silent: it fires at its next evaluation"
    assert ask(owner, "/v1/alert/query")["alerts"][0]["filter"] == wanted


def test_an_alert_whose_threshold_is_reached_is_not_kept_silent_by_requests_without_a_price(owner: Client) -> None:
    spend(owner, 2)
    owner.keep({"cost_usd": None, **PRODUCTION, "request_created_at": owner.service.clock.now() - timedelta(hours=5)})
    alert_id = owner.ask("/v1/alert/create", GUIDE | {"threshold": 1.5})[1]["data"]
    found = ask(owner, f"/v1/alert/{alert_id}/explain")
    assert found["checks"][-1]["answer"] == "the cost of 1 of 3 attempts is unknown, and not in the value"
    assert found["summary"] == "nothing keeps it silent: it fires at its next evaluation"


def test_readers_see_and_admins_change(owner: Client) -> None:
    alert_id = owner.ask("/v1/alert/create", GUIDE)[1]["data"]
    reader = Client(owner.service, owner.organization_id, owner.service.key(owner.organization_id))
    stranger = Client(owner.service, "another", owner.service.key("another", Permission.ADMIN))
    assert reader.ask(f"/v1/alert/{alert_id}")[0] == 200
    assert reader.ask("/v1/alert/backtest", GUIDE)[0] == 200
    assert reader.ask("/v1/alert/create", GUIDE)[0] == 403
    assert reader.service.ask(f"/v1/alert/{alert_id}", key=reader.key, method="DELETE")[0] == 403
    assert stranger.ask(f"/v1/alert/{alert_id}")[0] == 404
    assert stranger.service.ask(f"/v1/alert/{alert_id}", key=stranger.key, method="DELETE")[0] == 404


SILENT: list[tuple[str, dict[str, Any], str, str]] = [
    ("threshold and time window", {}, "the value is $", "it fires at or above $100"),
    ("minimum request count", {"minimum_request_count": 100}, "at least 100 are needed", ""),
    (
        "filters",
        {"filter": {"request_response_rmt": {"properties": {"Environment": {"equals": "prod"}}}}},
        "0 of 19 requests in the window fulfil the filter",
        "too restrictive",
    ),
    ("notification channels", {"emails": [], "slack_channels": []}, "it has no channel: nobody is notified", ""),
]


@pytest.mark.parametrize(("check", "changed", "answer", "more"), SILENT)
def test_the_guides_list_for_silent_alerts_is_answered(
    owner: Client, check: str, changed: dict[str, Any], answer: str, more: str
) -> None:
    spend(owner, 30)
    alert_id = owner.ask("/v1/alert/create", GUIDE | changed)[1]["data"]
    found = ask(owner, f"/v1/alert/{alert_id}/explain")
    checks = {one["check"]: one for one in found["checks"]}
    assert (checks[check]["ok"], answer in checks[check]["answer"], more in checks[check]["answer"]) == (
        False,
        True,
        True,
    ), checks[check]
    assert found["window_requests"] == 19
    assert found["summary"].startswith("it is silent")
    assert check != "filters" or answer in found["summary"]


def typed(owner: Client, *arguments: str, code: int = 0) -> str:
    here = ("--url", f"http://127.0.0.1:{owner.service.port}", "--key", owner.key)
    done = CliRunner().invoke(app, ["alerts", *arguments, *here], env={"COLUMNS": "160"})
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def test_an_operator_makes_watches_and_ends_an_alert(owner: Client) -> None:
    spend(owner, 30)
    rule = ("--threshold", "16", "--percents", "50,100", "--calendar", "day", "--filter", "Environment=production")
    made = typed(owner, "create", "Spend", *rule, "--email", "finance@company.com", "--slack", "#alerts")
    assert "It would have fired 3 times" in made, made
    assert "escalated CRITICAL at $16" in made
    assert "cost above 50 % of $16, 100 % of $16, calendar day in UTC" in typed(owner, "list")
    assert "tells finance@company.com" in typed(owner, "show", "Spend")
    explained = typed(owner, "explain", "Spend")
    assert "threshold and time window: the value is $8 from" in explained, explained
    shown = typed(owner, "history", "Spend")
    assert shown == "It fired 0 times.\nNo notice was sent.\nIt was not evaluated yet.\n"
    assert "muted until" in typed(owner, "mute", "Spend", "--until", "2200-01-01")
    assert "muted" not in typed(owner, "mute", "Spend")
    (before,) = ask(owner, "/v1/alert/query")["alerts"]
    changed = typed(owner, "change", "Spend", "--threshold", "20", "--cooldown", "30m", "--minimum", "3")
    assert "cost above 50 % of $20, 100 % of $20, calendar day in UTC" in changed
    (after,) = ask(owner, "/v1/alert/query")["alerts"]
    kept = {"thresholds", "threshold", "cooldown_s", "minimum_request_count", "updated_at", "active_since"}
    assert {name for name in before if before[name] != after[name]} <= kept
    assert (after["cooldown_s"], after["minimum_request_count"]) == (1800, 3)
    assert "80 % of $20" in typed(owner, "change", "Spend", "--percents", "80,100")
    assert "pass what is to change" in typed(owner, "change", "Spend", code=1)
    hook = {"name": "on-call", "kind": "webhook", "url": "https://receiver.example.com/hook"}
    assert owner.service.ask("/v1/channels", hook, key=owner.key)[0] == 201
    assert "tells on-call" in typed(
        owner, "change", "Spend", "--channel", "on-call", "--channel", "finance@company.com"
    )
    assert "tells on-call" in typed(owner, "show", "Spend")
    rate = ("--metric", "error_rate", "--threshold", "1", "--window", "1h", "--by", "user", "--minimum", "5")
    assert "It would have fired 1 time from" in typed(owner, "backtest", *rule, "--since", "1h")
    assert "It would have fired 0 times" in typed(owner, "backtest", *rate)
    misspelled = ("--threshold", "16", "--filter", "Environment=prod")
    warning = "warning: no request has the value 'prod' in properties.Environment"
    assert warning in typed(owner, "backtest", *misspelled)
    assert warning in typed(owner, "create", "Misspelled", *misspelled)
    typed(owner, "delete", "Misspelled")
    assert typed(owner, "delete", "Spend") == "deleted\n"
    when = ("--cooldown", "30m", "--renotify", "4h", "--notify-no-data", "--aggregation", "max")
    assert "there is no channel" in typed(owner, "create", "Dearest", *rule, *when, "--channel", "nobody", code=1)
    typed(owner, "create", "Dearest", *rule, *when, "--channel", "finance@company.com")
    (made,) = ask(owner, "/v1/alert/query")["alerts"]
    assert (made["cooldown_s"], made["renotify_s"], made["notify_no_data"]) == (1800, 14_400, True)
    assert (made["aggregation"], made["emails"]) == ("max", ["finance@company.com"])
    assert "--renotify takes a number and m, h, d or w" in typed(owner, "create", "x", "--renotify", "soon", code=1)
    assert "there is no alert 'Spend'" in typed(owner, "show", "Spend", code=1)
    assert "--window takes a number and m, h, d or w" in typed(owner, "backtest", "--window", "soon", code=1)


def test_what_an_operator_does_not_change_stays(owner: Client) -> None:
    unusual = ROLLING | {"name": "Unusual", "metric": "cost", "condition": "anomaly", "level": "CRITICAL"}
    steps = DAILY | {"name": "Steps", "threshold": 10**9, "thresholds": [{"percent": "1e-8"}, {"percent": 1000}]}
    for given in (unusual, steps):
        assert owner.ask("/v1/alert/create", given)[0] == 200
    before = {one["name"]: one for one in ask(owner, "/v1/alert/query")["alerts"]}
    assert [one["level"] for one in before.values()] == ["CRITICAL", "CRITICAL"]
    for name in before:
        typed(owner, "change", name, "--cooldown", "30m")
    for after in ask(owner, "/v1/alert/query")["alerts"]:
        assert {name for name in after if after[name] != before[after["name"]][name]} <= {"cooldown_s", "updated_at"}
