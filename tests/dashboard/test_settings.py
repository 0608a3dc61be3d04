"""The settings page: keys made, rotated and revoked by an admin, and seen by a reader; and what runs."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.dashboard.browser import OUTPUT, Demo, drawn, sign_in
from tests.dashboard.pages import serious_faults
from tests.dashboard.readers import ask, reader_of

SECRET = re.compile(r"sk-helicone(-[a-z0-9]{7}){4}")


def settings(page: Page) -> None:
    """Until all of the page is there."""
    page.locator("[data-table=keys] tbody tr").first.wait_for()
    expect(page.locator("[data-skeleton]")).to_have_count(0)
    page.wait_for_load_state("networkidle")
    drawn(page)


def line_of(page: Page, name: str) -> Locator:
    return page.locator(f"[data-key='{name}']")


def test_a_key_is_made_with_tags_and_its_secret_is_shown_once(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "settings")
    settings(page)
    page.get_by_role("button", name="Create a key").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("search team")
    dialog.get_by_label("Permission").select_option("rw")
    dialog.get_by_label("Required tags").fill("Feature")
    dialog.get_by_label("Forced tags").fill("nonsense")
    dialog.get_by_role("button", name="Create key").click()
    expect(dialog.get_by_role("alert")).to_contain_text("not NAME=VALUE")
    dialog.get_by_label("Forced tags").fill("team=search")
    dialog.get_by_label("Expires").fill("2099-01-01T00:00")
    page.screenshot(path=OUTPUT / "settings-new-key.png")
    assert not serious_faults(page)
    dialog.get_by_role("button", name="Create key").click()
    secret = page.locator("[data-secret]").inner_text()
    assert SECRET.fullmatch(secret)
    page.screenshot(path=OUTPUT / "settings-secret.png")
    dialog.get_by_role("button", name="I have it").click()
    line = line_of(page, "search team")
    for text in ("call and query", "team = search", "Feature required", "never", "1 Jan 2099", secret[-4:]):
        expect(line).to_contain_text(text)
    assert secret not in page.content()
    assert secret not in str(ask(demo, "GET", "/v1/api-keys"))


def test_a_key_is_rotated_renamed_and_revoked_after_a_question(page: Page, demo: Demo) -> None:
    made = ask(demo, "POST", "/v1/api-keys", {"api_key_name": "to rotate"})
    sign_in(page, demo, "settings")
    settings(page)
    dialog = page.get_by_role("dialog")
    line_of(page, "to rotate").get_by_role("button", name="Rotate").click()
    page.screenshot(path=OUTPUT / "settings-rotate.png")
    dialog.get_by_role("button", name="Rotate").click()
    secret = page.locator("[data-secret]").inner_text()
    assert SECRET.fullmatch(secret)
    assert secret != made["apiKey"]
    dialog.get_by_role("button", name="I have it").click()
    expect(line_of(page, "to rotate")).to_contain_text("old secret until")
    line_of(page, "to rotate").get_by_role("button", name="Rename").click()
    dialog.get_by_label("Name").fill("renamed")
    page.keyboard.press("Enter")
    line_of(page, "renamed").get_by_role("button", name="Revoke").click()
    page.screenshot(path=OUTPUT / "settings-revoke.png")
    dialog.get_by_role("button", name="Cancel").click()
    expect(line_of(page, "renamed")).to_be_visible()
    line_of(page, "renamed").get_by_role("button", name="Revoke").click()
    dialog.get_by_role("button", name=f"Revoke …{secret[-4:]}").click()
    expect(line_of(page, "renamed")).to_have_count(0)
    page.get_by_role("button", name=re.compile("Show .* revoked")).click()
    expect(line_of(page, "renamed")).to_contain_text("revoked")
    page.screenshot(path=OUTPUT / "settings-revoked.png", full_page=True)


def test_a_reader_sees_keys_and_no_buttons(page: Page, demo: Demo) -> None:
    with reader_of(demo) as reader:
        sign_in(page, reader, "settings")
        settings(page)
        expect(page.locator("[data-may=r]")).to_contain_text("change nothing")
        for name in ("Create a key", "Rotate", "Rename", "Revoke"):
            expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)
        page.screenshot(path=OUTPUT / "settings-reader.png", full_page=True)


def test_what_runs_is_shown_and_a_failure_can_be_tried_again(page: Page, demo: Demo) -> None:
    page.route("**/v1/system", lambda route: route.abort())
    sign_in(page, demo, "settings")
    expect(page.get_by_role("alert").first).to_contain_text("Farebox cannot be reached")
    page.screenshot(path=OUTPUT / "settings-error.png", full_page=True)
    page.unroute("**/v1/system")
    page.get_by_role("button", name="Try again").first.click()
    settings(page)
    for text in ("all is well", "genai-prices", "after 90 days", "requests and responses"):
        expect(page.get_by_text(text)).to_be_visible()
