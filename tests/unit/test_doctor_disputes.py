"""What `farebox doctor` says of reported costs beside ours."""

import io

import pytest
from rich.console import Console

from schemas.api.disputes import DisputedCosts
from schemas.api.reprices import UnknownModels
from services.cli.doctor import compile_findings

PERIOD = {"start": "2026-11-01T00:00:00Z", "end": "2026-11-08T00:00:00Z", "truncated": False}
NOTHING_UNKNOWN = UnknownModels.model_validate(PERIOD | {"requests": 9, "unpriced_requests": 0, "models": []})
SUMS = {"provider_cost_usd": "0.5", "calculated_cost_usd": "0.2", "cost_difference_usd": "0.3"}


def findings(*models: bool, compared: int = 9) -> tuple[str, bool]:
    """Of models whose reported cost contradicts ours, each with whether that is the provider's own bill."""
    listed = [
        {
            "provider": "OPENROUTER",
            "model": "acme-7b",
            "is_bill": is_bill,
            "requests": 2,
            "example_request_ids": ["id-1"],
        }
        | SUMS
        for is_bill in models
    ]
    counts = {"requests": 12, "compared_requests": compared, "disputed_requests": 2 * len(models), "models": listed}
    screen = io.StringIO()
    disputed = DisputedCosts.model_validate(PERIOD | counts | SUMS)
    is_well = compile_findings([], NOTHING_UNKNOWN, Console(file=screen, width=200), disputed=disputed)
    return screen.getvalue(), is_well


@pytest.mark.parametrize(("is_bill", "says"), [(True, "own bill, and so the cost"), (False, "what we calculate")])
def test_a_cost_that_contradicts_ours_is_counted_and_needs_somebody_unless_it_is_the_bill(
    is_bill: bool, says: str
) -> None:
    text, is_well = findings(is_bill)
    assert "9 requests with both: $0.50 reported, $0.20 calculated." in text
    assert "2 of them contradict each other" in text
    assert "acme-7b (OPENROUTER): 2 requests, $0.50 reported, $0.20 calculated" in text
    assert says in text
    assert "id-1" in text
    assert is_well is is_bill


def test_costs_that_agree_are_well() -> None:
    text, is_well = findings()
    assert "No reported cost contradicts ours." in text
    assert is_well


def test_where_no_cost_was_reported_nothing_is_said() -> None:
    text, is_well = findings(compared=0)
    assert "eported" not in text
    assert is_well
