"""What can be chosen on the page is all that the API has."""

import re

from schemas.tables import REQUEST_RESPONSE, Kind
from services.sql.measures import ADDED_UP, MEASURES
from tests.dashboard.browser import ROOT

SOURCES = ROOT / "services/dashboard/src"
DEAREST = re.compile(r"(p50|p95|p99|max)_cost(_per_(user|session))?_usd")
KINDS = {Kind.UUID: "text", Kind.MONEY: "number"}  # as the page has them; all others by their own name
LEFT_OUT = {"organization_id", "cost"}  # the same in all rows, and another name of cost_usd


def test_every_measure_can_be_explored_and_those_that_add_up_have_a_rest() -> None:
    text = (SOURCES / "pages/explore/measures.ts").read_text()
    sums, others = (
        {name for block in re.findall(rf'{kind}\("\w+", {{(.*?)}}\)', text, re.DOTALL) for name in _names(block)}
        for kind in ("sums", "others")
    )
    assert sums == ADDED_UP
    assert others == {name for name in MEASURES if name not in ADDED_UP and not DEAREST.fullmatch(name)}


def test_every_column_of_a_request_can_be_filtered_by() -> None:
    text = (SOURCES / "state/filter.ts").read_text()
    table = text[text.index("const TITLES") : text.index("export const COLUMNS")]
    found = {name: kind for kind, block in re.findall(r"(\w+): {([^{}]*)}", table) for name in _names(block)}
    assert found == {
        name: KINDS.get(column.kind, column.kind.value)
        for name, column in REQUEST_RESPONSE.columns.items()
        if column.kind not in (Kind.TEXT_MAP, Kind.NUMBER_MAP, Kind.MAP_KEY)
        and not column.sql.startswith(("'", "CAST", "false"))
        and name not in LEFT_OUT
    }


def _names(block: str) -> list[str]:
    return re.findall(r'"?([\w-]+)"?: "', block)
