"""A running demo, and Debian's Chromium in front of it."""

import contextlib
import json
import re
import shutil
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect, sync_playwright

from tests.servers.processes import Process, free_port

ROOT = Path(__file__).parents[2]
DIST = ROOT / "services/dashboard/dist"
OUTPUT = ROOT / "tests/dashboard/output"  # pictures, to be looked at
CHROMIUM = shutil.which("chromium")
DEADLINE_MS = 90_000  # of what a busy machine may take; nothing waits longer than it has to
_ENDED = "All of this took"
# A browser logs each of these, whatever the page makes of it: no session yet, a form refused, a route that a test ends.
_EXPECTED = re.compile(r"status of (401|422)|ERR_FAILED")
_DRAWN = (
    "document.fonts.ready.then(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))))"
)


class Demo(msgspec.Struct, frozen=True, kw_only=True):
    query_url: str
    key: str
    output: str  # of the command
    data: Path  # its folder

    @property
    def url(self) -> str:
        return f"{self.query_url}/dashboard/"

    def report(self, **body: object) -> dict[str, Any]:
        """The data of a report, with numbers as their digits."""
        return self.post("/v1/report", **body)

    def post(self, path: str, **body: object) -> dict[str, Any]:
        """The data of a response, with numbers as their digits."""
        data: dict[str, Any] = self._data(path, json.dumps(body).encode())
        return data

    def get(self, path: str) -> Any:
        """The same without a body."""
        return self._data(path, None)

    def _data(self, path: str, body: bytes | None) -> Any:
        request = urllib.request.Request(
            f"{self.query_url}{path}",
            body,
            {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=120) as response:
            return json.loads(response.read(), parse_float=str, parse_int=str)["data"]


@contextlib.contextmanager
def running_demo(folder: Path) -> Iterator[Demo]:
    """`farebox demo` with its four weeks of history, once it has counted all of it."""
    query_port = free_port()
    query_url = f"http://127.0.0.1:{query_port}"
    env = {
        "FAREBOX_PROXY_PORT": str(free_port()),
        "FAREBOX_QUERY_PORT": str(query_port),
        "FAREBOX_QUERY_TIMEOUT_S": "120",  # a machine may have more to do than this
    }
    command = ["-m", "services.cli", "demo", "--data", str(folder / "data")]
    with Process(command, env=env, log=folder / "demo.log", ready_url=f"{query_url}/readyz") as process:
        process.ready()
        deadline = time.monotonic() + 600
        while _ENDED not in process.output():
            assert time.monotonic() < deadline, process.output()[-4000:]
            time.sleep(0.2)
        data = folder / "data"
        key = (data / "api-key").read_text().strip()
        yield Demo(query_url=query_url, key=key, output=process.output(), data=data)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=DEADLINE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def context(
    browser: Browser, *, theme: str = "light", width: int = 1440, zone: str = "Europe/Berlin"
) -> BrowserContext:
    opened = browser.new_context(
        viewport={"width": width, "height": 900 if width > 800 else 844},
        color_scheme="dark" if theme == "dark" else "light",
        timezone_id=zone,
        reduced_motion="reduce",
    )
    opened.set_default_timeout(DEADLINE_MS)
    return opened


@contextlib.contextmanager
def watched(browser: Browser) -> Iterator[Page]:
    """A page whose faults fail the test: errors, a policy that it breaks, another site that it asks."""
    opened = context(browser)
    page = opened.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: None if _is_local(request) else faults.append(request.url))
    yield page
    opened.close()
    assert not [fault for fault in faults if not _EXPECTED.search(fault)]


def _is_local(request: Request) -> bool:
    return request.url.startswith(("http://127.0.0.1:", "data:", "blob:"))


def sign_in(page: Page, demo: Demo, path: str = "") -> None:
    """Opens `path` and shows the demo's key."""
    page.goto(demo.url + path)
    page.get_by_label("API key").fill(demo.key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("navigation", name="Pages").wait_for()


def settled(page: Page) -> None:
    """Until everything on the overview is there, and drawn."""
    for table in ("tree", "users", "changes"):
        page.locator(f"[data-table={table}] tbody tr").first.wait_for()
    page.locator("canvas").first.wait_for()
    complete(page)


def complete(page: Page) -> None:
    """Until nothing on the page is on its way, and all that came is drawn."""
    expect(page.locator("[aria-busy=true], [data-skeleton]")).to_have_count(0)
    page.wait_for_load_state("networkidle")
    drawn(page)


def drawn(page: Page) -> None:
    """Until what has come stands on the page, in its own type."""
    page.evaluate(_DRAWN)
