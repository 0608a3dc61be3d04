"""Users in the dashboard: the list with every figure of the user metrics, and the page of one of them."""

import re
import urllib.request
from decimal import Decimal
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.dashboard.browser import OUTPUT, Demo, drawn, sign_in
from tests.dashboard.pages import ZONE, cost, shown, since

FOUR_WEEKS = {"timeFilter": {"start": since(27)}, "timeZone": ZONE}
USER = "user-789"
OF_USER = {"request_response_rmt": {"user_id": {"equals": USER}}}


def users_of(demo: Demo, **body: object) -> dict[str, Any]:
    asked = {"measures": ["cost_usd", "requests", "p95_latency_ms"], "by": [{"column": "user_id"}], **FOUR_WEEKS}
    return demo.report(**asked, **body)


def cell(row: Locator, name: str) -> Locator:
    return row.locator(f"[data-cell={name}]")


def foot(page: Page, name: str) -> Locator:
    return page.locator(f"[data-foot={name}]")


def settled(page: Page) -> None:
    """Until all that was asked has come, and is drawn."""
    page.wait_for_load_state("networkidle")
    expect(page.locator("[aria-busy=true], [data-skeleton]")).to_have_count(0)
    drawn(page)


def test_the_list_of_users_is_what_the_report_says_to_the_last_digit(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "users?range=28d")
    settled(page)
    report = users_of(demo)
    costs = {row["by"][0]: cost(row["measures"]) for row in report["rows"]}
    rows = page.locator("[data-row]").all()
    assert len(rows) >= 10
    for row in rows:
        assert shown(cell(row, "cost_usd")) == costs[row.get_attribute("data-row")]
    assert shown(cell(foot(page, "total"), "cost_usd")) == cost(report["total"])
    tiers = demo.report(
        **FOUR_WEEKS, measures=["cost_usd", "cost_per_user_usd", "active_users"], by=[{"property": "UserTier"}]
    )
    for row in tiers["rows"]:
        line = page.locator(f"[data-tier='{row['by'][0] or ''}']")
        assert shown(cell(line, "cost_usd")) == cost(row["measures"])
        assert shown(cell(line, "cost_per_user_usd")) == cost(row["measures"], "cost_per_user_usd")


def test_users_are_sorted_by_any_figure_and_found_by_what_they_spent(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "users?range=28d")
    settled(page)
    page.get_by_role("button", name="p95 latency").click()
    expect(page.get_by_role("columnheader", name="p95 latency")).to_have_attribute("aria-sort", "descending")
    settled(page)
    slowest = users_of(demo, orderBy={"measure": "p95_latency_ms"})["rows"]
    most = slowest[0]["measures"]["p95_latency_ms"]
    first = "|".join(row["by"][0] for row in slowest if row["measures"]["p95_latency_ms"] == most)
    expect(page.locator("[data-row]").first).to_have_attribute("data-row", re.compile(f"^({first})$"))
    page.get_by_label("Spent at least").fill("60")
    page.keyboard.press("Enter")
    expect(foot(page, "rest")).to_be_visible()
    settled(page)
    report = users_of(demo, having={"cost_usd": {"gte": 60}})
    assert {row.get_attribute("data-row") for row in page.locator("[data-row]").all()} == {
        row["by"][0] for row in report["rows"]
    }
    assert shown(cell(foot(page, "rest"), "cost_usd")) == cost(report["rest"])
    assert "over=60" in page.url
    assert "sorted=-p95_latency_ms" in page.url
    page.screenshot(path=OUTPUT / "users-over.png")
    page.get_by_label("Find a user").fill("no-such-user")
    page.get_by_role("button", name="Without user contains no-such-user").wait_for()
    page.screenshot(path=OUTPUT / "users-empty.png")
    page.get_by_role("button", name="Without user contains no-such-user").click()
    expect(page.locator("[data-row]").first).to_be_visible()


def test_keys_choose_a_user_open_it_and_come_back(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "users?range=28d")
    settled(page)
    row = page.locator("[data-row]").nth(1)
    clicked, user = shown(cell(row, "cost_usd")), row.get_attribute("data-row")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("navigation", name="Breadcrumb")).to_contain_text(f"user = {user}")
    settled(page)
    assert shown(page.get_by_role("heading", level=1)) == clicked
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Users", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name=f"Remove user = {user}")).to_have_count(0)
    page.go_back()
    expect(page.get_by_role("button", name=f"Remove user = {user}")).to_be_visible()
    page.get_by_role("button", name=f"Remove user = {user}").click()
    expect(page.get_by_role("heading", name="Users", exact=True)).to_be_visible()


def test_the_page_of_a_user_adds_up_by_day_model_and_feature(page: Page, demo: Demo) -> None:
    sign_in(page, demo, f"users/{USER}?range=28d")
    settled(page)
    report = demo.report(
        **FOUR_WEEKS, measures=["cost_usd", "requests", "sessions"], filter=OF_USER, by=[{"column": "model"}]
    )
    total = cost(report["total"])
    assert shown(page.get_by_role("heading", level=1)) == total
    for name, figure in (("Requests", "requests"), ("Sessions", "sessions")):
        expect(page.locator(f"[data-fact={name}] dd")).to_have_text(f"{int(report['total'][figure]):,}")
    models = {row["by"][0]: row["measures"]["cost_usd"] for row in report["rows"]}
    for line in page.locator("[data-table=model] tbody tr").all():
        known = models[line.get_by_role("button").inner_text()]
        if known is not None:
            assert shown(line) == Decimal(known)
    page.get_by_role("button", name="Show as a table").click()
    days = page.locator("[data-table=over-time] [data-cell=cost_usd]")
    expect(days).to_have_count(28)
    assert sum(shown(day) for day in days.all() if day.inner_text() != "unknown") == total
    first = demo.report(timeFilter={"start": "2000-01-01"}, measures=["first_request_at"], filter=OF_USER)["total"]
    seen = page.locator("[data-ever] time").first.get_attribute("datetime")
    assert seen == first["first_request_at"]


def test_margin_is_there_once_value_is_given(page: Page, demo: Demo) -> None:
    entry = {"id": "test-of-margin", "amount": 400, "at": since(1), "userId": USER}
    sign_in(page, demo, f"users/{USER}?range=28d")
    expect(page.locator("[data-fact=Requests]")).to_be_visible()
    settled(page)
    expect(page.locator("[data-fact=Margin]")).to_have_count(0)
    demo.post("/v1/value", values=[entry])
    try:
        page.reload()
        expect(page.locator("[data-fact=Margin]")).to_be_visible()
        report = demo.report(**FOUR_WEEKS, measures=["margin_usd"], filter=OF_USER)
        assert shown(page.locator("[data-fact=Margin]")) == cost(report["total"], "margin_usd")
    finally:
        url = f"{demo.query_url}/v1/value/{entry['id']}"
        headers = {"Authorization": f"Bearer {demo.key}"}
        urllib.request.urlopen(urllib.request.Request(url, None, headers, method="DELETE"), timeout=60).close()


def test_each_click_goes_deeper_until_the_receipt(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "?range=28d")
    crumbs = page.get_by_role("navigation", name="Breadcrumb")
    heading = page.get_by_role("heading", level=1)

    def click(place: Locator, figure: str = "") -> Decimal:
        place.wait_for()
        settled(page)
        clicked = shown(cell(place, figure) if figure else place)
        place.get_by_role("button").first.click()
        return clicked

    clicked = click(page.locator("[data-group=document-analysis]"))
    expect(page.locator(f"[data-group={USER}]")).to_be_visible()
    settled(page)
    assert shown(page.locator("[data-total=range]")) == clicked

    clicked = click(page.locator(f"[data-group={USER}]"))
    expect(crumbs).to_have_text(re.compile(f"All spend.*Feature = document-analysis.*user = {USER}"))
    expect(page.locator("[data-table=sessions] tr").nth(1)).to_be_visible()
    settled(page)
    assert shown(heading) == clicked
    page.screenshot(path=OUTPUT / "drill-user.png", full_page=True)

    clicked = click(page.locator("[data-table=sessions] tbody tr").first)
    expect(crumbs).to_contain_text("session = ")
    expect(page.locator("[data-step]").first).to_be_visible()
    settled(page)
    assert shown(heading) == clicked
    page.screenshot(path=OUTPUT / "drill-session.png", full_page=True)
    session_url = page.url

    clicked = click(page.locator("[data-step]").first, "cost")
    page.locator("[data-receipt-total]").wait_for()
    receipt = Decimal(page.locator("[data-receipt-total]").inner_text().lstrip("$"))
    assert receipt == shown(heading) == clicked
    lines = page.locator("[data-table=receipt] tbody tr td:last-child").all()
    assert sum(shown(line) for line in lines) == receipt

    page.go_back()
    expect(page).to_have_url(session_url)
    page.go_forward()
    page.locator("[data-receipt-total]").wait_for()
    for place in ("session = ", f"user = {USER}"):
        page.keyboard.press("Escape")
        expect(crumbs.locator("[aria-current=page]")).to_contain_text(place)
    crumbs.get_by_role("link", name="Feature = document-analysis").click()
    expect(page.locator("[data-total=range]")).to_be_visible()
    expect(page.get_by_role("button", name=f"Remove user = {USER}")).to_have_count(0)
