"""The first request of a Farebox that has none: what the page says is run as it stands, and then it is there."""

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.dashboard.browser import CHROMIUM, DIST, OUTPUT, Demo, context, drawn, sign_in
from tests.dashboard.looks import looks_right
from tests.servers.processes import Process, free_port
from tests.servers.simulated import simulated_provider

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or not (DIST / "index.html").exists(), reason="no chromium, or the dashboard is not built"
)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Demo, str]]:
    """`farebox up` without a request, and the proxy's URL."""
    OUTPUT.mkdir(exist_ok=True)
    folder = tmp_path_factory.mktemp("first-run")
    proxy_port, query_port = free_port(), free_port()
    query_url = f"http://127.0.0.1:{query_port}"
    with simulated_provider() as provider_url:
        env = {
            "FAREBOX_PROXY_PORT": str(proxy_port),
            "FAREBOX_QUERY_PORT": str(query_port),
            "FAREBOX_OPENAI_URL": provider_url,
        }
        command = ["-m", "services.cli", "up", "--data", str(folder / "data")]
        with Process(command, env=env, log=folder / "up.log", ready_url=f"{query_url}/readyz") as process:
            process.ready()
            key = (folder / "data/api-key").read_text().strip()
            demo = Demo(query_url=query_url, key=key, output="", data=folder / "data")
            yield demo, f"http://127.0.0.1:{proxy_port}"


@pytest.fixture
def clipboard(browser: Browser) -> Iterator[BrowserContext]:
    opened = context(browser)
    opened.grant_permissions(["clipboard-read", "clipboard-write"])
    yield opened
    opened.close()


def snippet(page: Page) -> str:
    return page.locator("[data-snippet]").inner_text()


def test_snippets_have_the_real_address_and_the_key_only_in_memory(
    clipboard: BrowserContext, empty: tuple[Demo, str]
) -> None:
    farebox, proxy_url = empty
    page = clipboard.new_page()
    sign_in(page, farebox)
    page.get_by_role("heading", name="Send the first request").wait_for()
    looks_right(page, "first-run")
    for name in ("curl", "Python", "JavaScript"):
        page.get_by_role("button", name=name, exact=True).click()
        assert f"{proxy_url}/oai/v1" in snippet(page)
        assert farebox.key not in page.content()
        page.get_by_role("button", name="Copy", exact=True).click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert farebox.key in page.evaluate("navigator.clipboard.readText()")
        page.get_by_role("button", name="Copy", exact=True).wait_for()
    # Pages of plain http have no clipboard, and copy all the same.
    page.evaluate("void Object.defineProperty(navigator, 'clipboard', {value: undefined, configurable: true})")
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    page.evaluate("delete navigator.clipboard")
    page.get_by_role("button", name="Show the key").click()
    assert farebox.key in snippet(page)
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])")
    assert farebox.key not in kept
    page.reload()
    expect(page.locator("[data-snippet]")).to_contain_text("$HELICONE_API_KEY")
    expect(page.get_by_role("main")).to_contain_text("api-key")
    assert farebox.key not in page.content()


def test_the_first_request_appears_by_itself(clipboard: BrowserContext, empty: tuple[Demo, str]) -> None:
    farebox, _ = empty
    page = clipboard.new_page()
    sign_in(page, farebox)
    expect(page.get_by_role("status").filter(has_text="Waiting for the first request")).to_be_visible()
    page.evaluate("window.stays = true")
    page.get_by_role("button", name="Copy", exact=True).click()
    command = page.evaluate("navigator.clipboard.readText()")
    env = {"PATH": "/usr/bin:/bin", "OPENAI_API_KEY": "sk-any"}
    done = subprocess.run(["sh", "-c", command], env=env, capture_output=True, text=True, check=False, timeout=60)
    assert '"chat.completion"' in done.stdout, done
    page.get_by_role("heading", name="The first request is here").wait_for()
    assert page.evaluate("window.stays")
    drawn(page)
    page.screenshot(path=OUTPUT / "first-run-arrived.png", full_page=True)
    page.get_by_role("link", name="Open its receipt").click()
    page.locator("[data-receipt-total]").wait_for()
    expect(page.get_by_role("region", name="Conversation")).to_contain_text("Hello!")
    page.goto(farebox.url)
    expect(page.locator("[data-total=range]")).to_be_visible()
    page.clock.set_fixed_time(datetime(2020, 1, 15, tzinfo=UTC))  # neither its month nor the range has a request
    page.goto(f"{farebox.url}?from=2020-01-01&to=2020-01-08")
    expect(page.get_by_text("No request in this range.")).to_be_visible()
    expect(page.get_by_role("button", name="Range: ")).to_be_visible()
