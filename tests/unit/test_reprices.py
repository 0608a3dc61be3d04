"""The statements of a re-pricing: whose rows they may see, and that clients' values are bound."""

import re

import pytest

from schemas.reprice import Criteria
from schemas.statement import Statement
from services.sql.nodes import Key
from services.sql.reprices import (
    Span,
    compile_charged_rows,
    compile_corrected,
    compile_correction_count,
    compile_correction_keys,
    compile_later_runs,
    compile_not_restored_count,
    compile_restored,
    criteria_filter,
)
from tests.builders.records import REQUEST_ID, TIMESTAMP

HOSTILE = "x' OR 1=1 --"
KEY = Key(TIMESTAMP, REQUEST_ID)
SPAN = Span(KEY, KEY)
CRITERIA = Criteria(model=f"{HOSTILE}*", provider=HOSTILE, since=TIMESTAMP, until=TIMESTAMP)
STATEMENTS = [
    compile_charged_rows(HOSTILE, criteria_filter(CRITERIA), KEY, 10),
    compile_correction_keys(HOSTILE, HOSTILE, KEY, 10),
    compile_correction_count(HOSTILE, HOSTILE),
    compile_later_runs(HOSTILE, HOSTILE),
    compile_corrected(HOSTILE, HOSTILE, SPAN),
    compile_restored(HOSTILE, HOSTILE, SPAN, 1),
    compile_not_restored_count(HOSTILE, HOSTILE, SPAN),
]


@pytest.mark.parametrize("statement", STATEMENTS, ids=range(len(STATEMENTS)))
def test_no_statement_holds_a_clients_value_or_forgets_the_organization(statement: Statement) -> None:
    assert HOSTILE not in statement.sql
    assert HOSTILE in statement.parameters.values()
    tables = re.findall(r"FROM (?:request_response_rmt|cost_correction)", statement.sql)
    tenants = re.findall(r"WHERE (?:r\.)?organization_id = \{p0:String\} AND", statement.sql)
    assert len(tables) == len(tenants) > 0
    assert statement.parameters["p0"] == HOSTILE
    assert set(re.findall(r"\{(p\d+):", statement.sql)) == set(statement.parameters)


@pytest.mark.parametrize(
    ("model", "pattern"),
    [("gpt-4o*", "gpt-4o%"), ("a_b%c", "a\\_b\\%c"), ("back\\slash", "back\\\\slash"), ("*mini*", "%mini%")],
)
def test_only_a_star_stands_for_other_text(model: str, pattern: str) -> None:
    criteria = Criteria(model=model, provider="", since=TIMESTAMP, until=TIMESTAMP)
    statement = compile_charged_rows("org-1", criteria_filter(criteria), None, 10)
    assert pattern in statement.parameters.values()


def test_any_model_is_not_compared() -> None:
    criteria = Criteria(model="*", provider="", since=TIMESTAMP, until=TIMESTAMP)
    assert "ILIKE" not in compile_charged_rows("org-1", criteria_filter(criteria), None, 10).sql
