"""The list of requests and the page of one, in a real browser against the real system."""

import csv
import math
import re
import urllib.request
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.dashboard.browser import OUTPUT, Demo, context, drawn, sign_in
from tests.dashboard.looks import looks_right
from tests.dashboard.pages import ZONE, listed, since
from tests.dashboard.rich_calls import ELSEWHERE, conversation, embedded, failed, log_call, refused, spoken

WIDE = "requests?range=28d"
EVERY_MS = 3000  # between two looks of a list that is followed


@pytest.fixture(scope="module")
def calls(demo: Demo) -> dict[str, str]:
    """Ids of logged calls, by what is in them."""
    tags = {"Helicone-User-Id": "user-rich", "Helicone-Session-Id": "trip-1", "Helicone-Property-Feature": "tickets"}
    made = {
        "conversation": conversation(),
        "spoken": spoken(),
        "refused": refused(),
        "failed": failed(),
        "embedded": embedded(),
    }
    ids = {name: log_call(demo, call, tags, 20 - place) for place, (name, call) in enumerate(made.items())}
    wait_for_rows(demo, {"Feature": {"equals": "tickets"}}, len(ids))
    return ids


def wait_for_rows(demo: Demo, properties: dict[str, Any], rows: int) -> None:
    where = {"request_response_rmt": {"properties": properties}}
    body = {"measures": ["requests"], "timeFilter": {"since": "24h"}, "filter": where}
    for _ in range(100):
        if int(demo.report(**body)["total"]["requests"]) >= rows:
            return
    raise AssertionError("the logged calls were not counted")


def row_count(page: Page) -> int:
    return int(re.sub(r"\D", "", page.locator("[data-count]").inner_text()))


def test_pages_are_read_by_cursors_and_only_the_rows_in_sight_are_drawn(page: Page, demo: Demo) -> None:
    bodies: list[Any] = []
    page.on("request", lambda one: bodies.append(one.post_data_json) if "query-clickhouse" in one.url else None)
    sign_in(page, demo, WIDE)
    listed(page)
    region = page.get_by_role("region", name="Requests")
    for _ in range(100):  # a page may have been asked for before the scrolling that is to ask for it
        if len(bodies) >= 4:
            break
        region.evaluate("box => box.scrollTo(0, box.scrollHeight)")
        page.wait_for_timeout(200)
    assert len(bodies) >= 4
    assert all(body["cursor"] and "offset" not in body for body in bodies[1:])
    assert page.get_by_role("row").count() < 80


def test_the_seal_of_the_list_is_that_of_all_its_rows(page: Page, demo: Demo) -> None:
    sign_in(page, demo, WIDE)
    listed(page)
    total = demo.report(measures=["cost_usd"], timeFilter={"start": since(27)}, timeZone=ZONE)["total"]
    share = math.floor(float(total["priced_request_share"]) * 1000 + 0.5) / 10
    expect(page.locator("[data-state]")).to_contain_text(f"{min(share, 99.9):g} % priced")


def test_the_list_begins_at_any_time_and_goes_back_to_the_newest(page: Page, demo: Demo) -> None:
    sign_in(page, demo, WIDE)
    listed(page)
    whole = row_count(page)
    page.get_by_role("button", name="Go to a time").click()
    page.get_by_label("Time, in Europe/Berlin").fill(f"{since(10)}T12:00")
    page.get_by_role("button", name="Go", exact=True).click()
    page.get_by_role("button", name="Back to the newest").wait_for()
    expect(page.locator("[data-count]")).not_to_have_text(f"{whole:,} in this range")
    shown = page.get_by_role("row").nth(1).locator("time").get_attribute("datetime")
    assert shown is not None
    assert shown < f"{since(10)}T12"
    page.screenshot(path=OUTPUT / "requests-at.png")
    page.get_by_role("button", name="Back to the newest").click()
    expect(page.locator("[data-count]")).to_have_text(f"{whole:,} in this range")


def test_columns_are_any_column_or_property_in_any_order_and_sort(page: Page, demo: Demo) -> None:
    sign_in(page, demo, WIDE)
    listed(page)
    page.get_by_role("button", name="Columns").click()
    page.get_by_label("Find a column").fill("user")
    page.get_by_role("checkbox", name="UserTier").check()
    page.get_by_label("Find a column").fill("requested model")
    page.get_by_role("checkbox", name="requested model").check()
    page.get_by_role("button", name="Move request_model to the left").click()
    heads = page.get_by_role("columnheader")
    expect(heads.nth(-2)).to_have_text("requested model")
    expect(heads.nth(-1)).to_contain_text("UserTier")
    page.keyboard.press("Escape")
    page.reload()
    expect(heads.nth(-1)).to_contain_text("UserTier")
    page.get_by_role("button", name="cost", exact=True).click()
    expect(page.get_by_role("columnheader", name="cost", exact=False)).to_have_attribute("aria-sort", "descending")
    listed(page)
    dearest = demo.report(measures=["max_cost_usd"], timeFilter={"start": since(27)}, timeZone=ZONE)["total"]
    report = demo.report(measures=["requests"], timeFilter={"start": since(27)}, timeZone=ZONE)
    assert row_count(page) == int(report["total"]["requests"])
    top = page.get_by_role("row").nth(1).locator("[title^='$']").first.get_attribute("title")
    assert Decimal((top or "$0").lstrip("$")) == Decimal(dearest["max_cost_usd"])


def read_row(page: Page, place: int) -> str:
    """All but how long ago it was, which changes."""
    return page.get_by_role("row").nth(place).inner_text().partition("\n")[2]


def test_new_requests_appear_on_top_and_wait_while_somebody_reads(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "requests?range=24h&live=true")
    listed(page)
    log_call(demo, conversation(), {"Helicone-User-Id": "live-1"})
    expect(page.get_by_role("row").nth(1)).to_contain_text("live-1")
    region = page.get_by_role("region", name="Requests")
    region.evaluate("box => box.scrollTo(0, 200)")
    reading = read_row(page, 9)
    for user in ("live-2", "live-3"):
        log_call(demo, conversation(), {"Helicone-User-Id": user})
    page.get_by_role("button", name="↑ 2 new").wait_for()
    assert read_row(page, 9) == reading
    page.screenshot(path=OUTPUT / "requests-live.png")
    page.get_by_role("button", name="↑ 2 new").click()
    expect(page.get_by_role("row").nth(1)).to_contain_text("live-")
    expect(page.get_by_role("row").filter(has_text="live-")).to_have_count(3)
    # A look that fails says why, and the next one that succeeds takes it back.
    page.route("**/query-clickhouse", lambda route: route.abort())
    expect(page.get_by_role("alert")).to_contain_text("Farebox cannot be reached")
    page.unroute("**/query-clickhouse")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_nothing_is_asked_while_the_page_is_out_of_sight(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "requests?range=24h&live=true")
    listed(page)
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {get: () => true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    page.wait_for_load_state("networkidle")
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    page.wait_for_timeout(2 * EVERY_MS)
    assert not asked


def test_what_is_shown_is_exported_as_it_is_filtered(page: Page, demo: Demo) -> None:
    sign_in(page, demo, WIDE + '&filter=[["@Feature","equals","faq"],["status","equals","200"]]')
    listed(page)
    contents = {}
    for title, ending in (("CSV", "csv"), ("JSON lines", "jsonl"), ("Parquet", "parquet")):
        page.get_by_role("button", name="Export").click()
        with page.expect_download() as saving:
            page.get_by_role("menuitemradio", name=title).click()
        assert saving.value.suggested_filename == f"farebox-requests.{ending}"
        contents[ending] = saving.value.path().read_bytes()
    assert contents["parquet"][:4] == contents["parquet"][-4:] == b"PAR1"
    assert len(contents["jsonl"].splitlines()) == row_count(page)
    lines = [line for line in contents["csv"].decode().splitlines() if not line.startswith("#")]
    assert len(list(csv.DictReader(lines))) == row_count(page)


def test_an_empty_list_says_which_chip_removes_all_rows(page: Page, demo: Demo) -> None:
    sign_in(page, demo, WIDE + '&filter=[["@Feature","equals","chat"],["model","equals","no-such-model"]]')
    expect(page.get_by_role("button", name="Without Feature = chat")).to_contain_text("0 requests")
    expect(page.get_by_role("button", name="Without model = no-such-model")).to_contain_text(re.compile(r"[1-9]"))
    page.screenshot(path=OUTPUT / "requests-empty.png")
    page.get_by_role("button", name="Without model = no-such-model").click()
    listed(page)


def test_a_list_that_fails_says_why_and_tries_again(page: Page, demo: Demo) -> None:
    page.route("**/query-clickhouse", lambda route: route.abort())
    sign_in(page, demo, WIDE)
    expect(page.get_by_role("alert")).to_contain_text("Farebox cannot be reached")
    page.screenshot(path=OUTPUT / "requests-error.png")
    page.unroute("**/query-clickhouse")
    page.get_by_role("button", name="Try again").click()
    listed(page)


def opened(page: Page, demo: Demo, request_id: str) -> None:
    page.goto(f"{demo.url}requests/{request_id}")
    page.locator("[data-receipt-total]").wait_for()
    expect(page.locator("[data-skeleton]")).to_have_count(0)
    drawn(page)


def test_a_conversation_shows_all_that_was_said_and_loads_nothing_from_elsewhere(
    page: Page, demo: Demo, calls: dict[str, str]
) -> None:
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    sign_in(page, demo)
    opened(page, demo, calls["conversation"])
    said = page.get_by_role("article")
    expect(said).to_have_count(5)
    assert page.locator("article img").evaluate_all("all => all.map(one => one.naturalWidth)") == [48]
    expect(page.get_by_role("link", name=ELSEWHERE)).to_have_attribute("rel", "noreferrer noopener")
    assert not [url for url in asked if "example.com" in url]
    expect(said.nth(2)).to_contain_text("calls find_fare")
    expect(said.nth(3)).to_contain_text('"amount": "49.00"')
    expect(said.last.locator("pre")).to_contain_text("def total")
    expect(said.last.locator("summary")).to_contain_text("Thinking")
    expect(page.get_by_role("list", name="Sources")).to_contain_text("Fares of zone B")
    calls_made = [url for url in asked if "/v1/" in url and calls["conversation"] in url]
    assert len(calls_made) == 2
    looks_right(page, "conversation")


def test_what_was_said_aloud_is_played_from_the_page_itself(page: Page, demo: Demo, calls: dict[str, str]) -> None:
    sign_in(page, demo)
    opened(page, demo, calls["spoken"])
    audio = page.locator("article audio")
    expect(audio).to_have_count(2)
    played = "all => Promise.all(all.map(one => (one.muted = true, one.play().then(() => one.duration))))"
    assert audio.evaluate_all(played) == [0.5, 0.5]
    expect(page.get_by_role("article").last).to_contain_text("A tone.")
    page.screenshot(path=OUTPUT / "request-spoken.png", full_page=True)


def test_other_responses_are_shown_for_what_they_are(page: Page, demo: Demo, calls: dict[str, str]) -> None:
    sign_in(page, demo, "settings")
    for name, text in (("refused", "I cannot help"), ("failed", "does not exist"), ("embedded", "1 vector")):
        opened(page, demo, calls[name])
        expect(page.get_by_role("region", name="Conversation")).to_contain_text(text)
        page.screenshot(path=OUTPUT / f"request-{name}.png", full_page=True)


def test_keys_go_through_the_list_and_back(page: Page, demo: Demo, calls: dict[str, str]) -> None:
    sign_in(page, demo, 'requests?range=24h&filter=[["@Feature","equals","tickets"]]')
    listed(page)
    page.get_by_role("row").nth(1).click()
    order = [*reversed(calls.values())]
    expect(page.locator("header code")).to_have_text(order[0])
    for key, shown in (("j", order[1]), ("j", order[2]), ("k", order[1])):
        page.keyboard.press(key)
        expect(page.locator("header code")).to_have_text(shown)
    page.keyboard.press("k")
    expect(page.locator("header code")).to_have_text(order[0])
    page.keyboard.press("k")
    expect(page.get_by_role("status").filter(has_text="This is the newest.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Requests")).to_be_visible()
    # One that was opened alone has no list: the next one is found.
    page.goto(f'{demo.url}requests/{order[1]}?filter=[["@Feature","equals","tickets"]]')
    expect(page.locator("header code")).to_have_text(order[1])
    page.keyboard.press("j")
    expect(page.locator("header code")).to_have_text(order[2])
    page.route("**/query-clickhouse", lambda route: route.abort())
    page.keyboard.press("k")
    expect(page.get_by_role("status").filter(has_text="Farebox cannot be reached")).to_be_visible()
    page.unroute("**/query-clickhouse")
    # Until the next one is there, what is shown is what the page acts on.
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(re.compile("includeBody|/cost"), hold)
    page.keyboard.press("k")
    expect(page).to_have_url(re.compile(order[1]))
    expect(page.locator("header code")).to_have_text(order[2])
    for link in page.get_by_role("link", name="Raw JSON").all():  # of the conversation, and of the receipt
        expect(link).to_have_attribute("href", re.compile(order[2]))
    for route in held:
        route.continue_()
    page.unroute(re.compile("includeBody|/cost"))
    expect(page.locator("header code")).to_have_text(order[1])


def test_a_rating_and_a_score_are_kept(page: Page, demo: Demo, calls: dict[str, str]) -> None:
    sign_in(page, demo)
    opened(page, demo, calls["refused"])
    page.get_by_role("button", name="Good").click()
    page.get_by_label("Name of the score").fill("polite")
    page.get_by_label("Value of the score").fill("7")
    page.get_by_role("button", name="Set").click()
    page.wait_for_timeout(EVERY_MS)
    opened(page, demo, calls["refused"])
    feedback = page.get_by_role("region", name="Feedback and scores")
    expect(feedback).to_contain_text("rated as good")
    expect(feedback).to_contain_text("polite")
    page.get_by_role("button", name="Bad").click()
    expect(feedback).to_contain_text("rated as bad")


def test_a_receipt_is_copied_and_linked_with_every_digit(browser: Browser, demo: Demo, calls: dict[str, str]) -> None:
    opened_context = context(browser)
    opened_context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = opened_context.new_page()
    sign_in(page, demo)
    opened(page, demo, calls["conversation"])
    page.get_by_role("button", name="Copy as CSV").click()
    rows = list(csv.DictReader(page.evaluate("navigator.clipboard.readText()").splitlines()))
    total = Decimal(page.locator("[data-receipt-total]").inner_text().lstrip("$"))
    assert sum(Decimal(row["amount_usd"]) for row in rows[:-1]) == Decimal(rows[-1]["amount_usd"]) == total
    raw = page.get_by_role("region", name="Receipt").get_by_role("link", name="Raw JSON").get_attribute("href")
    cookies = "; ".join(f"{one['name']}={one['value']}" for one in opened_context.cookies())
    request = urllib.request.Request(f"{demo.query_url}{raw}", headers={"Cookie": cookies})
    with urllib.request.urlopen(request, timeout=30) as response:
        assert b'"total_usd"' in response.read()
    opened_context.close()
