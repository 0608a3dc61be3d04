"""The pictures of the README, made anew: `make screenshots`."""

import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from tests.dashboard.browser import ROOT, Demo, chromium, context, drawn, running_demo, settled, sign_in

PICTURES = ROOT / "services/dashboard/pictures"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, running_demo(Path(folder)) as demo, chromium() as browser:
        take(demo, browser)


def take(demo: Demo, browser: Browser) -> None:
    PICTURES.mkdir(exist_ok=True)
    page = context(browser, width=1440).new_page()
    sign_in(page, demo)
    settled(page)
    page.screenshot(path=PICTURES / "overview.png")
    page.goto(f'{demo.url}requests?range=28d&filter=[["@Feature","equals","document-analysis"]]')
    page.get_by_role("row").nth(5).wait_for()
    drawn(page)
    page.screenshot(path=PICTURES / "requests.png")
    page.get_by_role("row").nth(5).click()
    page.get_by_role("article").first.wait_for()
    page.locator("[data-receipt-total]").wait_for()
    page.screenshot(path=PICTURES / "request.png")


if __name__ == "__main__":
    main()
