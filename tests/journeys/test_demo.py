"""What a newcomer sees after `make demo`: the report, and two things to paste that work."""

import json
import re
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.servers.processes import Process, free_port


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Process, str]]:
    """A demo that has said all it has to say, and that text."""
    folder: Path = tmp_path_factory.mktemp("demo")
    env = {"FAREBOX_PROXY_PORT": str(free_port()), "FAREBOX_QUERY_PORT": str(free_port()), "COLUMNS": "120"}
    command = ["-m", "services.cli", "demo", "--data", str(folder / "data"), "--started-at", str(time.time() - 100)]
    with Process(command, env=env, log=folder / "log") as process:
        deadline = time.monotonic() + 120
        while "All of this took" not in process.output():
            assert time.monotonic() < deadline, process.output()[-4000:]
            time.sleep(0.1)
        yield process, process.output()


def _pasted(text: str) -> str:
    """What a shell says to `text`."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text], check=True, capture_output=True, text=True, timeout=60
    ).stdout


def test_the_report_has_the_shape_of_the_guides_expected_results(demo: tuple[Process, str]) -> None:
    _, reported = demo
    (total,) = re.findall(r"Total costs +\$([\d,.]+)", reported)
    assert 250 < Decimal(total.replace(",", "")) < 900
    tree = re.findall(r"── ([\w-]+) +\$", reported)
    assert tree == ["production", "chat", "document-analysis", "search", "faq", "development", *tree[6:]]
    assert set(tree[6:]) == {"chat", "document-analysis", "search", "faq"}
    users = re.findall(r"^ *\d\. +(user-\d+) +\$[\d.]+ .* (premium|free)$", reported, re.MULTILINE)
    assert len(users) == 5
    assert ("user-789", "premium") in users
    (hit_rate,) = re.findall(r"Hit rate: +(\d+)%", reported)
    assert 15 < int(hit_rate) < 30
    assert "acme-internal-7b (OPENAI)" in reported
    assert "Traceback" not in reported
    assert '"level": "error"' not in reported


def test_the_time_is_counted_from_the_start_of_the_set_up(demo: tuple[Process, str]) -> None:
    (seconds,) = re.findall(r"All of this took (\d+) seconds", demo[1])
    assert 100 <= int(seconds) < 220


def test_the_printed_curl_sums_up_what_premium_users_cost(demo: tuple[Process, str]) -> None:
    (curl,) = re.findall(r"^(curl .*?\n  -d .*?)$", demo[1], re.MULTILINE | re.DOTALL)
    assert len(json.loads(_pasted(curl))["data"]) == 3, "no more than people want to see"
    response = json.loads(_pasted(curl.replace('"limit": 3', '"limit": 1000')), parse_float=Decimal)
    assert response["error"] is None
    assert len(response["data"]) == 1000
    assert all(row["properties"]["UserTier"] == "premium" for row in response["data"])
    assert sum(row["cost_usd"] or 0 for row in response["data"]) > 10


def test_the_printed_call_is_in_the_next_report(demo: tuple[Process, str]) -> None:
    (call,) = re.findall(r"^(\S+ - <<'END'\n.*?^END)$", demo[1], re.MULTILINE | re.DOTALL)
    (report,) = re.findall(r"^\S+ (report --since 28d .*)$", demo[1], re.MULTILINE)
    (python,) = re.findall(r"^(\S+) - <<'END'", demo[1], re.MULTILINE)
    # Longer than the history, of which some leaves the four weeks meanwhile.
    ask = f"{python} -m services.cli {report.replace('28d', '5w')} --json"
    before = json.loads(_pasted(ask))["total"]["requests"]
    assert "CompletionUsage" in _pasted(call)
    deadline = time.monotonic() + 10
    while (after := json.loads(_pasted(ask))["total"]["requests"]) == before and time.monotonic() < deadline:
        time.sleep(0.2)
    assert after >= before + 1


def test_the_printed_doctor_finds_what_has_no_price(demo: tuple[Process, str]) -> None:
    reported_under_the_report, doctor = re.findall(r"^ *farebox (doctor .*)$", demo[1], re.MULTILINE)
    assert reported_under_the_report == doctor
    (python,) = re.findall(r"^(\S+) - <<'END'", demo[1], re.MULTILINE)
    reported = _pasted(f"{python} -m services.cli {doctor} || test $? = 1")
    assert "farebox prices add acme-internal-7b --provider OPENAI" in reported


@pytest.mark.parametrize(("tongue", "count"), [("python", 4), ("sh", 17)])
def test_the_examples_of_the_readme_run_against_it_as_they_are_printed(
    demo: tuple[Process, str], tongue: str, count: int
) -> None:
    root = Path(__file__).parents[2]
    files = [root / "README.md", root / "services/proxy/README.md", *sorted(root.glob("services/query/**/README.md"))]
    readme = "".join(file.read_text() for file in files)
    for port, name in (("8787", "PROXY"), ("8788", "QUERY")):
        readme = readme.replace(f"127.0.0.1:{port}", f"127.0.0.1:{demo[0].env[f'FAREBOX_{name}_PORT']}")
    blocks = re.findall(rf"^```{tongue}\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    # The demo stores no provider's key, without which no list of models has a way to go.
    blocks = [block for block in blocks if "/ai-gateway/" not in block]
    if tongue == "sh":
        blocks = [
            block
            for text in blocks
            for block in re.findall(r"^curl .*?(?=\n\n|\Z)", text.strip(), re.DOTALL | re.MULTILINE)
        ]
    assert len(blocks) == count
    exports = "; ".join(re.findall(r"^export (?:FAREBOX|OPENAI_API)_KEY=.*$", demo[1], re.MULTILINE))
    (python,) = re.findall(r"^(\S+) - <<'END'", demo[1], re.MULTILINE)
    channel = f'{{"name": "{uuid.uuid4()}", "kind": "email", "recipients": ["finance@example.com"]}}'
    url = f"http://127.0.0.1:{demo[0].env['FAREBOX_QUERY_PORT']}/v1/channels"
    made = _pasted(f"{exports}; curl -sS {url} -H \"Authorization: Bearer $FAREBOX_KEY\" --json '{channel}'")
    keys = f"{exports}; export REQUEST_ID={uuid.uuid4()} CHANNEL_ID={json.loads(made)['data']['id']}\n"
    for block in blocks:
        reported = _pasted(
            keys
            + (f"{python} - <<'END'\n{block}END\n" if tongue == "python" else f"{block} --fail-with-body -sS --retry 5")
        )
        assert "Error" not in reported, block


def test_what_it_says_to_export_is_the_key_and_memory_is_reported_honestly(demo: tuple[Process, str]) -> None:
    (exports,) = re.findall(r"^(export FAREBOX_KEY=.*)$", demo[1], re.MULTILINE)
    (kept,) = re.findall(r"New key +in (\S+)", demo[1])
    key = Path(kept).read_text().strip()
    assert key
    assert key not in demo[1], "this is no terminal"
    assert _pasted(f"{exports}; echo $FAREBOX_KEY $HELICONE_API_KEY") == f"{key} {key}\n"
    assert "with the SDKs and the simulated providers" in demo[1]
    assert demo[1].count("Ctrl-C stops") == 1


def test_ctrl_c_stops_it_cleanly(demo: tuple[Process, str]) -> None:
    """The last one: nothing runs after it."""
    process, reported = demo
    child = process._child
    assert child is not None
    child.send_signal(signal.SIGINT)
    assert child.wait(30) == 0
    assert process.output() == reported
