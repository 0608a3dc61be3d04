"""Published SDKs, unchanged but for address and headers: what each call cost, to the last digit, plain and streamed."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from tests.journeys.sdks.provider import TEXT, Provider, settings
from tests.journeys.story import Story
from tests.servers.processes import Process, free_port

pytestmark = pytest.mark.timeout(600)  # importing the SDKs alone takes half a minute of a core

FOLDER: Final = Path(__file__).with_name("sdks")
# Where `make sdks` installs them: outside the checkout's sources, beside the tests' own packages.
INSTALLED: Final = Path(os.environ.get("FAREBOX_TEST_SDKS", Path(sys.prefix, "sdks")))

MILLION: Final = Decimal(1_000_000)
# US dollars per million tokens, from the providers' price pages: input, cache read, output.
_OPENAI: Final = ("OPENAI", "gpt-4o-mini-2024-07-18", (600, "0.15"), (400, "0.075"), (200, "0.60"))
_ANTHROPIC: Final = ("ANTHROPIC", "claude-haiku-4-5-20251001", (600, "1.00"), (400, "0.10"), (200, "5.00"))
_NOVA: Final = ("AWS", "us.amazon.nova-pro-v1:0", (600, "0.80"), (400, "0.20"), (200, "3.20"))
EXPECTED: Final[dict[str, tuple[Any, ...]]] = {
    **dict.fromkeys(["openai_chat", "openai_responses", "langchain_openai", "litellm_openai"], _OPENAI),
    **dict.fromkeys(["js_openai_chat", "js_openai_responses", "js_ai_sdk_openai", "js_ai_sdk_openai_chat"], _OPENAI),
    **dict.fromkeys(["anthropic", "langchain_anthropic", "litellm_anthropic"], _ANTHROPIC),
    **dict.fromkeys(["js_anthropic", "js_ai_sdk_anthropic"], _ANTHROPIC),
    **dict.fromkeys(["boto3_converse", "litellm_bedrock"], _NOVA),
    # Of an endpoint of the US: 10 % above the global one.
    "boto3_invoke_model": (
        *("AWS", "us.anthropic.claude-haiku-4-5-20251001-v1:0"),
        *((600, "1.10"), (400, "0.11"), (200, "5.50")),
    ),
    "google_genai": ("GOOGLE", "gemini-2.5-flash", (600, "0.30"), (400, "0.03"), (200, "2.50")),
    "mistralai": ("MISTRAL", "mistral-small-latest", (600, "0.15"), (400, "0.015"), (200, "0.60")),
    "groq": ("GROQ", "llama-3.3-70b-versatile", (1000, "0.59"), (200, "0.79")),
    "cohere": ("COHERE", "command-a-03-2025", (1000, "2.50"), (200, "10.00")),
}


def _node() -> str:
    """That of the dashboard's build."""
    own = Path(sys.prefix, "node/path/node")
    return str(own) if own.exists() else "node"


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, bool], dict[str, Any]]]:
    """What each call said, by its name and whether it was streamed, with its row under "row"."""
    if not Path(INSTALLED, "installed").exists():
        pytest.skip("the SDKs are not installed: make sdks")
    folder = tmp_path_factory.mktemp("sdks")
    ports = free_port(), free_port()
    proxy_url, query_url = (f"http://127.0.0.1:{port}" for port in ports)
    data = folder / "data"
    command = ["-m", "services.cli", "up", "--data", str(data)]
    with Provider() as provider:
        env = dict(settings(provider.url)) | {
            "FAREBOX_PROXY_PORT": str(ports[0]),
            "FAREBOX_QUERY_PORT": str(ports[1]),
        }
        with Process(command, env=env, log=folder / "up.log", ready_url=f"{query_url}/readyz") as process:
            process.ready()
            key = (data / "api-key").read_text().strip()
            calls = _called(proxy_url, key, provider.url)
            story = Story(proxy_url=proxy_url, query_url=query_url, key=key)
            rows = story.rows([one["request_id"] for one in calls if not one["error"]])
            story.close()
            for path, headers in provider.requests:
                assert not any(name.startswith(("helicone-", "aws-")) for name in headers), path
            yield {(one["sdk"], one["stream"]): {**one, "row": rows.get(one["request_id"])} for one in calls}


def _called(proxy_url: str, key: str, provider_url: str) -> list[dict[str, Any]]:
    """By both languages, and by the package that logs traces, at the same time."""
    script = shutil.copy(FOLDER / "calls.mjs", INSTALLED / "javascript")  # modules are looked for beside it
    env = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    commands = [
        ("python", [sys.executable, str(FOLDER / "calls.py"), proxy_url, key]),
        ("traces", [sys.executable, str(FOLDER / "traces.py"), proxy_url, key, provider_url]),
        ("javascript", [_node(), str(script), proxy_url, key]),
    ]
    env["HOME"] = str(INSTALLED)
    found = []
    with contextlib.ExitStack() as stack:
        running = [
            stack.enter_context(
                subprocess.Popen(
                    command,
                    env=env | {"PYTHONPATH": str(INSTALLED / packages)},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for packages, command in commands
        ]
        for process in running:
            stack.callback(process.kill)
        for process in running:
            out, problems = process.communicate(timeout=300)
            assert process.returncode == 0, problems[-4000:]
            found += [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return found


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("sdk", EXPECTED)
def test_a_call_is_answered_and_costs_what_the_provider_bills(
    called: dict[tuple[str, bool], dict[str, Any]], sdk: str, stream: bool
) -> None:
    one = called[sdk, stream]
    assert (one["error"], one["text"]) == ("", TEXT)
    provider, model, *parts = EXPECTED[sdk]
    row = one["row"]
    assert (row["provider"], row["model"], row["cost_state"]) == (provider, model, "priced")
    assert row["properties"] in ({"Sdk": sdk}, {"sdk": sdk}), "some SDKs send names in lower case"
    assert Decimal(row["cost_usd"]) == sum((count * Decimal(usd) / MILLION for count, usd in parts), Decimal(0))


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_what_helicone_async_logs_costs_what_it_says_was_used(
    called: dict[tuple[str, bool], dict[str, Any]], stream: bool
) -> None:
    """It leaves out cached input, so all counts as read anew, and the usage of streams, whose cost is then unknown."""
    one = called["helicone_async", stream]
    assert (one["error"], one["text"]) == ("", TEXT)
    row = one["row"]
    assert (row["provider"], row["model"], row["properties"]) == (*_OPENAI[:2], {"Sdk": "helicone_async"})
    in_full = (1000 * Decimal("0.15") + 200 * Decimal("0.60")) / MILLION
    assert (row["cost_state"], row["cost_usd"]) == (("no_usage", None) if stream else ("priced", in_full))


def test_every_call_is_expected(called: dict[tuple[str, bool], dict[str, Any]]) -> None:
    assert {sdk for sdk, _ in called} == {*EXPECTED, "helicone_async"}
