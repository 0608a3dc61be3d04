"""What an operator types, and what is shown then: also when it cannot be done."""

import json
import os
import pty
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from services.embedded.sockets import listen, url_of
from tests.servers.processes import Process, free_port
from tests.support.command_line import farebox, started

REPO = Path(__file__).parents[2]


def test_help_names_every_command() -> None:
    result = started("--help")
    assert result.returncode == 0
    assert all(
        re.search(rf"\b{word}\b", result.stdout)
        for word in ("up", "demo", "report", "doctor", "reprice", "prices", "settings", "keys")
    )


def test_a_key_is_made_listed_and_revoked(tmp_path: Path) -> None:
    here = ("--data", str(tmp_path))
    secret = started("keys", "create", "--name", "[b]ci", "--permission", "r", *here).stdout.strip()
    assert re.fullmatch(r"sk-helicone(-[a-z0-9]{7}){4}", secret)
    listed = farebox("keys", "list", *here).stdout
    assert "[b]ci" in listed
    assert secret not in listed
    assert "permission r (query only)" in listed
    (key_id,) = re.findall(r"[0-9a-f-]{36}", listed)
    assert farebox("keys", "revoke", key_id, *here).returncode == 0
    again = farebox("keys", "revoke", key_id, *here)
    assert (again.returncode, key_id in again.stderr) == (1, True)


def test_keys_of_one_organization_are_not_anothers(tmp_path: Path) -> None:
    here = ("--data", str(tmp_path))
    farebox("keys", "create", "--organization", "org-a", *here)
    assert re.findall(r"[0-9a-f-]{36}", farebox("keys", "list", "--organization", "org-a", *here).stdout)
    assert not re.findall(r"[0-9a-f-]{36}", farebox("keys", "list", "--organization", "org-b", *here).stdout)


def test_a_key_without_a_name_is_refused(tmp_path: Path) -> None:
    result = farebox("keys", "create", "--name", " ", "--data", str(tmp_path))
    assert (result.returncode, result.stdout, "--name" in result.stderr) == (1, "", True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FAREBOX_EVENT_LOG", "kafka://broker-without-a-port"),
        ("FAREBOX_WAREHOUSE", "clickhouse:secret@host"),
        ("FAREBOX_STATE", "mysql://root:secret@host/name"),
        ("FAREBOX_OPENAI_URL", "api.openai.com"),
        ("FAREBOX_ANTHROPIC_URL", "https://user:secret@host"),
    ],
)
def test_a_malformed_setting_is_named_without_its_secrets_before_anything_is_made(
    tmp_path: Path, name: str, value: str
) -> None:
    result = started("up", "--data", str(tmp_path), FAREBOX_PROXY_PORT="0", FAREBOX_QUERY_PORT="0", **{name: value})
    assert result.returncode == 1
    assert result.stderr.startswith(f"farebox: setting {name}")
    assert ("secret" in result.stderr, result.stderr.count("\n")) == (False, 1)
    assert not {"state.sqlite", "journal.sqlite", "warehouse"} & {path.name for path in tmp_path.iterdir()}


def test_flags_are_shown_without_a_value_in_the_help() -> None:
    result = farebox("reprice", "--help").stdout
    assert re.search(r"--dry-run +Show what", result)
    assert "bool" not in result


def test_a_setting_that_is_not_one_is_named(tmp_path: Path) -> None:
    result = started("up", "--data", str(tmp_path), FAREBOX_PROXY_PROT="1")
    assert result.returncode == 1
    assert result.stderr.strip() == "farebox: unknown setting FAREBOX_PROXY_PROT"


def test_a_report_from_nobody_says_how_to_start_somebody(tmp_path: Path) -> None:
    result = farebox("report", "--url", f"http://127.0.0.1:{free_port()}", "--data", str(tmp_path))
    assert result.returncode == 1
    assert "farebox up" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.fixture
def something_else() -> Iterator[str]:
    """A web server that is not Farebox."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>hello</html>")

        def log_request(self, code: object = "-", size: object = "-") -> None:
            """Not on the test's screen."""

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_report_from_something_else_says_so(something_else: str) -> None:
    result = farebox("report", "--url", something_else, "--key", "x")
    assert result.returncode == 1
    assert "is not Farebox's query service" in result.stderr


@pytest.mark.parametrize("url", ["localhost", "file:///etc/passwd", "http://"])
def test_a_url_that_is_no_web_address_is_refused(url: str) -> None:
    result = farebox("report", "--url", url, "--key", "x")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Mapping[str, str], Process]]:
    """`farebox up` in a folder of its own: the folder, its environment and the process."""
    folder = tmp_path_factory.mktemp("up")
    env = {"FAREBOX_PROXY_PORT": str(free_port()), "FAREBOX_QUERY_PORT": str(free_port())}
    url = f"http://127.0.0.1:{env['FAREBOX_QUERY_PORT']}"
    command = ["-m", "services.cli", "up", "--data", str(folder / "data")]
    with Process(command, env=env, log=folder / "log", ready_url=f"{url}/readyz") as process:
        process.ready()
        _wait_for("Ctrl-C stops Farebox", process)
        yield folder, env | {"FAREBOX_URL": url}, process


def _wait_for(text: str, process: Process) -> None:
    deadline = time.monotonic() + 60
    while text not in process.output():
        assert time.monotonic() < deadline, process.output()
        time.sleep(0.05)


def test_the_first_start_makes_a_key_that_only_its_owner_can_read(
    up: tuple[Path, Mapping[str, str], Process],
) -> None:
    folder, _, process = up
    kept = folder / "data/api-key"
    assert f"New key             in {kept}" in process.output()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


def test_idle_it_takes_less_than_500_mb_and_says_how_much(up: tuple[Path, Mapping[str, str], Process]) -> None:
    (result,) = re.findall(r"Memory +(\d+) MB", up[2].output())
    assert 50 < int(result) < 500


def test_a_report_of_nothing_is_a_report(up: tuple[Path, Mapping[str, str], Process]) -> None:
    folder, env, _ = up
    here = ("--data", str(folder / "data"))
    result = farebox("report", *here, FAREBOX_URL=env["FAREBOX_URL"])
    assert (result.returncode, "$0.00" in result.stdout) == (0, True)
    figures = json.loads(farebox("report", "--json", *here, FAREBOX_URL=env["FAREBOX_URL"]).stdout)
    assert figures["total"]["cost_usd"] == 0


def test_the_doctor_finds_a_new_system_well(up: tuple[Path, Mapping[str, str], Process]) -> None:
    folder, env, _ = up
    result = farebox("doctor", "--data", str(folder / "data"), FAREBOX_WORKER_PORT=str(free_port()), **env)
    assert result.returncode == 0, result
    assert f"worker  ok       inside `farebox up`, http://127.0.0.1:{env['FAREBOX_PROXY_PORT']}\n" in result.stdout


def test_a_wrong_key_and_a_wrong_period_are_refused_with_a_reason(up: tuple[Path, Mapping[str, str], Process]) -> None:
    folder, env, _ = up
    refused = farebox("report", "--key", "sk-wrong", FAREBOX_URL=env["FAREBOX_URL"])
    assert (refused.returncode, "key was refused" in refused.stderr) == (1, True)
    for since in ("7x", "100000w"):
        absurd = farebox("report", "--since", since, "--data", str(folder / "data"), FAREBOX_URL=env["FAREBOX_URL"])
        assert absurd.returncode == 1
        assert f"a number below 10000 and m, h, d or w, such as 7d, not '{since}'" in absurd.stderr


def test_a_missing_key_is_distinguished_from_a_wrong_one(
    up: tuple[Path, Mapping[str, str], Process], tmp_path: Path
) -> None:
    result = farebox("report", "--data", str(tmp_path / "none"), FAREBOX_URL=up[1]["FAREBOX_URL"], FAREBOX_KEY="")
    assert result.returncode == 1
    expected = f"farebox: no key: neither --key nor FAREBOX_KEY, and {tmp_path}/none/api-key does not exist"
    assert result.stderr.strip() == expected


def test_asking_the_proxy_reports_which_address_responds(up: tuple[Path, Mapping[str, str], Process]) -> None:
    url = f"http://127.0.0.1:{up[1]['FAREBOX_PROXY_PORT']}"
    result = farebox("report", "--url", url, "--key", "x")
    assert result.returncode == 1
    named = f"/v1/report/summary is served by the query service, at {up[1]['FAREBOX_URL']}"
    assert result.stderr.strip() == f"farebox: {url} refused: this is the proxy: {named}"


def test_the_timestamps_of_log_lines_name_their_zone(up: tuple[Path, Mapping[str, str], Process]) -> None:
    lines = [json.loads(line) for line in up[2].output().splitlines() if line.startswith("{")]
    assert lines
    assert all(datetime.fromisoformat(line["time"]).utcoffset() == timedelta(0) for line in lines)


def test_a_folder_in_use_is_not_shared(up: tuple[Path, Mapping[str, str], Process]) -> None:
    folder, _, _ = up
    result = started(
        "up", "--data", str(folder / "data"), FAREBOX_PROXY_PORT="0", FAREBOX_QUERY_PORT="0", FAREBOX_LOG_LEVEL="error"
    )
    assert result.returncode == 1
    assert result.stderr.strip() == f"farebox: the data folder {folder / 'data'} is in use by another Farebox"


@pytest.mark.parametrize("name", ["PROXY", "QUERY"])
def test_a_port_that_is_taken_is_named_with_its_setting(tmp_path: Path, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = {"FAREBOX_PROXY_PORT": "0", "FAREBOX_QUERY_PORT": "0", f"FAREBOX_{name}_PORT": str(port)}
        result = started("up", "--data", str(tmp_path), **ports)
    assert result.returncode == 1
    assert f"127.0.0.1:{port}" in result.stderr
    assert f"FAREBOX_{name}_PORT" in result.stderr


def test_an_address_that_cannot_be_had_is_reported_with_its_reason(tmp_path: Path) -> None:
    result = started("up", "--data", str(tmp_path), FAREBOX_PROXY_HOST="no-such-host.invalid", FAREBOX_PROXY_PORT="0")
    assert result.returncode == 1
    assert "no-such-host.invalid:0: " in result.stderr
    assert "Unknown error" not in result.stderr
    assert "FAREBOX_PROXY_HOST" in result.stderr


def test_it_listens_on_addresses_of_both_kinds_and_names_one_that_this_machine_can_ask() -> None:
    with listen("proxy", "::", 0) as every, listen("proxy", "::1", 0) as six, listen("query", "0.0.0.0", 0) as four:
        ports = [one.getsockname()[1] for one in (every, six, four)]
        assert [url_of(one) for one in (every, six, four)] == [
            f"http://[::1]:{ports[0]}", f"http://[::1]:{ports[1]}", f"http://127.0.0.1:{ports[2]}",
        ]  # fmt: skip


def test_on_a_terminal_the_welcome_is_not_mixed_with_logs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "services.cli", "up", "--data", str(tmp_path / "data")]
    env = {"PYTHONPATH": str(REPO), "FAREBOX_PROXY_PORT": "0", "FAREBOX_QUERY_PORT": "0"}
    outside, inside = pty.openpty()
    with subprocess.Popen(command, env=env, stdin=inside, stdout=inside, stderr=inside) as process:
        os.close(inside)
        result = b""
        while b"Ctrl-C stops Farebox." not in result:
            result += os.read(outside, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    os.close(outside)
    lines = result.decode().splitlines()
    assert "Farebox is up." in lines[0]
    assert lines[1].split() == ["New", "key", (tmp_path / "data/api-key").read_text().strip()]
    assert not [line for line in lines if line.startswith("{")]


def test_it_stops_cleanly_and_keeps_its_key(tmp_path: Path) -> None:
    outputs = []
    for turn in range(2):
        env = {"FAREBOX_PROXY_PORT": "0", "FAREBOX_QUERY_PORT": str(free_port())}
        ready = f"http://127.0.0.1:{env['FAREBOX_QUERY_PORT']}/readyz"
        command = ["-m", "services.cli", "up", "--data", str(tmp_path / "data")]
        process = Process(command, env=env, log=tmp_path / f"log-{turn}", ready_url=ready)
        with process:
            process.ready()
            _wait_for("Ctrl-C stops Farebox", process)
            assert process.stop() == 0
        outputs.append(process.output())
    assert ["New key" in output for output in outputs] == [True, False]
    key = (tmp_path / "data/api-key").read_text().strip()
    assert key
    assert not any(key in output for output in outputs), "what is no terminal is a file that others may read"
    assert not any("Traceback" in output or '"level": "error"' in output for output in outputs)
