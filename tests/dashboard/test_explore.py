"""Any figures by any two dimensions: what the page shows is what the report says, to the last digit."""

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Locator, Page, expect
from pyarrow import parquet

from tests.dashboard.browser import OUTPUT, Demo, complete, sign_in
from tests.dashboard.pages import ZONE, cost, shown, since

FEATURE: dict[str, object] = {"property": "Feature"}
MODEL: dict[str, object] = {"column": "model"}


def path(**state: object) -> str:
    """The page's own address, with its state as the URL has it."""
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in state.items()}
    return "explore?" + "&".join(f"{name}={quote(text)}" for name, text in texts.items())


def explored(page: Page) -> None:
    """Until the figures are there, and drawn."""
    page.locator("[data-table], [data-chart], canvas").first.wait_for()
    complete(page)


def amount(place: Locator) -> Decimal:
    """What a cell shows; one with a dash or nothing in it is zero."""
    return shown(place) if place.locator("[title^='$']").count() else Decimal(0)


def cell(page: Page, group: str, column: str) -> Locator:
    return page.locator(f"tr[data-group='{group}'] td[data-measure=cost_usd][data-column='{column}']")


def test_a_pivot_adds_up_to_the_report_in_both_directions(page: Page, demo: Demo) -> None:
    sign_in(page, demo, path(range="28d"))
    explored(page)
    period: dict[str, Any] = {"timeFilter": {"start": since(27)}, "timeZone": ZONE, "measures": ["cost_usd"]}
    report = demo.report(**period, by=[FEATURE, MODEL], breakdowns=[{"by": [FEATURE]}, {"by": [MODEL]}])
    assert shown(cell(page, "total", "total")) == cost(report["total"])
    for row in report["breakdowns"][0]["rows"]:
        assert shown(cell(page, row["by"][0], "total")) == cost(row["measures"])
    compared = 0
    for row in report["rows"]:
        place = cell(page, row["by"][0], row["by"][1])
        if place.count() and row["measures"]["cost_usd"] is not None:
            assert shown(place) == cost(row["measures"])
            compared += 1
    assert compared > 8
    for line in page.locator("[data-table=pivot] tbody tr, [data-table=pivot] tr[data-group=total]").all():
        cells = line.locator("td[data-measure=cost_usd]:not([data-column=total])").all()
        assert sum(map(amount, cells)) == shown(line.locator("td[data-column=total]"))
    page.screenshot(path=OUTPUT / "explore-pivot.png", full_page=True)


def test_the_groups_left_out_are_in_the_rest(page: Page, demo: Demo) -> None:
    conditions = {"having": [["cost_usd", "gte", "20"]], "order": ["cost_usd", "change", "asc"]}
    sign_in(page, demo, path(view="table", by="user_id", across="none", top=10, **conditions))
    explored(page)
    report = demo.report(
        measures=["cost_usd", "requests"],
        timeFilter={"start": since(6)},
        timeZone=ZONE,
        by=[{"column": "user_id"}],
        having={"cost_usd": {"gte": 20}},
        limit=10,
        compare="previous",
    )
    lines = page.locator("[data-table=explore] tbody tr")
    expect(lines).to_have_count(len(report["rows"]))
    costs = {row["by"][0]: cost(row["measures"]) for row in report["rows"]}
    for line in lines.all():
        assert shown(line.locator("[data-measure=cost_usd]")) == costs[line.get_attribute("data-group") or ""]
    rest = shown(page.locator("[data-group=rest] [data-measure=cost_usd]"))
    assert rest == cost(report["rest"])
    assert sum(costs.values()) + rest == shown(page.locator("[data-group=total] [data-measure=cost_usd]"))
    page.screenshot(path=OUTPUT / "explore-table.png", full_page=True)
    page.get_by_role("button", name="Remove cost ≥ $20.00").click()
    expect(lines).to_have_count(10)


def test_groups_figures_and_order_are_chosen_and_stand_in_the_url(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "explore")
    explored(page)
    page.get_by_role("button", name="Then by model").click()
    page.get_by_role("textbox", name="Second group").fill("week")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("across=time(%3A|:)week"))
    page.get_by_role("button", name="Figures").click()
    page.get_by_role("textbox", name="Figures").fill("p95 lat")
    page.get_by_role("menuitemcheckbox", name="p95 latency").click()
    page.keyboard.press("Escape")
    explored(page)
    page.get_by_role("button", name="p95 latency, order by it").click()
    expect(page).to_have_url(re.compile("order="))
    page.reload()
    explored(page)
    expect(page.get_by_role("heading", name="Cost, p95 latency by Feature and week")).to_be_visible()
    page.locator("tbody").get_by_role("button", name="search", exact=True).click()
    expect(page.get_by_role("button", name="Remove Feature = search")).to_be_visible()
    explored(page)
    expect(page.locator("[data-table=pivot] tbody tr")).to_have_count(1)


KINDS = {"CSV": "csv", "JSON lines": "jsonl", "Parquet": "parquet"}


def test_an_export_has_what_is_shown(page: Page, demo: Demo, tmp_path: Path) -> None:
    sign_in(page, demo, path(view="table", by="@Feature", across="none", compare="none"))
    explored(page)
    total = shown(page.locator("[data-group=total] [data-measure=cost_usd]"))
    for kind, ending in KINDS.items():
        page.get_by_role("button", name="Export").click()
        with page.expect_download() as download:
            page.get_by_role("menuitemradio", name=kind).click()
        assert download.value.suggested_filename == f"farebox-report.{ending}"
        file = tmp_path / ending
        download.value.save_as(file)
        if ending == "parquet":
            assert total in parquet.read_table(file).column("cost_usd").to_pylist()
        else:
            assert str(total) in file.read_text()


def test_groups_are_ordered_by_their_names_and_by_how_many_times_more_they_cost(page: Page, demo: Demo) -> None:
    sign_in(page, demo, path(view="table", by="user_id", across="none", top=50))
    explored(page)
    lines = page.locator("[data-table=explore] tbody tr")
    period = {"timeFilter": {"start": since(6)}, "timeZone": ZONE, "by": [{"column": "user_id"}], "limit": 50}
    for head, order in (
        ("user, order by name", {"direction": "asc"}),
        ("%, order by % of cost", {"measure": "cost_usd", "figure": "relative", "direction": "desc"}),
    ):
        page.get_by_role("button", name=head).click()
        rows = demo.report(measures=["cost_usd"], compare="previous", orderBy=order, **period)["rows"]
        expect(lines.first).to_have_attribute("data-group", rows[0]["by"][0])
        explored(page)
        assert [line.get_attribute("data-group") for line in lines.all()] == [row["by"][0] for row in rows]


def test_a_chart_over_time_has_its_figures_as_a_table_too(page: Page, demo: Demo) -> None:
    sign_in(page, demo, path(view="chart", by="time:day", across="@Feature"))
    explored(page)
    page.get_by_text("The same as a table").click()
    report = demo.report(
        measures=["cost_usd"], timeFilter={"start": since(6)}, timeZone=ZONE, by=[{"time": "day"}], fill=True
    )
    for row in report["rows"]:
        if row["measures"]["cost_usd"] is not None:
            place = page.locator(f"tr[data-group=total] td[data-column='{row['by'][0]}']")
            assert amount(place) == cost(row["measures"])
    page.screenshot(path=OUTPUT / "explore-chart.png", full_page=True)


def test_a_misspelled_value_is_named_and_mended_with_a_click(page: Page, demo: Demo) -> None:
    sign_in(page, demo, path(filter=[["@Feature", "equals", "serach"]]))
    expect(page.get_by_role("list", name="Warnings")).to_contain_text("the nearest is 'search'")
    page.screenshot(path=OUTPUT / "explore-warning.png", full_page=True)
    page.get_by_role("button", name="Take search").click()
    expect(page.get_by_role("button", name="Remove Feature = search")).to_be_visible()
    explored(page)
    expect(page.get_by_role("list", name="Warnings")).to_have_count(0)


def test_the_filter_offers_what_a_column_takes(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "explore")
    explored(page)
    page.keyboard.press("/")
    page.keyboard.type("latency")
    page.get_by_role("option", name=re.compile("^latency in ms")).click()
    expect(page.get_by_role("option", name=re.compile("^latency in ms ≤"))).to_be_visible()
    page.keyboard.type("slow")
    expect(page.get_by_role("alert")).to_have_text("latency in ms is a number")
    page.get_by_label("Filter", exact=True).fill("latency in ms>=8000")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Remove latency in ms ≥ 8000")).to_be_visible()
    page.get_by_label("Filter", exact=True).fill("streamed=")
    page.get_by_role("option", name=re.compile("^false")).click()
    expect(page.get_by_role("button", name="Remove streamed = false")).to_be_visible()
    explored(page)


def test_zones_say_how_far_they_are_ahead_and_when_their_clocks_are_set(page: Page, demo: Demo) -> None:
    sign_in(page, demo, path(zone="America/New_York", **{"from": "2026-10-30", "to": "2026-11-03"}))
    explored(page)
    page.get_by_role("button", name="Range:").click()
    expect(page.get_by_text("Clocks are set on 1 Nov 2026: a day of 25 hours")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Time zone: America/New York").click()
    page.get_by_role("textbox", name="Time zone").fill("kabul")
    expect(page.get_by_role("menuitemradio", name="Asia/Kabul")).to_contain_text("UTC+4:30")
    page.screenshot(path=OUTPUT / "explore-zones.png")


def test_every_page_has_its_key_and_rows_are_gone_through(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "explore")
    explored(page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.screenshot(path=OUTPUT / "help.png")
    page.keyboard.press("Escape")
    for key, place in (
        ("o", ""),
        ("r", "requests"),
        ("u", "users"),
        ("s", "sessions"),
        ("c", "cache"),
        ("a", "alerts"),
        ("p", "prices"),
        (",", "settings"),
        ("e", "explore"),
    ):
        page.keyboard.press("g")
        page.keyboard.press(key)
        expect(page).to_have_url(re.compile(rf"/dashboard/{place}($|\?)"))
    explored(page)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.locator("tbody tr").first.get_by_role("button").first).to_be_focused()
    group = page.locator("tbody tr").first.get_attribute("data-group")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=f"Remove Feature = {group}")).to_be_visible()
