"""Usage in the words of libraries: what those cannot say stands in the provider's figures, which they keep."""

import json
from typing import Any

import pytest

from schemas.usage import ParsedResponse, Usage
from services.domain.usage.parse import parse_response


def _parsed_response(usage: dict[str, Any], provider: str = "ANTHROPIC") -> ParsedResponse:
    return parse_response(json.dumps({"model": "m", "usage": usage}).encode(), provider)


def _sdk(given: int, made: int, raw: Any) -> dict[str, Any]:
    return {"inputTokens": given, "outputTokens": made, "totalTokens": given + made, "raw": raw}


@pytest.mark.parametrize(
    ("usage", "provider", "tier"),
    [
        (_sdk(9, 5, {"prompt_tokens": 9, "completion_tokens": 5, "service_tier": "priority"}), "OPENAI", "priority"),
        (_sdk(9, 5, {"input_tokens": 9, "output_tokens": 5, "service_tier": "batch"}), "ANTHROPIC", "batch"),
    ],
)
def test_the_providers_own_block_names_the_tier(usage: dict[str, Any], provider: str, tier: str) -> None:
    parsed = _parsed_response(usage, provider)
    assert (parsed.tier, parsed.names_tier, parsed.consistent, parsed.complete) == (tier, True, True, True)
    assert json.loads(parsed.usage_block) == usage  # is kept as it was logged


@pytest.mark.parametrize("made", [105, 5])
def test_a_library_may_leave_the_reasoning_out_of_its_output(made: int) -> None:
    raw = {"promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 100, "totalTokenCount": 115}
    parsed = _parsed_response(_sdk(10, made, raw), "GOOGLE")
    assert parsed.usage == Usage(prompt_tokens=10, completion_tokens=5, reasoning_tokens=100)
    assert parsed.consistent


@pytest.mark.parametrize(("given", "made"), [(2020, 5), (1010, 10)])
def test_a_sum_over_several_answers_contradicts_the_figures_of_one(given: int, made: int) -> None:
    assert not _parsed_response(_sdk(given, made, {"input_tokens": 1010, "output_tokens": 5})).consistent


@pytest.mark.parametrize("raw", [None, {}, "none", {"something": "else"}])
def test_a_block_that_nobody_can_read_leaves_the_librarys_own_figures(raw: Any) -> None:
    usage = _sdk(10, 5, raw) | {"inputTokenDetails": {"noCacheTokens": 10}}
    assert _parsed_response(usage).usage == Usage(prompt_tokens=10, completion_tokens=5)


def test_more_that_lasts_an_hour_than_was_written_does_not_add_up() -> None:
    usage = {"input_tokens": 1010, "output_tokens": 5, "cache_write_tokens": 100}
    assert not _parsed_response(usage | {"details": {"ephemeral_1h_input_tokens": 101}}).consistent
