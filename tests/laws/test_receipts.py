"""Whatever was used at whatever price, the lines of its receipt add up to its cost."""

import pytest

from tests.bench.receipts import redo


@pytest.mark.parametrize("seed", range(5))
def test_every_receipt_adds_up_to_the_cost(seed: int) -> None:
    """50,000 usages in all; `python -m tests.bench.receipts` does a million."""
    assert redo(10_000, seed=seed) > 8_000
