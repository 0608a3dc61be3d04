"""Every route of the providers' own SDKs is known here as free, or as one that may be billed."""

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.price import CostState
from services.domain.enrich import to_record
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import an_event, chat_response

PRICES = ShippedPrices()

# POST routes that may be billed by themselves: a response without usage has an unknown cost. All others are free.
MAY_BE_BILLED = {
    "openai": {
        "agents/automations/*/invocations",
        "agents/environments",
        "agents/environments/*/files",
        "agents/sessions",
        "agents/sessions/*/events",
        "audio/speech",
        "audio/transcriptions",
        "audio/translations",
        "audio/voices",
        "batches",
        "chat/completions",
        "completions",
        "containers",
        "containers/*/files",
        "content_provenance_checks",
        "decisions",
        "embeddings",
        "evals/*/runs",
        "fine_tuning/alpha/graders/run",
        "fine_tuning/jobs",
        "fine_tuning/jobs/*/resume",
        "images/edits",
        "images/generations",
        "images/variations",
        "live/sessions",
        "live/sessions/*/accept",
        "live/sessions/*/fork",
        "realtime/calls",
        "realtime/calls/*/accept",
        "responses",
        "responses/compact",
        "threads/*/runs",
        "threads/*/runs/*/submit_tool_outputs",
        "threads/runs",
        "videos",
        "videos/*/remix",
        "videos/characters",
        "videos/edits",
        "videos/extensions",
    },
    "anthropic": {
        "deployments/*/run",
        "dreams",
        "messages",
        "messages/batches",
        "sessions",
        "sessions/*/events",
    },
}
BASES = {
    "openai": ("OPENAI", "https://api.openai.com/v1/"),
    "anthropic": ("ANTHROPIC", "https://api.anthropic.com/v1/"),
}
IDS = {"vector_store_id": "vs_1", "completion_id": "chatcmpl-1", "run_id": "run_1"}
VERBS = {"_get", "_get_api_list", "_post", "_put", "_patch", "_delete"}


def routes(sdk: str) -> list[str]:
    """The paths that `sdk` posts to, behind the version, with the names of their ids in braces."""
    spec = importlib.util.find_spec(sdk)
    if spec is None or spec.origin is None:
        pytest.skip(f"{sdk} is not installed")
    files = sorted((Path(spec.origin).parent / "resources").rglob("*.py"))
    found = {path for file in files for path in _posted(ast.parse(file.read_text()))}
    return sorted(path.partition("?")[0].removeprefix("/").removeprefix("v1/") for path in found)


def _posted(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in VERBS:
            reported = {word.arg: word.value for word in node.keywords}
            if node.func.attr == "_post" or ast.unparse(reported.get("method", ast.Constant("get"))) == "'post'":
                yield _path(node.args[0] if node.args else reported["path"])


def _path(node: ast.expr) -> str:
    """Of a text, of `path_template(text, ...)`, or of a choice that reports two forms of one path."""
    texts = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    paths = [text for text in texts if text.startswith("/")]
    assert paths, ast.unparse(node)
    return paths[0]


def _shown(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "*", path)


def _called(path: str) -> str:
    return re.sub(r"\{([^}]+)\}", lambda name: IDS.get(name[1], f"{name[1]}_1"), path)


@pytest.mark.parametrize("sdk", BASES)
def test_every_route_of_an_sdk_is_free_or_known_to_be_billed(sdk: str) -> None:
    provider, base = BASES[sdk]
    wrong = {}
    posted = routes(sdk)
    assert len(posted) > 50
    for path in posted:
        event = an_event(provider=provider, target_url=base + _called(path), response_body=b'{"id":"x_1"}')
        state = to_record(event, PRICES)[0].cost_state
        expected = CostState.NO_USAGE if _shown(path) in MAY_BE_BILLED[sdk] else CostState.FREE
        if state is not expected:
            wrong[_shown(path)] = state
    assert wrong == {}, "new or moved: to the record in services/domain/providers, or to MAY_BE_BILLED"


@pytest.mark.parametrize("sdk", BASES)
def test_no_route_is_listed_that_its_sdk_does_not_have(sdk: str) -> None:
    assert MAY_BE_BILLED[sdk] <= set(map(_shown, routes(sdk)))


@pytest.mark.parametrize(
    ("provider", "path"),
    [
        ("MISTRAL", "conversations/conv_1"),
        ("OPENAI", "memory_stores"),
        ("OPENAI", "organization/chat/completions"),
        ("OPENAI", "projects/p_1/chat/completions"),
        ("OPENAI", "threads/runs"),
        ("ANTHROPIC", "agents/agent_1/messages"),
        ("ANTHROPIC", "assistants"),
    ],
)
def test_a_management_path_is_free_with_its_own_provider_only(provider: str, path: str) -> None:
    event = an_event(provider=provider, target_url=f"https://api.example.com/v1/{path}", response_body=b"{}")
    assert to_record(event, PRICES)[0].cost_state is CostState.NO_USAGE


@pytest.mark.parametrize("path", ["threads/thread_1/messages", "organization/projects", "skills"])
def test_a_management_call_that_reports_usage_is_charged(path: str) -> None:
    event = an_event(target_url=f"https://api.openai.com/v1/{path}", response_body=chat_response())
    assert to_record(event, PRICES)[0].cost_state is CostState.PRICED
