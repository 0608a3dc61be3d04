"""Sessions in the dashboard: what completing a task costs, and one session step by step."""

import re
from datetime import datetime, timedelta
from decimal import Decimal

from playwright.sync_api import Page, expect

from tests.dashboard.browser import OUTPUT, Demo, sign_in
from tests.dashboard.pages import ZONE, cost, shown, since
from tests.dashboard.test_users import cell, foot, settled

FOUR_WEEKS = {"timeFilter": {"start": since(27)}, "timeZone": ZONE}
NAME = "Document Analysis"
IN_SESSIONS = {"request_response_rmt": {"session_id": {"not-equals": None}}}
NAMED = {"request_response_rmt": {"session_name": {"equals": NAME}}}


def dearest(demo: Demo) -> tuple[str, Decimal]:
    """The session that cost most, and what it did."""
    (row,) = demo.report(
        **FOUR_WEEKS, measures=["cost_usd"], by=[{"column": "session_id"}], filter=IN_SESSIONS, limit=1
    )["rows"]
    return row["by"][0], cost(row["measures"])


def test_the_list_of_sessions_says_what_one_of_each_name_costs(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "sessions?range=28d")
    page.locator("[data-row]").first.wait_for()
    settled(page)
    measures = [f"{name}cost_per_session_usd" for name in ("", "p50_", "p95_", "max_")]
    report = demo.report(
        **FOUR_WEEKS,
        measures=["cost_usd", *measures],
        filter=IN_SESSIONS,
        by=[{"column": "session_name"}],
        breakdowns=[{"by": [{"column": "session_path"}]}, {"by": [{"column": "session_id"}], "limit": 1000}],
    )
    line = page.locator(f"[data-name='{NAME}']")
    (named,) = (row["measures"] for row in report["rows"] if row["by"][0] == NAME)
    for measure in ("cost_usd", *measures):
        assert shown(cell(line, measure)) == cost(named, measure)
    steps, singles = report["breakdowns"]
    assert [shown(step) for step in page.locator("[data-table=steps] tbody tr").all()] == [
        cost(row["measures"]) for row in steps["rows"]
    ]
    assert shown(cell(foot(page, "total"), "cost_usd")) == cost(report["total"])
    costs = {row["by"][0]: cost(row["measures"]) for row in singles["rows"]}
    for row in page.locator("[data-row]").all():
        assert shown(cell(row, "cost_usd")) == costs[row.get_by_role("button").get_attribute("title")]
    page.get_by_role("button", name="Show as a table").click()
    bars = page.locator("[data-table=distribution] [data-cell=cost_usd]").all()
    assert sum(shown(bar) for bar in bars) == cost(report["total"])


def test_a_session_adds_up_and_says_where_it_stands_among_its_name(page: Page, demo: Demo) -> None:
    session, known = dearest(demo)
    sign_in(page, demo, f"sessions/{session}?range=28d")
    page.locator("[data-rank]").wait_for()
    settled(page)
    assert shown(page.get_by_role("heading", level=1)) == known
    steps = [shown(cell(step, "cost")) for step in page.locator("[data-step]").all()]
    assert sum(steps) == shown(page.locator("[data-cell=total]")) == known
    tree = demo.get(f"/v1/session/{session}")
    end = datetime.fromisoformat(tree["total"]["last_request_at"]) + timedelta(milliseconds=1)
    found = demo.post(
        "/v1/report/distribution",
        of="session",
        filter=NAMED,
        timeFilter={"start": (end - timedelta(days=28)).isoformat(), "end": end.isoformat()},
        rankOfUsd=str(known),
    )
    below, above, all_known = (int(number) for number in (*found["rank"].values(), found["known"]))
    text = page.locator("[data-rank]").inner_text()
    if above == 0:
        assert text.startswith(f"The dearest of the {all_known:,} sessions named {NAME}")
    else:
        assert text.startswith(f"Costs more than {below * 100 // all_known} % of the {all_known:,} sessions")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.locator("[data-receipt-total]").wait_for()
    assert shown(page.get_by_role("heading", level=1)) == steps[0]
    page.keyboard.press("Escape")
    page.locator("[data-step]").first.wait_for()
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Sessions", exact=True)).to_be_visible()


def test_what_the_range_leaves_out_of_a_session_is_said_and_can_be_shown(page: Page, demo: Demo) -> None:
    session, known = dearest(demo)
    path = f'sessions/{session}?range=28d&filter=[["session_path","equals","/analyze"]]'
    sign_in(page, demo, path)
    expect(page.get_by_role("status").filter(has_text="leave out")).to_have_text(re.compile("leave out 2 of its 3"))
    page.screenshot(path=OUTPUT / "session-part.png")
    page.get_by_role("button", name="Show all of it").click()
    expect(page.locator("[data-step]")).to_have_count(3)
    settled(page)
    assert shown(page.get_by_role("heading", level=1)) == known
