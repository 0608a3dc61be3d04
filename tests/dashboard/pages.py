"""How tests read a page: exact amounts, dates of a zone, and what axe finds."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from playwright.sync_api import Locator, Page

from tests.dashboard.browser import ROOT

AXE = ROOT / "services/dashboard/node_modules/axe-core/axe.min.js"
ZONE = "Europe/Berlin"


def shown(place: Locator) -> Decimal:
    """The exact amount behind what is read at `place`: its hover has every digit."""
    titled = place.locator("[title^='$']").first if place.get_attribute("title") is None else place
    found = re.match(r"\$([\d.]+)", titled.get_attribute("title") or "")
    assert found, place
    return Decimal(found[1])


def since(days: int, zone: str = ZONE) -> str:
    """The date in `zone` that many days ago."""
    return (datetime.now(UTC).astimezone(ZoneInfo(zone)) - timedelta(days=days)).date().isoformat()


def cost(figures: dict[str, Any], measure: str = "cost_usd") -> Decimal:
    return Decimal(figures[measure])


def total(page: Page) -> Locator:
    return page.locator("[data-total=range]")


def listed(page: Page) -> None:
    """Until the rows of a table are there."""
    page.get_by_role("row").nth(2).wait_for()
    page.wait_for_load_state("networkidle")


def serious_faults(page: Page) -> list[str]:
    """What axe finds serious or critical: rule, element and advice."""
    page.evaluate(AXE.read_text() + ";0")
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{fault['id']}: {fault['nodes'][0]['html'][:200]} {fault['nodes'][0].get('failureSummary', '')[:300]}"
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
    ]
