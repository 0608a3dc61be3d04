"""Every number in every usage type of the providers' own SDKs is read, or stands here with the reason why not.

A release of an SDK with a new count fails here, until a class reads the count or a reason is given.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from schemas.usage import ParsedResponse
from services.domain.usage.parse import parse_response
from tests.support.sdk_usage import PACKAGES, numbers, usage_types

# By the beginning of the type's name, or all of it.
NO_RESPONSES = {
    "openai.types.batch_usage.": "a batch is read, which is free: its results are billed line by line",
    "openai.types.evals.": "evaluations are read, which is free; what they run is billed by itself",
    "openai.types.live.": "of a session over a socket of its own, which no proxy of HTTP sees",
    "anthropic.types.beta.organization.": "the administration's reports of what was used",
    "anthropic.types.beta.beta_managed_agents_session_usage.": "sessions are read, which is free: a running total",
    "anthropic.types.beta.sessions.": "sessions are read, which is free: running totals and logs of what they used",
    "anthropic.types.beta.beta_dream_usage.": "dreams are read, which is free: a running total",
    "google.genai.types.CachedContentUsageMetadata": "storing a cache is billed by the hour, which no response counts",
}
# By the end of the type's name and the path of the number. An asterisk stands for any name.
REASONS = {
    "* *.text_tokens": "text is what is left of the whole",
    "*.CompletionUsage completion_tokens_details.accepted_prediction_tokens": "in the completion, at its price",
    "*.CompletionUsage completion_tokens_details.rejected_prediction_tokens": "in the completion, at its price",
    "*.ToolUsage image_gen.cached_tokens_details.cached_text_tokens": "text is what is left of the whole",
    "anthropic.* server_tool_use.web_fetch_requests": "fetching a page is free",
    "anthropic.* iterations.BetaMessageIterationUsage.*": "in the counts beside the turns",
    "anthropic.* iterations.BetaFallbackMessageIterationUsage.*": "in the counts beside the turns",
    "google.*.interactions.usage.Usage initial_input_tokens": "in the total input",
    "google.*.interactions.usage.Usage grounding_tool_count.*": "whether it counts queries, which are billed, is not "
    "documented: it makes the cost unknown",
}
# Counts that others are a part of.
WHOLES = dict.fromkeys(
    (
        *("input_tokens", "output_tokens", "prompt_tokens", "completion_tokens", "total_input_tokens"),
        *("promptTokenCount", "candidatesTokenCount", "responseTokenCount", "toolUsePromptTokenCount"),
        *("total_output_tokens", "total_tool_use_tokens"),
    ),
    1000,
) | dict.fromkeys(("cached_tokens", "cache_write_tokens", "cachedContentTokenCount", "total_cached_tokens"), 100)


def _numbers(package: str) -> Iterator[tuple[str, str, str, dict[str, Any], dict[str, Any]]]:
    """Type, path, field of the response, and the usage object with the number at that path and without it."""
    for name, (field, kind) in sorted(usage_types(package).items()):
        if not any(name.startswith(prefix) for prefix in NO_RESPONSES):
            found = list(numbers(kind))
            plain: dict[str, Any] = {}
            for _, block in found:
                plain = _merged(plain, _without(block))
            for path, block in found:
                with_number, without = _merged(plain, block), _merged(plain, _without(block))
                yield name, ".".join(map(str, path)), field, with_number, without


def _without(value: Any, name: str = "") -> Any:
    """An object with zeros for its numbers, and plausible counts for those that others are a part of."""
    if isinstance(value, dict):
        return {inner: _without(one, inner) for inner, one in value.items()}
    if isinstance(value, list):
        return []
    return value if isinstance(value, str) else WHOLES.get(name, 0)


def _merged(some: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    both = {name: _merged(some[name], more[name]) for name in some.keys() & more.keys() if isinstance(some[name], dict)}
    return some | more | both


def _reason(name: str, path: str) -> str | None:
    """The key of the reason why a number is not read."""
    return next((key for key in REASONS if re.fullmatch(re.escape(key).replace(r"\*", ".*"), f"{name} {path}")), None)


def _parsed(field: str, block: dict[str, Any]) -> ParsedResponse:
    beside = {} if field.startswith("usage") else {"usage": {"input_tokens": 1000, "output_tokens": 1000}}
    images = {"data": [{"b64_json": "aGk="}]} if field == "svg_usage" else {}
    return parse_response(json.dumps({"model": "m", **images, **beside, field: block}).encode(), "OPENAI")


def _is_read(field: str, block: dict[str, Any], without: dict[str, Any]) -> bool:
    found, before = _parsed(field, block), _parsed(field, without)
    changed = (found.usage, found.other_models, found.consistent) != (
        before.usage,
        before.other_models,
        before.consistent,
    )
    return changed and found.complete


@pytest.mark.parametrize("package", PACKAGES)
def test_every_number_of_an_sdk_is_read_or_has_a_reason(package: str) -> None:
    found = [
        (f"{name} {path}", _is_read(field, block, without), _reason(name, path))
        for name, path, field, block, without in _numbers(package)
    ]
    assert found
    assert [number for number, is_read, reason in found if not is_read and reason is None] == []
    assert [number for number, is_read, reason in found if is_read and reason is not None] == []


def test_every_reason_is_one_that_is_needed() -> None:
    reasons = {_reason(name, path) for package in PACKAGES for name, path, *_ in _numbers(package)}
    assert set(REASONS) == reasons - {None}
    names = [name for package in PACKAGES for name in usage_types(package)]
    assert not [prefix for prefix in NO_RESPONSES if not any(name.startswith(prefix) for name in names)]


def test_a_new_number_would_be_noticed() -> None:
    block = {"input_tokens": 1000, "output_tokens": 1000, "output_tokens_details": {"hologram_tokens": 7}}
    assert not _is_read("usage", block, _without(block))
