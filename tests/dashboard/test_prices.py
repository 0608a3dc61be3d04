"""The page of prices, as an admin and as a reader: what is charged by what, pricing a model, and charging again."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.browser import OUTPUT, Demo, context, drawn, settled, sign_in
from tests.dashboard.pages import ZONE, cost, serious_faults, shown, since
from tests.dashboard.readers import reader_of

UNPRICED = "acme-internal-7b"


def prices(page: Page) -> None:
    """Until all of the page is there."""
    page.locator("[data-table=used] tbody tr").first.wait_for()
    expect(page.locator("[data-skeleton]")).to_have_count(0)
    page.wait_for_load_state("networkidle")
    drawn(page)


@pytest.fixture(scope="module")
def reader(demo: Demo) -> Iterator[Demo]:
    with reader_of(demo) as reader:
        yield reader


def test_each_model_in_use_has_its_price_source_and_share(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "prices")
    prices(page)
    used: dict[str, Any] = demo.get(f"/v1/prices/used?since={since(27)}&time_zone={ZONE}")
    page.get_by_role("button", name=re.compile("Show all")).click()
    lines = page.locator("[data-table=used] tbody tr")
    expect(lines).to_have_count(len(used["models"]))
    sums = [shown(line.locator("td").nth(-2)) for line in lines.all() if line.locator("[title^='$']").count()]
    assert abs(sum(sums) - shown(page.locator("[data-total=used]"))) < Decimal(
        "0.01"
    )  # others may be counted meanwhile
    # The last 28 days are the same days here and on every other page.
    whole = cost(demo.report(measures=["cost_usd"], timeFilter={"start": since(27)}, timeZone=ZONE)["total"])
    assert abs(shown(page.locator("[data-total=used]")) - whole) < Decimal("0.01")
    gpt = page.locator("[data-model='gpt-4o-2024-08-06']")
    expect(gpt).to_contain_text("$2.50")
    expect(gpt).to_contain_text("genai-prices")
    expect(page.locator(f"[data-model='{UNPRICED}']")).to_contain_text("no price")
    unpriced = page.locator("[data-list=unpriced] article").filter(has_text=UNPRICED).get_by_role("link").first
    expect(unpriced).to_have_attribute("href", re.compile("range=28d"))


def test_a_model_is_priced_charged_again_and_put_back(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "prices")
    prices(page)
    card = page.locator("[data-list=unpriced] article").filter(has_text=UNPRICED)
    card.get_by_role("button", name="Add a price").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Model")).to_have_value(UNPRICED)
    expect(dialog.get_by_label("Input", exact=True)).to_have_value("")  # nothing is proposed by itself
    dialog.get_by_label("Input", exact=True).fill("0.60")
    dialog.get_by_label("Output", exact=True).fill("1.8")
    dialog.get_by_label("Cached input").fill("0.06")
    # It ends in the past, so that the traffic of the demo stays as other tests know it.
    until = datetime.now(ZoneInfo(ZONE)) - timedelta(minutes=1)
    dialog.get_by_label("Valid until").fill(until.strftime("%Y-%m-%dT%H:%M"))
    page.screenshot(path=OUTPUT / "prices-form.png")
    assert not serious_faults(page)
    dialog.get_by_role("button", name="Add price").click()
    dialog.get_by_role("button", name="See what charging again changes").click()
    change = page.locator("[data-reprice-change]")
    change.wait_for()
    page.screenshot(path=OUTPUT / "prices-preview.png")
    assert Decimal(change.get_attribute("data-reprice-change") or "0") > 0
    assert not [run for run in demo.get("/v1/reprice") if not run["dry_run"]], "a preview changes nothing"
    dialog.get_by_role("button", name=re.compile("Charge .* again")).click()
    expect(dialog.get_by_role("status")).to_contain_text("Done")
    page.screenshot(path=OUTPUT / "prices-charged.png")
    (run,) = [run for run in demo.get("/v1/reprice") if not run["dry_run"]]
    assert run["total"]["difference_usd"] == change.get_attribute("data-reprice-change")
    dialog.get_by_role("button", name="Close", exact=True).last.click()
    prices(page)
    expect(page.locator("[data-table=own] tbody tr")).to_contain_text([UNPRICED])
    page.screenshot(path=OUTPUT / "prices-after.png", full_page=True)
    page.locator("[data-table=runs]").get_by_role("button", name="Undo").click()
    expect(page.locator("[data-table=runs] tbody tr")).to_contain_text(["undone"])
    (run,) = [run for run in demo.get("/v1/reprice") if not run["dry_run"]]
    assert (run["state"], run["rows_left"]) == ("undone", "0")


def test_a_price_that_cannot_be_is_refused_in_the_servers_words(browser: Browser, demo: Demo) -> None:
    opened = context(browser)
    page = opened.new_page()  # the console of the shared one may hold no refusal
    sign_in(page, demo, "prices")
    page.get_by_role("button", name="Add a price").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Model").fill("another-model")
    dialog.get_by_role("button", name="Add price").click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    page.screenshot(path=OUTPUT / "prices-refused.png")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    opened.close()


def test_a_reader_sees_prices_and_no_buttons(page: Page, reader: Demo) -> None:
    sign_in(page, reader, "prices")
    prices(page)
    expect(page.get_by_text("Your key may read")).to_be_visible()
    for name in ("Add a price", "Charge again", "Charge all again", "Undo", "End"):
        expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)
    page.screenshot(path=OUTPUT / "prices-reader.png", full_page=True)


def test_a_card_of_prices_that_fails_says_why_and_the_others_live(page: Page, demo: Demo) -> None:
    page.route("**/v1/prices/used*", lambda route: route.abort())
    sign_in(page, demo, "prices")
    expect(page.get_by_role("alert")).to_contain_text("Farebox cannot be reached")
    page.locator("[data-list=unpriced]").wait_for()
    page.screenshot(path=OUTPUT / "prices-error.png", full_page=True)
    page.unroute("**/v1/prices/used*")
    page.get_by_role("button", name="Try again").click()
    prices(page)


def test_the_overview_prices_a_model_in_one_click(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "?range=28d")
    settled(page)
    page.mouse.wheel(0, 5000)  # what stands below all else is asked for when it is near
    page.locator("[data-list=unpriced]").get_by_role("button", name="Add a price").first.click()
    expect(page.get_by_role("dialog").get_by_label("Model")).to_have_value(UNPRICED)
    expect(page.get_by_role("dialog").get_by_label("Valid from")).not_to_have_value("")
    unknown = page.locator("[data-group=unknown] td").last.inner_text().split()[0]
    expect(page.locator("section").filter(has=page.locator("[data-list=unpriced]"))).to_contain_text(f"{unknown} of ")
