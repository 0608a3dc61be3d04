"""All pages, each seen once: how many calls it makes, whether it fits everywhere, and what a phone shows of it."""

import re
import urllib.parse
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.browser import Demo, complete, sign_in, watched
from tests.dashboard.looks import PHONE, WIDE, looks_right, resize
from tests.dashboard.pages import since

MOST_CALLS = 6
CALLS = re.compile(r"/v1/|/api/")
NAMED = {"request_response_rmt": {"session_id": {"not-equals": None}}}

# Each page, and what is on it once it is there.
PAGES = {
    "overview": ("?range=28d", "[data-table=changes] tbody tr"),
    "filtered": ('?filter=[["@Feature","equals","chat"]]&by=user_id', "[data-table=changes] tbody tr"),
    "explore-pivot": ("explore?range=28d", "[data-table=pivot] tbody tr"),
    "explore-table": ("explore?range=28d&view=table", "[data-table=explore] tbody tr"),
    "explore-chart": ("explore?range=28d&view=chart", "[data-chart], canvas"),
    "explore-time": (
        'explore?range=28d&view=chart&by=@Feature&across=time:day&measures=["p95_latency_ms"]',
        "[data-chart], canvas",
    ),
    "users": ("users?range=28d", "[data-row]"),
    "user": ("users/user-789?range=28d", "canvas"),
    "sessions": ("sessions?range=28d", "[data-row]"),
    "session": ("sessions/{session}?range=28d", "[data-rank]"),
    "requests": ("requests?range=28d", "[data-rows] [role=row], [role=row] time"),
    "request": ("requests/{request}", "[data-receipt-total]"),
    "alerts": ("alerts", "[data-table=alerts] tbody tr"),
    "alert": ("alerts/{alert}", "[data-check=filters]"),
    "alert-form": ("alerts/{alert}/edit", "[data-fired]"),
    "cache": ("cache?range=28d", "[data-list=top] li"),
    "budgets": ("budgets", "[data-budget] [data-spent]"),
    "budget": ("budgets/{budget}", "[data-subject]"),
    "prices": ("prices", "[data-table=used] tbody tr"),
    "settings": ("settings", "[data-table=keys] tbody tr"),
}


@pytest.fixture(scope="module")
def signed_in(browser: Browser, demo: Demo) -> Iterator[Page]:
    with watched(browser) as page:
        sign_in(page, demo, "settings")
        yield page


@pytest.fixture(scope="module")
def calls(signed_in: Page) -> list[str]:
    """Addresses of the API that the page has asked."""
    asked: list[str] = []
    signed_in.on("request", lambda request: asked.append(request.url) if CALLS.search(request.url) else None)
    return asked


@pytest.fixture(scope="module")
def ids(demo: Demo) -> dict[str, str]:
    """Of a session, a request, a budget and an alert that are there."""
    period = {"timeFilter": {"start": since(27)}, "filter": NAMED, "measures": ["cost_usd"], "limit": 1}
    budgets = {one["name"]: one["id"] for one in demo.get("/v1/budgets")}
    alerts = demo.get("/v1/alert/query")["alerts"]
    return {"budget": budgets["Free tier"], "alert": alerts[0]["id"]} | {
        name: urllib.parse.quote(demo.report(**period, by=[{"column": f"{name}_id"}])["rows"][0]["by"][0])
        for name in ("session", "request")
    }


@pytest.mark.parametrize("name", PAGES)
def test_every_page_fits_is_accessible_and_makes_at_most_six_calls_with_its_frame(
    signed_in: Page, calls: list[str], demo: Demo, ids: dict[str, str], name: str
) -> None:
    page, (path, awaited) = signed_in, PAGES[name]
    calls.clear()
    page.clock.set_fixed_time(datetime.now(UTC))  # a new minute may ask anew
    page.goto(demo.url + path.format(**ids))
    page.locator(awaited).first.wait_for()
    complete(page)
    assert 1 <= len(calls) <= MOST_CALLS, calls
    looks_right(page, name, is_long=name != "requests" and not name.startswith("explore"))


def test_a_phone_has_one_line_of_controls_and_every_page_in_a_menu(signed_in: Page, demo: Demo) -> None:
    page = signed_in
    resize(page, PHONE)
    page.goto(demo.url + '?range=28d&filter=[["@Feature","equals","chat"]]')
    page.locator("[data-total=range]").wait_for()
    complete(page)
    bar = page.locator("#bar")
    one_chip = bar.bounding_box()
    assert one_chip
    assert one_chip["height"] <= 100  # a line of controls, and a line of chips
    expect(page.get_by_role("button", name="Sign out")).to_be_in_viewport(ratio=1)
    page.mouse.wheel(0, 900)
    for control in (bar.get_by_role("button", name="Range:"), bar.locator("[data-state]"), bar.get_by_role("combobox")):
        expect(control).to_be_in_viewport(ratio=1)
    page.get_by_role("button", name="Time zone, comparison, group and export").click()
    for name in ("Time zone:", "Compared:", "Grouped by", "Export", "Copy link"):
        expect(bar.get_by_role("button", name=re.compile(name))).to_be_in_viewport(ratio=1)
    page.mouse.wheel(0, -900)
    for place in ("Settings", "Sessions", "Overview"):
        page.get_by_role("button", name="Page: ").click()
        link = page.get_by_role("navigation", name="Pages").get_by_role("link", name=place)
        expect(link).to_be_in_viewport(ratio=1)
        link.click()
        expect(page.get_by_role("button", name=f"Page: {place}")).to_be_visible()
    resize(page, WIDE)
