"""Budgets on their pages: made, overridden and deleted by an admin key, and what they say is what the API says."""

import re
import time
from decimal import Decimal
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.dashboard.browser import OUTPUT, Demo, complete, sign_in
from tests.dashboard.pages import ZONE, serious_faults, shown
from tests.dashboard.readers import ask, reader_of


def line_of(page: Page, name: str) -> Locator:
    return page.locator(f"[data-budget='{name}']")


def spend_of(demo: Demo, name: str) -> dict[str, Any]:
    """Of the value with the least left, once the worker has read the ledger into the counters."""
    deadline = time.monotonic() + 90
    while True:
        found: list[dict[str, Any]] = demo.get("/v1/budgets?spend=true")
        [spend] = [one["spend"]["leading"] for one in found if one["name"] == name]
        if spend["freshness"]["rebuilt"]:
            return dict(spend)
        assert time.monotonic() < deadline, spend
        time.sleep(0.5)


def test_a_budget_is_made_overridden_changed_and_deleted(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "budgets")
    page.get_by_role("button", name="Create a budget").first.click()
    dialog = page.get_by_role("dialog")
    dialog.locator("[name=name]").fill("Search")
    dialog.locator("[name=limit]").fill("0")
    dialog.locator("[name=where]").fill("Feature=search")
    dialog.locator("[name=period]").select_option("rolling")
    dialog.locator("[name=shadow]").check()
    dialog.get_by_role("button", name="Create budget").click()
    refused = dialog.get_by_role("alert")
    expect(refused).to_contain_text("limit_usd must be above 0")
    expect(dialog.locator("[name=limit]")).to_have_attribute("aria-invalid", "true")
    page.screenshot(path=OUTPUT / "budget-form-refused.png")
    assert not serious_faults(page)
    dialog.locator("[name=limit]").fill("1000000")
    dialog.get_by_role("button", name="Create budget").click()
    line = line_of(page, "Search")
    for text in ("the organization with Feature = search", "$1,000,000.00", "any 28 days", "block", "shadow"):
        expect(line).to_contain_text(text)
    line.get_by_role("link", name="Search").click()
    page.get_by_role("button", name="Override").click()
    dialog.locator("[name=limit]").fill("2000000")
    dialog.locator("[name=until]").fill("2199-01-01T00:00")
    dialog.get_by_role("button", name="Override").click()
    expect(page.get_by_text("holds until 1 Jan 2199")).to_be_visible()
    [made] = [one for one in ask(demo, "GET", "/v1/budgets") if one["name"] == "Search"]
    assert made["override"] == {"limit_usd": 2_000_000, "until": "2198-12-31T23:00:00.000Z"}, ZONE
    page.get_by_role("button", name="End the override").click()
    page.get_by_role("button", name="Edit").click()
    dialog.locator("[name=shadow]").uncheck()
    dialog.locator("[name=action]").select_option("notify")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_text("A request without room passes")).to_be_visible()
    page.get_by_role("button", name="Edit").click()
    dialog.locator("[name=action]").select_option("block")
    dialog.get_by_role("button", name="Save").click()
    expect(page.locator("[data-overshoot]")).to_have_text(re.compile(r"^\$[0-9.,]+$"))
    page.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete budget").click()
    expect(line_of(page, "Production")).to_be_visible()
    expect(line_of(page, "Search")).to_have_count(0)


def test_what_was_spent_is_what_the_api_says(page: Page, demo: Demo) -> None:
    spends = {name: spend_of(demo, name) for name in ("Production", "Free tier")}
    sign_in(page, demo, "budgets")
    for name, spend in spends.items():
        assert shown(line_of(page, name).locator("[data-spent]")) == Decimal(spend["spent_usd"])
    page.keyboard.press("g")
    page.keyboard.press("b")
    expect(page.get_by_role("heading", name="Budgets")).to_be_visible()


def test_one_of_those_that_share_a_budget_is_looked_at(page: Page, demo: Demo) -> None:
    leading = spend_of(demo, "Free tier")
    sign_in(page, demo, "budgets")
    line_of(page, "Free tier").get_by_role("link").click()
    expect(page.locator("[data-of]")).to_have_text(leading["value"])
    expect(page.get_by_text("Without bound: it refuses nothing.")).to_be_visible()
    first, second = page.locator("[data-subject]").all()[:2]
    assert shown(first) == Decimal(leading["spent_usd"])
    value = second.get_attribute("data-subject") or ""
    second.get_by_role("button").click()
    expect(page.locator("[data-of]")).to_have_text(value)
    assert f"of={value}" in page.url
    complete(page)
    page.get_by_role("button", name="Show as a table").click()
    last = page.locator("[data-table=growth] tbody tr").last.locator("td").last
    # By the ledger; counters round each value up to nanodollars, and forget a rolling window slot by slot.
    budget = next(one for one in demo.get("/v1/budgets") if one["name"] == "Free tier")
    counter = demo.get(f"/v1/budgets/{budget['id']}?value={value}")["counters"][0]
    assert abs(shown(last) - Decimal(counter["spent_usd"])) < 1


def test_a_reader_sees_budgets_and_no_buttons(page: Page, demo: Demo) -> None:
    with reader_of(demo) as reader:
        sign_in(page, reader, "budgets")
        expect(page.get_by_text("an admin key changes budgets")).to_be_visible()
        line_of(page, "Production").get_by_role("link").click()
        expect(page.get_by_role("heading", name="Production")).to_be_visible()
        for name in ("Override", "Edit", "Delete", re.compile("Create a budget")):
            expect(page.get_by_role("button", name=name)).to_have_count(0)


def test_where_a_budget_is_heading_is_what_the_api_foresees(page: Page, demo: Demo) -> None:
    wanted = {"name": "By the month", "limit_usd": 1, "where": {"Feature": "chat"}, "action": "notify"}
    budget = ask(demo, "POST", "/v1/budgets", wanted)
    foreseen = demo.get(f"/v1/budgets/{budget['id']}")["forecast"]
    sign_in(page, demo, f"budgets/{budget['id']}")
    text = "there is no forecast yet" if foreseen is None else f"comes to ${Decimal(foreseen['spent_usd']):,.2f}"
    expect(page.locator("[data-forecast]")).to_contain_text(text)
    ask(demo, "DELETE", f"/v1/budgets/{budget['id']}")
