"""Whatever changes a usage or a cost of the golden responses raises PRICING_VERSION.

`pricing_version.json` holds what each response comes to, and the version and price data that it comes to it by.
`python -m tests.golden.test_pricing_version` writes it anew, once the version was raised.
"""

import json
from pathlib import Path
from typing import Any

import genai_prices

from schemas.price import PRICING_VERSION
from schemas.tables import ATTRIBUTION
from schemas.usage import USAGE_CLASSES
from services.domain.enrich import to_record
from services.stores.shipped_prices.book import ShippedPrices
from tests.golden.cases import GOLDEN_CASES

FILE = Path(__file__).parent / "pricing_version.json"
VERSIONS = {"pricing": PRICING_VERSION, "genai_prices": genai_prices.__version__}
WEIGHED = ("usage", "cost", "price", "service_tier", "model")


def results() -> dict[str, dict[str, Any]]:
    """By case: everything of its row that is usage or cost and is not empty, at the shipped prices."""
    shipped = ShippedPrices()
    rows = {case.name: to_record(case.event(), shipped)[0] for case in GOLDEN_CASES}
    return {
        name: {
            field: str(value)
            for field in row.__struct_fields__
            if field not in ATTRIBUTION
            and (field in USAGE_CLASSES or any(word in field for word in WEIGHED))
            and (value := getattr(row, field)) not in (0, "", None, False)
        }
        for name, row in rows.items()
    }


def test_results_change_only_with_the_version() -> None:
    recorded = json.loads(FILE.read_text())
    found = results()
    if recorded["versions"] == VERSIONS:
        changed = {name for name, row in recorded["results"].items() if found.get(name) != row}
        assert not changed, "raise PRICING_VERSION, then write pricing_version.json anew"
    assert (recorded["versions"], recorded["results"]) == (VERSIONS, found), "write pricing_version.json anew"


if __name__ == "__main__":
    FILE.write_text(json.dumps({"versions": VERSIONS, "results": results()}, indent=1) + "\n")
