"""What all tests of pages share: one demo, one browser, and a page that tells its faults."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.dashboard.browser import CHROMIUM, DIST, OUTPUT, Demo, chromium, running_demo, watched

# Of the package and not of the session: while a browser runs, no test of another room may run an event loop.


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    if CHROMIUM is None:
        pytest.skip("no chromium: apt install chromium")
    if not (DIST / "index.html").exists():
        pytest.skip("the dashboard is not built: make dashboard")
    OUTPUT.mkdir(exist_ok=True)
    with running_demo(tmp_path_factory.mktemp("dashboard")) as demo:
        yield demo


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page whose faults fail the test: errors, a policy that it breaks, another site that it asks."""
    with watched(browser) as page:
        yield page
