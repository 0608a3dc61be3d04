"""The dashboard as people use it, in a real browser against the real system with the demo's data.

Pictures of what was seen are kept in tests/dashboard/output, to be looked at.
"""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from playwright.sync_api import Page, Route, expect

from tests.dashboard.browser import OUTPUT, Demo, complete, settled, sign_in
from tests.dashboard.pages import ZONE, cost, shown, since, total


def test_the_demo_ends_with_its_address(demo: Demo) -> None:
    assert demo.url in demo.output.strip().splitlines()[-1]


def test_a_wrong_key_is_told_so_and_a_right_one_opens_what_was_asked_for(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}requests")
    page.get_by_label("API key").fill("sk-farebox-no-such-key")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("This API key is unknown or revoked.")
    page.screenshot(path=OUTPUT / "sign-in-wrong.png")
    page.get_by_label("API key").fill(demo.key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Requests")).to_be_visible()
    assert not page.evaluate("document.cookie")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API key")).to_be_visible()


def test_the_overview_is_what_the_report_says_to_the_last_digit_and_leads_to_what_is_unknown(
    page: Page, demo: Demo
) -> None:
    sign_in(page, demo)
    settled(page)
    period = {"timeFilter": {"start": since(6)}, "timeZone": ZONE}
    tree = [{"property": "Environment"}, {"property": "Feature"}]
    report = demo.report(
        **period,
        measures=["cost_usd", "cache_savings_usd"],
        by=[{"property": "Feature"}],
        breakdowns=[{"by": [{"column": "user_id"}]}, {"by": tree}],
    )
    assert shown(total(page)) == cost(report["total"])
    assert shown(page.locator("[data-tile=Savings] [data-exact]")) == cost(report["total"], "cache_savings_usd")
    for row in report["rows"]:
        assert shown(page.locator(f"[data-group='{row['by'][0]}']")) == cost(row["measures"])
    users = {row["by"][0]: cost(row["measures"]) for row in report["breakdowns"][0]["rows"]}
    for line in page.locator("[data-table=users] tbody tr").all():
        assert shown(line) == users[line.get_by_role("button").inner_text()]
    lines = [shown(line) for line in page.locator("[data-table=tree] tbody tr").all()]
    leaves = [cost(row["measures"]) for row in report["breakdowns"][1]["rows"]]
    assert sum(lines) == 2 * sum(leaves) == 2 * cost(report["total"])  # each feature, and in its environment
    expect(total(page)).to_contain_text("+ unknown")
    page.get_by_role("link", name=re.compile("priced")).click()
    expect(page.get_by_role("row").nth(1)).to_contain_text("unknown")
    page.screenshot(path=OUTPUT / "requests-unpriced.png")


def test_the_total_is_asked_for_first_and_alone_and_what_is_below_all_else_when_it_is_near(
    page: Page, demo: Demo
) -> None:
    sign_in(page, demo, "settings")
    complete(page)
    seen: list[tuple[str, str]] = []
    page.on("request", lambda request: seen.append(("asked", urlsplit(request.url).path)))
    page.on("response", lambda response: seen.append(("answered", urlsplit(response.url).path)))
    page.goto(f"{demo.url}?range=28d")
    settled(page)
    first, second, *_, last = ((what, path) for what, path in seen if path.startswith("/v1/"))
    assert (first, second) == (("asked", "/v1/report"), ("answered", "/v1/report"))
    assert last == ("answered", "/v1/report/anomalies")
    assert ("asked", "/v1/prices/unknown") not in seen
    page.mouse.wheel(0, 5000)
    page.locator("[data-list=unpriced]").wait_for()


def test_what_is_unusual_is_what_the_api_says_and_leads_to_who_it_was(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "?range=28d")
    settled(page)
    period = {"timeFilter": {"start": since(27)}, "timeZone": ZONE}
    asked = {**period, "direction": "both", "orderBy": "dearest", "groups": 20, "limit": 15}
    found = demo.post("/v1/report/anomalies", **asked)["anomalies"]
    patterns = {json.dumps([one["group"], one["since"]]): one for one in reversed(found)}  # the dearest figure of each
    first = sorted(patterns.values(), key=found.index)[:5]
    lines = page.locator("[data-list=unusual] li")
    expect(lines).to_have_count(len(first))
    for line, anomaly in zip(lines.all(), first, strict=True):
        if anomaly["unit"] == "USD":
            assert shown(line) == Decimal(anomaly["excess"])
    expect(lines.filter(has_text="user-813").first).to_contain_text("mostly Feature document-analysis")
    features = [one["group"]["properties.Feature"] for one in found if "properties.Feature" in one["group"]]
    for feature in features[:1]:  # what is unusual depends on the hour at which the demo runs
        lines.get_by_role("button", name=feature, exact=True).first.click()
        expect(page.get_by_role("navigation", name="Breadcrumb")).to_contain_text(f"Feature = {feature}")


def test_today_begins_at_midnight_of_the_zone(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "settings")
    for zone in ("America/New_York", "Pacific/Auckland"):
        page.goto(f"{demo.url}?zone={zone}")
        settled(page)
        for tile, days in (("Today", 0), ("This week", datetime.now(UTC).astimezone(ZoneInfo(zone)).weekday())):
            report = demo.report(measures=["cost_usd"], timeFilter={"start": since(days, zone)}, timeZone=zone)
            if report["total"]["cost_usd"] is not None:
                assert shown(page.locator(f"[data-tile='{tile}'] [data-exact]")) == cost(report["total"]), zone


def test_a_filter_is_typed_with_suggestions_kept_in_the_url_and_taken_back(page: Page, demo: Demo) -> None:
    sign_in(page, demo)
    settled(page)
    whole = shown(total(page))
    page.keyboard.press("/")
    page.keyboard.type("feat")
    expect(page.get_by_role("option").first).to_have_text(re.compile("Feature"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("option").first).to_be_visible()
    page.screenshot(path=OUTPUT / "filter-suggestions.png")
    page.keyboard.type("sea")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Remove Feature = search")).to_be_visible()
    report = demo.report(
        measures=["cost_usd"],
        timeFilter={"start": since(6)},
        timeZone=ZONE,
        filter={"request_response_rmt": {"properties": {"Feature": {"equals": "search"}}}},
    )
    settled(page)
    assert shown(total(page)) == cost(report["total"])
    page.reload()
    settled(page)
    assert shown(total(page)) == cost(report["total"])
    page.go_back()
    expect(page.get_by_role("button", name="Remove Feature = search")).to_have_count(0)
    settled(page)
    assert shown(total(page)) == whole


def test_the_chart_is_switched_has_a_table_zooms_and_is_kept_in_a_link(page: Page, demo: Demo) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    sign_in(page, demo)
    settled(page)
    report = demo.report(measures=["cost_usd"], timeFilter={"start": since(6)}, timeZone=ZONE, by=[{"time": "day"}])
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/v1/report", hold)
    page.get_by_role("button", name="user tier", exact=True).click()
    expect(page.get_by_role("button", name="user tier", exact=True)).to_have_attribute("aria-pressed", "true")
    assert page.get_by_role("heading", name="Spend by Feature").is_visible()  # as are the groups, until others come
    page.route("**/v1/report", lambda route: route.continue_())
    for route in held:
        route.continue_()
    expect(page.get_by_role("heading", name="Spend by UserTier")).to_be_visible()
    settled(page)
    page.get_by_text("The same as a table").click()
    days = page.locator("[data-table=bars] tbody tr")
    expect(days).to_have_count(7)
    read = [shown(day) for day in days.all() if day.locator("[title^='$']").count()]
    assert read == [cost(row["measures"]) for row in report["rows"] if row["measures"]["cost_usd"] is not None]
    labels = [day.locator("th, td").first.inner_text() for day in days.all()]
    page.screenshot(path=OUTPUT / "overview-table.png", full_page=True)
    page.get_by_text("The same as a table").click()
    box = page.locator("canvas").first.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 100, steps=4)
    expect(page.locator("[data-band]")).to_be_visible()
    first, last = page.locator("[data-tooltip] strong").inner_text().split(" – ")
    together = sum(read[labels.index(first) : labels.index(last) + 1])
    assert Decimal(page.locator("[data-tooltip] dd").last.inner_text().lstrip("$")) == round(together, 2)
    page.mouse.up()
    expect(page).to_have_url(re.compile("from="))
    settled(page)
    page.keyboard.press("Escape")
    expect(page).not_to_have_url(re.compile("from="))
    settled(page)
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert "range" not in link
    page.goto(link)
    settled(page)
    assert shown(total(page)) > 0
    expect(page.get_by_role("button", name="Range: ")).not_to_contain_text("now")


def test_a_card_that_fails_says_why_and_the_others_live(page: Page, demo: Demo) -> None:
    page.route("**/v1/report/changes", lambda route: route.abort())
    sign_in(page, demo)
    expect(page.get_by_role("alert")).to_contain_text("Farebox cannot be reached")
    assert shown(total(page)) > 0
    page.screenshot(path=OUTPUT / "overview-error.png", full_page=True)
    page.unroute("**/v1/report/changes")
    page.get_by_role("button", name="Try again").click()
    settled(page)


def test_a_filter_that_leaves_nothing_offers_to_take_each_chip_away(page: Page, demo: Demo) -> None:
    sign_in(page, demo, '?filter=[["@Feature","equals","chat"],["model","equals","no-such-model"]]')
    expect(page.get_by_role("button", name="Without Feature = chat")).to_contain_text("0 requests")
    expect(page.get_by_role("button", name="Without model = no-such-model")).to_contain_text(re.compile(r"[1-9]"))
    page.screenshot(path=OUTPUT / "overview-empty.png", full_page=True)
    page.get_by_role("button", name="Without model = no-such-model").click()
    settled(page)
