"""How fast the dashboard is in a browser: `python -m tests.bench.dashboard`.

It opens the demo's pages in Chromium, or with `--folder` those of the rows that `tests.bench.query --folder` has made
there (at least as many as `--rows`). Interactive is when the total, the tiles and the first table stand and
controls take a click; a filter is redrawn when the total has changed, and complete when nothing on the page is older
than it. Each opening has a browser context of its own, with nothing in its cache.
"""

import argparse
import asyncio
import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Browser, Page, StorageState
from rich.console import Console
from rich.table import Table

from schemas.key import Permission
from services.stores.clickhouse.migrations import migrate_warehouse
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.state.api_keys import SqlKeyStore
from services.stores.state.migrations.run import migrate_state
from services.worker.rollup import compute_outdated
from tests.bench.query_rows import END, ORGANIZATION, fill
from tests.dashboard.browser import Demo, chromium, complete, context, running_demo, sign_in
from tests.servers.processes import Process, free_port

_INTERACTIVE_MS = 1500
_REDRAWN_MS = 300
_MOST_CALLS = 6
_CALLS = re.compile(r"/v1/|/api/")
_PAGES = ("", "explore", "users", "sessions", "requests", "cache", "prices", "settings")

# Notes the time at which the page shows its first figures, and from Enter on, when they are others.
_WATCH = """
(() => {
  const total = () => document.querySelector("[data-total=range]")?.textContent;
  const isThere = () => total() && document.querySelectorAll("[data-tile]").length === 4
    && document.querySelector("[data-group]");
  const each = (look) => new Promise((done) => {
    const seen = () => {
      const found = look();
      if (found === undefined) return;
      observer.disconnect();
      done(found);
    };
    const observer = new MutationObserver(seen);
    observer.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
    seen();
  });
  const isBusy = () => document.querySelector("main [aria-busy=true], main [data-skeleton]");
  window.interactive = each(() => isThere() ? performance.now() : undefined);
  window.complete = window.interactive.then(() => each(() => isBusy() ? undefined : performance.now()));
  window.afterEnter = () => {
    const before = total();
    let start, redrawn;
    addEventListener("keydown", () => { start = performance.now(); }, { capture: true, once: true });
    window.times = each(() => {
      if (start === undefined) return undefined;
      if (total() && total() !== before) redrawn ??= performance.now() - start;
      return redrawn !== undefined && !isBusy() ? [redrawn, performance.now() - start] : undefined;
    });
  };
})();
"""


def measure(farebox: Demo, browser: Browser, period: str, repeats: int) -> bool:
    """Prints a table; whether every aim was met."""
    table = Table(title="The dashboard in Chromium")
    for heading in ("what", "p50", "p95", "aim"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    met = True

    def add(name: str, taken: Sequence[float], aim: float | None = None, unit: str = "ms") -> None:
        nonlocal met
        ascending = sorted(taken)
        middle, high = (ascending[min(len(ascending) - 1, int(len(ascending) * share))] for share in (0.5, 0.95))
        met &= aim is None or middle <= aim
        table.add_row(name, f"{middle:,.0f} {unit}", f"{high:,.0f} {unit}", f"{aim:,.0f} {unit}" if aim else "")

    state = _signed_in(browser, farebox)
    opened = [_opened(browser, state, f"{farebox.url}?{period}") for _ in range(repeats)]
    add("Overview, interactive", [interactive for interactive, _ in opened], _INTERACTIVE_MS)
    add("Overview, complete", [whole for _, whole in opened])
    page = _page(browser, state)
    redrawn = _redrawn(page, farebox, period, repeats)
    add("a filter, redrawn", [first for first, _ in redrawn], _REDRAWN_MS)
    add("a filter, complete", [whole for _, whole in redrawn])
    page.clock.set_fixed_time(datetime.now(UTC))  # a new minute may ask anew
    for path in (*_PAGES, *_deeper(farebox, period)):
        add(f"/{path[:30]}", [_calls(page, f"{farebox.url}{path}?{period}")], _MOST_CALLS, "calls")
    Console(width=120).print(table)
    print(f"{os.cpu_count()} cores; load of the machine: {', '.join(f'{one:.1f}' for one in os.getloadavg())}")
    return met


def _signed_in(browser: Browser, farebox: Demo) -> StorageState:
    with contextlib.closing(context(browser)) as opened:
        sign_in(opened.new_page(), farebox, "settings")
        return opened.storage_state()


def _page(browser: Browser, state: StorageState) -> Page:
    opened = browser.new_context(
        storage_state=state, viewport={"width": 1440, "height": 900}, timezone_id="Europe/Berlin"
    )
    opened.set_default_timeout(120_000)
    page = opened.new_page()
    page.add_init_script(_WATCH)
    return page


def _opened(browser: Browser, state: StorageState, url: str) -> tuple[float, float]:
    """Milliseconds from the navigation until the page is interactive, and until all of it is there."""
    page = _page(browser, state)
    page.goto(url, wait_until="commit")
    interactive = page.evaluate("window.interactive")
    whole = page.evaluate("window.complete")
    page.context.close()
    return interactive, whole


def _redrawn(page: Page, farebox: Demo, period: str, repeats: int) -> list[tuple[float, float]]:
    """Milliseconds from Enter in the filter until the total, and until all of the page is what it says."""
    page.goto(f"{farebox.url}?{period}")
    page.locator("[data-group]").first.wait_for()
    complete(page)
    named = page.locator("[data-group]:not([data-group=unknown]):not([data-group=rest])")
    groups = [row.get_attribute("data-group") for row in named.all()]
    found = []
    for at in range(repeats):
        page.get_by_label("Filter", exact=True).fill(f"Feature={groups[at % len(groups)]}")
        page.get_by_role("option").first.wait_for()
        page.evaluate("window.afterEnter()")
        page.keyboard.press("Enter")
        redrawn, whole = page.evaluate("window.times")
        found.append((redrawn, whole))
        page.go_back()
        page.get_by_role("button", name=re.compile("^Remove")).wait_for(state="detached")
        complete(page)
    return found


def _deeper(farebox: Demo, period: str) -> list[str]:
    """Pages about one user, session and request."""
    between = {name: value for name, _, value in (part.partition("=") for part in period.split("&"))}
    time = {"start": between["from"], "end": between["to"]}
    where = {"request_response_rmt": {"session_id": {"not-equals": None}}}

    def dearest(of: str) -> str:
        by = [{"column": f"{of}_id"}]
        report = farebox.report(timeFilter=time, filter=where, measures=["cost_usd"], by=by, limit=1)
        return str(report["rows"][0]["by"][0])

    return [f"{of}s/{dearest(of)}" for of in ("user", "session", "request")]


def _calls(page: Page, url: str) -> int:
    calls: list[str] = []
    page.on("request", note := _noting(calls))
    page.goto(url)
    page.get_by_role("main").wait_for()
    complete(page)
    page.remove_listener("request", note)
    return len(calls)


def _noting(calls: list[str]) -> Callable[..., None]:
    return lambda request: calls.append(request.url) if _CALLS.search(request.url) else None


@contextlib.contextmanager
def _rows_served(folder: Path, rows: int) -> Iterator[Demo]:
    """A query service over the rows of `folder`, with an admin key of the organization that has a quarter of them."""
    asyncio.run(_prepare(folder, rows))
    with tempfile.TemporaryDirectory(prefix="farebox-bench-") as name:
        temporary, port = Path(name), free_port()
        state = f"sqlite:///{temporary}/state.sqlite"
        key = asyncio.run(_key(state))
        env = {
            "FAREBOX_WAREHOUSE": f"chdb:{folder}",
            "FAREBOX_STATE": state,
            "FAREBOX_EVENT_LOG": f"journal:{temporary}/journal.sqlite",
            "FAREBOX_QUERY_PORT": str(port),
        }
        url = f"http://127.0.0.1:{port}"
        with Process(["-m", "services.query"], env=env, log=temporary / "log", ready_url=f"{url}/readyz") as process:
            process.ready()
            yield Demo(query_url=url, key=key, output="", data=temporary)


async def _prepare(folder: Path, rows: int) -> None:
    warehouse = await ClickHouseWarehouse.open(f"chdb:{folder}", create_database=True)
    await migrate_warehouse(warehouse)
    await fill(warehouse, rows)
    while await compute_outdated(warehouse, settle_s=0):
        pass
    await warehouse.close()


async def _key(state: str) -> str:
    await migrate_state(state)
    keys = SqlKeyStore(state)
    _, secret = await keys.create_key(organization_id=ORGANIZATION, name="bench", permission=Permission.ADMIN)
    await keys.close()
    return secret


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="of the rows, in place of the demo's")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=10)
    given = parser.parse_args()
    end = datetime.now(UTC).date() + timedelta(days=1) if given.folder is None else END.date()
    period = f"from={end - timedelta(days=28)}&to={end}"
    with contextlib.ExitStack() as stack:
        if given.folder is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="farebox-bench-"))
            farebox = stack.enter_context(running_demo(Path(folder)))
        else:
            farebox = stack.enter_context(_rows_served(given.folder, given.rows))
        met = measure(farebox, stack.enter_context(chromium()), period, given.repeats)
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
