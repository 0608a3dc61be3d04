"""The pages of alerts: how they stand, making one beside its back-test, and why one is silent."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from services.cli.demo.alerts import ALERTS
from tests.dashboard.browser import OUTPUT, Demo, complete, context, sign_in
from tests.dashboard.pages import serious_faults
from tests.dashboard.readers import reader_of

NAMES = [alert["name"] for alert in ALERTS]
FIRING, SILENT = "Weekly budget", "Production by another name"
STATES = {"CRITICAL": "Critical", "WARNING": "Warning", "OK": "OK", "NO_DATA": "No data"}


@pytest.fixture(scope="module")
def reader(demo: Demo) -> Iterator[Demo]:
    with reader_of(demo) as reader:
        yield reader


def alert_named(demo: Demo, name: str) -> dict[str, Any]:
    (found,) = [one for one in demo.get("/v1/alert/query")["alerts"] if one["name"] == name]
    alert: dict[str, Any] = found
    return alert


def until_evaluated(page: Page, name: str = FIRING) -> None:
    """The demo's scheduler looks at each alert within a minute; the page asks by itself."""
    row = page.locator(f"[data-alert='{name}']")
    expect(row.locator("[data-state]").first).to_have_text(re.compile("Critical|Warning|No data"))


def test_each_alert_stands_as_the_api_says(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "alerts")
    until_evaluated(page)
    until_evaluated(page, SILENT)
    complete(page)
    page.reload()
    complete(page)
    for name in NAMES:
        alert, row = alert_named(demo, name), page.locator(f"[data-alert='{name}']")
        expect(row.locator("[data-state]").first).to_have_text(STATES[alert["state"]])
    firing = alert_named(demo, FIRING)
    shown = page.locator(f"[data-alert='{FIRING}'] [data-now]").get_attribute("data-now") or ""
    # It is evaluated again each minute, and calls of other tests may come meanwhile.
    assert abs(Decimal(shown) - Decimal(firing["evaluation"]["value"])) < 5
    expect(page.locator(f"[data-alert='{FIRING}']")).to_contain_text("Cost of Environment = production over 7 days")
    expect(page.locator(f"[data-alert='{SILENT}']")).to_contain_text("no requests")
    states = demo.get("/v1/alert/states")
    count = int(states["WARNING"]) + int(states["CRITICAL"])
    mark = page.get_by_role("navigation", name="Pages").locator("[data-level=critical]")
    expect(mark).to_contain_text(str(count))
    expect(page.locator(f"[data-table=episodes] [data-episode='{FIRING}']")).to_contain_text("still fires")
    page.screenshot(path=OUTPUT / "alerts.png", full_page=True)
    assert not serious_faults(page)


def test_an_alert_says_why_it_is_silent_and_another_which_notices_it_sent(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "alerts")
    page.locator(f"[data-alert='{SILENT}'] a").first.click()
    expect(page.locator("[data-check=filters]")).to_have_attribute("data-ok", "false")
    expect(page.locator("[data-summary]")).to_contain_text("requests in the window fulfil the filter")
    page.screenshot(path=OUTPUT / "alert-silent.png", full_page=True)
    page.go_back()
    page.locator(f"[data-alert='{FIRING}'] a").first.click()
    tried = demo.post(
        "/v1/alert/backtest", **{key: value for key, value in ALERTS[0].items() if key != "emails"}, since="30d"
    )
    expect(page.locator("[data-fired]")).to_have_attribute("data-fired", str(tried["fired"]))
    # The demo has no mail server: each attempt says so, and so does the list of reasons.
    expect(page.locator("[data-table=notices] tbody tr").first).to_contain_text("FAREBOX_SMTP_URL")
    expect(page.locator("[data-check='notification channels']")).to_have_attribute("data-ok", "false")
    complete(page)
    page.screenshot(path=OUTPUT / "alert.png", full_page=True)
    assert not serious_faults(page)
    page.get_by_role("button", name="Show as a table").click()
    expect(page.locator("[data-table=past-notices] tbody tr")).to_have_count(len(tried["events"]))
    page.get_by_role("button", name="Show the last day").click()
    assert "past=day" in page.url
    expect(page.locator("[data-table=evaluations] tbody tr").first).to_contain_text("$")


def test_groups_that_fire_stand_by_their_numbers(page: Page, demo: Demo) -> None:
    alert = alert_named(demo, "Expensive users")
    sign_in(page, demo, f"alerts/{alert['id']}")
    page.locator("[data-table=groups] tbody tr").first.wait_for()
    complete(page)
    groups = demo.get(f"/v1/alert/{alert['id']}")["groups"]
    for one in groups:
        expect(page.locator(f"[data-group='{one['group']['user_id']}']")).to_contain_text(STATES[one["state"]])
    page.screenshot(path=OUTPUT / "alert-groups.png", full_page=True)


def test_an_alert_is_made_beside_its_back_test_edited_muted_and_deleted(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "alerts")
    page.get_by_role("link", name="New alert").click()
    form = page.get_by_role("form", name="New alert")
    form.get_by_label("Name").fill("Chat by day")
    form.get_by_label("Filter", exact=True).fill("Feature=chat")
    form.get_by_label("Filter", exact=True).press("Enter")
    form.get_by_text("a calendar…").click()
    form.get_by_label("Calendar", exact=True).select_option("day")
    form.get_by_text("in steps of percent").click()
    form.get_by_label("100 percent are").fill("40")
    sentence = page.locator("[data-fired]")
    sentence.wait_for()
    wanted = {
        "name": "preview",
        "metric": "cost",
        "threshold": "40",
        "thresholds": [{"percent": percent} for percent in (50, 80, 95, 100)],
        "calendar": "day",
        "time_zone": "Europe/Berlin",
        "filter": {"request_response_rmt": {"properties": {"Feature": {"equals": "chat"}}}},
    }
    tried = demo.post("/v1/alert/backtest", **wanted, since="30d")
    expect(sentence).to_have_attribute("data-fired", str(tried["fired"]))
    page.wait_for_url(re.compile("draft="))
    complete(page)
    page.screenshot(path=OUTPUT / "alert-form.png", full_page=True)
    assert not serious_faults(page)
    page.reload()
    expect(page.get_by_label("100 percent are")).to_have_value("40")  # the URL has the whole form
    page.get_by_role("button", name="Create alert").click()
    expect(page.get_by_role("heading", name="Chat by day", exact=True)).to_be_visible()
    assert "draft" not in page.url
    made = alert_named(demo, "Chat by day")
    assert [one["label"] for one in made["thresholds"]] == [f"{percent} % of $40" for percent in (50, 80, 95, 100)]

    page.get_by_role("link", name="Edit").click()
    page.get_by_role("form", name="Edit Chat by day").get_by_label("100 percent are").fill("2000")
    page.get_by_role("button", name="Save alert").click()
    expect(page.get_by_role("heading", name="Chat by day", exact=True)).to_be_visible()
    changed = alert_named(demo, "Chat by day")
    assert ([one["value"] for one in changed["thresholds"]], changed["filter"]) == (
        ["1000", "1600", "1900", "2000"],
        wanted["filter"],
    )

    page.get_by_role("button", name="Mute").click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("Mute until")).click()
    expect(page.get_by_text("muted until").first).to_be_visible()
    assert alert_named(demo, "Chat by day")["muted_until"]
    page.get_by_role("button", name="Unmute").click()
    expect(page.get_by_role("button", name="Mute", exact=True)).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete alert").click()
    expect(page.get_by_role("heading", name="Alerts", exact=True)).to_be_visible()
    expect(page.locator("[data-alert='Chat by day']")).to_have_count(0)


def test_what_is_refused_stands_beside_its_field(browser: Browser, demo: Demo) -> None:
    draft = {"name": "Too little", "threshold": "0.001", "length": "0"}
    opened = context(browser)
    page = opened.new_page()  # the console of the shared one may hold no refusal
    sign_in(page, demo, f"alerts/new?draft={quote(json.dumps(draft))}")
    expect(page.get_by_role("alert")).to_have_text(re.compile("it lies between 30 seconds and 30 days"))
    page.get_by_label("Length").fill("24")
    page.get_by_label("E-mail addresses").fill("finance")
    expect(page.get_by_role("alert")).to_have_text(re.compile("at least 0.01 US dollars"))
    page.get_by_label("Threshold", exact=True).fill("5")
    page.get_by_role("button", name="Create alert").click()
    expect(page.get_by_role("alert")).to_have_text(re.compile("'finance' is not a mail address"))
    expect(page.get_by_label("E-mail addresses")).to_have_attribute("aria-invalid", "true")
    page.screenshot(path=OUTPUT / "alert-form-refused.png", full_page=True)
    opened.close()


def test_a_reader_sees_and_tries_alerts_and_changes_none(page: Page, reader: Demo) -> None:
    sign_in(page, reader, "alerts")
    page.locator(f"[data-alert='{FIRING}']").wait_for()
    expect(page.get_by_text("Your key may read")).to_be_visible()
    for name in ("Mute", "Unmute", "Delete"):
        expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)
    expect(page.get_by_role("link", name="New alert")).to_have_count(0)
    page.locator(f"[data-alert='{FIRING}'] a").first.click()
    page.locator("[data-check=filters]").wait_for()
    expect(page.get_by_role("link", name="Edit")).to_have_count(0)


def test_the_first_alert_is_proposed_where_there_is_none(page: Page, demo: Demo) -> None:
    nothing = {"data": {"alerts": [], "history": [], "historyTotalCount": 0}, "error": None}
    page.route("**/v1/alert/query", lambda route: route.fulfill(json=nothing))
    sign_in(page, demo, "")
    page.keyboard.press("g")
    page.keyboard.press("a")
    expect(page.get_by_role("link", name="Make the first alert")).to_be_visible()
    page.screenshot(path=OUTPUT / "alerts-none.png")
