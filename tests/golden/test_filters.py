"""Filters, and the exact SQL and parameters or the exact refusal of each. A changed line is a decision."""

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import InvalidFilter
from services.sql.filters import compile_filter
from services.sql.parse import parse_filter
from services.sql.scope import Scope

CASES = [json.loads(line) for line in Path(__file__).with_name("filters.jsonl").read_text().splitlines()]


def outcome(filter_json: object) -> dict[str, Any]:
    """What becomes of a filter of organization `org-1`, in JSON."""
    try:
        node = parse_filter(filter_json)
    except InvalidFilter as refusal:
        return {"error": str(refusal)}
    scope = Scope("org-1", node)
    statement = scope.statement(compile_filter(node, scope))
    values = {name: _plain(value) for name, value in statement.parameters.items()}
    return {"sql": statement.sql, "parameters": values}


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, datetime | Decimal) else value


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_a_filter_still_means_what_it_meant(case: dict[str, Any]) -> None:
    expected = {name: value for name, value in case.items() if name not in ("case", "filter")}
    assert outcome(case["filter"]) == expected
