"""The page of the cache: its sums are the API's, and each card says what it takes for granted."""

from decimal import Decimal
from typing import Any

from playwright.sync_api import Page, expect

from tests.dashboard.browser import OUTPUT, Demo, complete, sign_in
from tests.dashboard.pages import ZONE, shown, since

WIDE = "cache?range=28d"


def settled(page: Page) -> None:
    for table in ("saved", "repeats", "losses", "what-if"):
        page.locator(f"[data-table={table}] tbody tr").first.wait_for()
    page.locator("[data-list=top] li").first.wait_for()
    complete(page)


def period() -> dict[str, Any]:
    return {"timeFilter": {"start": since(27)}, "timeZone": ZONE}


def test_what_the_page_shows_is_what_the_api_says_to_the_last_digit(page: Page, demo: Demo) -> None:
    sign_in(page, demo, WIDE)
    settled(page)
    report = demo.report(**period(), measures=["cache_savings_usd", "cache_hits"], by=[{"property": "Feature"}])
    assert shown(page.locator("[data-tile=Saved] [data-exact]")) == Decimal(report["total"]["cache_savings_usd"])
    saved = {row["by"][0]: Decimal(row["measures"]["cache_savings_usd"]) for row in report["rows"]}
    for line in page.locator("[data-table=saved] tbody tr").all():
        assert shown(line.locator("td").last) == saved[line.get_by_role("button").inner_text()]
    whole = page.locator("[data-table=saved] tfoot td").last
    assert shown(whole) == Decimal(report["total"]["cache_savings_usd"]) == sum(saved.values())
    # However many have no line of their own, the lines add up to the total.
    page.get_by_role("group", name="Savings by").get_by_role("button", name="user").click()
    lines = page.locator("[data-table=saved] tbody tr, [data-table=saved] [data-rest]").locator("td:last-child")
    assert sum(shown(line) for line in lines.all() if line.locator("[title^='$']").count()) == shown(whole)
    repeats = demo.post("/v1/savings/repeats", **period())
    assert shown(page.locator("[data-sum=repeats]")) == Decimal(repeats["total"]["saved_usd"])
    caches = demo.post("/v1/savings/prompt-cache", **period())["total"]
    assert shown(page.locator("[data-fact='saved by reading'] dd")) == Decimal(caches["read_saved_usd"])
    assert shown(page.locator("[data-fact='paid more for writing'] dd")) == Decimal(caches["write_extra_usd"])
    net = Decimal(caches["read_saved_usd"]) - Decimal(caches["write_extra_usd"])
    assert shown(page.locator('[data-tile="Providers\' prompt caches"] [data-exact]')) == net


def test_another_model_can_be_compared_and_repeats_lead_to_their_requests(page: Page, demo: Demo) -> None:
    sign_in(page, demo, WIDE)
    settled(page)
    page.get_by_label("Another model").fill("gpt-4o-mini")
    page.get_by_label("Its provider").fill("openai")
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.locator("[data-table=what-if]")).to_contain_text("OPENAI gpt-4o-mini")
    page.get_by_text("What this takes for granted").last.click()
    expect(page.get_by_role("listitem").filter(has_text="Another model may count")).to_be_visible()
    page.locator("[data-table=repeats] tbody tr").first.get_by_role("link").click()
    expect(page.get_by_role("heading", name="Requests")).to_be_visible()
    page.get_by_role("row").nth(2).wait_for()


def test_a_card_that_fails_says_why_and_the_others_live(page: Page, demo: Demo) -> None:
    page.route("**/v1/savings/what-if", lambda route: route.abort())
    sign_in(page, demo, WIDE)
    expect(page.get_by_role("alert")).to_contain_text("Farebox cannot be reached")
    page.locator("[data-table=repeats] tbody tr").first.wait_for()
    page.screenshot(path=OUTPUT / "cache-error.png", full_page=True)
    page.unroute("**/v1/savings/what-if")
    page.get_by_role("button", name="Try again").click()
    settled(page)


def test_without_a_request_the_page_says_how_the_cache_is_used(page: Page, demo: Demo) -> None:
    sign_in(page, demo, WIDE + '&filter=[["model","equals","no-such-model"]]')
    expect(page.get_by_role("region", name="Hit rate over time")).to_contain_text("Helicone-Cache-Enabled: true")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=OUTPUT / "cache-empty.png", full_page=True)
