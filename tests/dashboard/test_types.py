"""The dashboard is checked against the API as it is today."""

import pytest

from tests.dashboard.types import GENERATOR, TYPES, generated, node_path


@pytest.mark.skipif(not GENERATOR.exists(), reason="the dashboard's packages are not installed: make dashboard")
def test_the_types_are_those_of_the_documentation() -> None:
    assert TYPES.read_text() == generated(node_path()), "run make dashboard-types"
