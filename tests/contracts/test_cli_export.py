"""`farebox export`: whole files or none, and an export that was interrupted goes on."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from typer.testing import CliRunner, Result

from schemas.api.exports import ExportFormat
from schemas.price import CostState
from schemas.record import RequestRecord
from services.cli.app import app
from services.cli.export import parquet as parquet_parts
from services.cli.export.checkpoints import CheckpointReader
from services.query.exports import endpoint
from tests.servers.querying import Client, QueryService
from tests.servers.warehouses import ledger, many
from tests.support.exporting import csv_rows, json_rows
from tests.support.focus_checker import violations

PERIOD = ("--from", "2026-01-01")


@pytest.fixture
def client(embedded_service: QueryService, organization_id: str, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Pages are small."""
    monkeypatch.setattr(endpoint, "PAGE_ROWS", 50)
    return Client(embedded_service, organization_id, embedded_service.key(organization_id))


@pytest.fixture
def stored(client: Client) -> list[RequestRecord]:
    rows = many(client.organization_id, 400)
    client.insert(rows, [])
    return rows


def environ(client: Client, port: int | None = None) -> dict[str, str]:
    url = f"http://127.0.0.1:{port or client.service.port}"
    return {"FAREBOX_URL": url, "FAREBOX_KEY": client.key, "COLUMNS": "120"}


def typed(client: Client, *arguments: str, port: int | None = None) -> Result:
    return CliRunner().invoke(app, ["export", *arguments], env=environ(client, port))


def written(client: Client, path: Path, *arguments: str, port: int | None = None) -> bytes:
    printed = typed(client, *arguments, "--out", str(path), port=port)
    assert (printed.exit_code, printed.stdout) == (0, ""), printed.stderr
    assert list(path.parent.iterdir()) == [path]
    return path.read_bytes()


def whole_request(near: socket.socket) -> bytes:
    """What is left unread would make the end of the connection a reset, which takes from the client what it had."""
    near.settimeout(20)
    request = b""
    while b"\r\n\r\n" not in request:
        request += near.recv(65_536)
    head, _, body = request.partition(b"\r\n\r\n")
    (length,) = (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
    while len(body) < length:
        body += near.recv(65_536)
    return head + b"\r\n\r\n" + body


@contextlib.contextmanager
def breaking_line(port: int, every_bytes: int) -> Iterator[int]:
    """A port that leads to `port`; each connection breaks once so many bytes of its response have passed."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.2)
    stop = threading.Event()

    def carry(near: socket.socket) -> None:
        with near, socket.create_connection(("127.0.0.1", port)) as far:
            # The next connection is taken once this one has ended, so it is not to be kept open for another request.
            far.sendall(whole_request(near).replace(b"Connection: keep-alive", b"Connection: close"))
            far.settimeout(20)
            passed = 0
            while (part := far.recv(4096)) and passed < every_bytes:
                near.sendall(part)
                passed += len(part)

    def listen() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError):  # nobody came, or who came was killed
                carry(listener.accept()[0])

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stop.set()
        thread.join()
        listener.close()


def test_every_format_is_written_with_the_same_rows(
    client: Client, stored: list[RequestRecord], tmp_path: Path
) -> None:
    chosen = (*PERIOD, "--columns", "request_id,cost_usd", "--columns", "properties.Feature")
    as_csv = csv_rows(written(client, tmp_path / "a.csv", *chosen))
    (tmp_path / "a.csv").unlink()
    as_json = json_rows(written(client, tmp_path / "a.jsonl", *chosen, "--format", "jsonl"))
    (tmp_path / "a.jsonl").unlink()
    written(client, tmp_path / "a.parquet", *chosen, "--format", "parquet")
    as_parquet = parquet.read_table(tmp_path / "a.parquet").to_pylist()
    for rows in (as_csv, as_json, as_parquet):
        assert list(rows[0]) == ["request_id", "cost_usd", "properties.Feature"]
        assert (len(rows), sum(Decimal(row["cost_usd"] or 0) for row in rows)) == ledger(stored)
    assert b"checkpoint" not in b"".join(str(row).encode() for row in (*as_csv, *as_json))


def test_focus_is_written_and_says_what_is_not_in_it(client: Client, tmp_path: Path) -> None:
    client.keep({"cost_usd": Decimal("0.25")}, {"cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL})
    printed = typed(client, "--month", "2026-11", "--format", "focus", "--hourly", "--out", str(tmp_path / "a.csv"))
    assert printed.exit_code == 0, printed.stderr
    rows = csv_rows((tmp_path / "a.csv").read_bytes())
    assert violations(rows) == []
    assert [row["BilledCost"] for row in rows] == ["0.25"]
    assert "the cost of 1 of 2 requests is unknown, and in no row" in printed.stderr


@pytest.mark.parametrize("format_", ["csv", "jsonl", "parquet"])
def test_a_line_that_breaks_again_and_again_makes_no_difference(
    client: Client, stored: list[RequestRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format_: str
) -> None:
    monkeypatch.setattr(parquet_parts, "PART_ROWS", 70)
    monkeypatch.setattr("services.cli.export.commands.time.sleep", lambda _: None)
    path = tmp_path / f"a.{format_}"
    expected = written(client, path, *PERIOD, "--format", format_)
    whole = parquet.read_table(path).to_pylist() if format_ == "parquet" else None
    path.unlink()
    with breaking_line(client.service.port, every_bytes=60_000 if format_ == "parquet" else 250_000) as port:
        found = written(client, path, *PERIOD, "--format", format_, port=port)
    if whole is None:
        assert found == expected
    else:
        assert parquet.read_table(path).to_pylist() == whole
        assert len(whole) == len(stored)


def test_an_export_that_was_killed_goes_on_when_it_is_typed_again(
    client: Client, stored: list[RequestRecord], tmp_path: Path
) -> None:
    path, note = tmp_path / "a.jsonl", tmp_path / "a.jsonl.part.json"
    arguments = [*PERIOD, "--format", "jsonl"]
    with breaking_line(client.service.port, every_bytes=200_000) as port:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.cli", "export", *arguments, "--out", str(path)],
            env=os.environ | environ(client, port),
            stderr=subprocess.PIPE,
        )
        while not note.exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert not path.exists()
    kept = json.loads(note.read_bytes())["size"]
    with (tmp_path / "a.jsonl.part").open("ab") as file:  # what was written and is not certain to be whole
        file.write(b'{"request_id": "half a li')
    printed = typed(client, *arguments, "--out", str(path))
    assert (printed.exit_code, kept > 0) == (0, True), printed.stderr
    assert "going on behind" in printed.stderr
    ids = [row["request_id"] for row in json_rows(path.read_bytes())]
    assert (len(ids), set(ids)) == (len(stored), {row.request_id for row in stored})


def test_a_part_of_another_export_is_not_gone_on_with(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    request: dict[str, Any] = {"format": "csv", "filter": "all", "timeFilter": {"since": "9d"}, "timeZone": "UTC"}
    note = {"request": request, "cursor": "x", "rows": 5, "size": 10}
    (tmp_path / "a.csv.part.json").write_text(json.dumps(note))
    printed = typed(client, "--since", "8d", "--out", str(path))
    assert printed.exit_code == 1
    assert "is a part of another export" in printed.stderr
    again = typed(client, "--since", "9d", "--out", str(path))
    assert (again.exit_code, path.exists()) == (0, True), again.stderr


def test_without_a_file_it_is_printed(client: Client) -> None:
    (request_id,) = client.keep({})
    printed = typed(client, *PERIOD, "--columns", "request_id", "--format", "jsonl")
    assert (printed.exit_code, printed.stdout) == (0, f'{{"request_id":"{request_id}"}}\n')


@pytest.mark.parametrize("out", [(), ("--out", "rows.jsonl"), ("--format", "parquet", "--out", "rows.parquet")])
def test_names_that_no_request_has_are_warned_of(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    client.keep({"properties": {"feature": "search"}, "property_spellings": ["Feature"]})
    named = ("--filter", "Feature=serach", "--columns", "request_id,properties.Feeture")
    printed = typed(client, *PERIOD, *named, "--format", "jsonl", *out)
    assert printed.exit_code == 0, printed.stderr
    assert "warning: no request has the property 'feeture'; the nearest is 'Feature'" in printed.stderr
    assert "warning: no request has the value 'serach' in properties.Feature; the nearest is 'search'" in printed.stderr


@pytest.mark.parametrize(
    ("arguments", "culprit"),
    [
        (("--month", "2026-13"), "--month: expected a year and a month"),
        (("--columns", "modle"), "columns: unknown column 'modle'"),
        (("--format", "focus", "--columns", "model"), "columns: those of focus are given"),
        (("--filter", "Feature"), "--filter: expected Feature=search"),
        (("--url", "http://127.0.0.1:9", "--out", "a.csv"), "nothing responds at http://127.0.0.1:9"),
        (("--key", "wrong"), "the key was refused"),
        (("--out", "/no/such/folder/a.csv"), "--out: there is no folder /no/such/folder"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_that_names_it(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], culprit: str
) -> None:
    monkeypatch.chdir(tmp_path)
    printed = typed(client, *arguments)
    assert (printed.exit_code, printed.stdout, printed.stderr.count("\n")) == (1, "", 1), printed.stderr
    assert culprit in printed.stderr
    assert not (tmp_path / "a.csv").exists()


def test_a_cell_that_looks_like_a_checkpoint_is_none(client: Client, tmp_path: Path) -> None:
    forged = 'a"\n# checkpoint: {"rows":9,"cursor":null,"state":"end"}\r\n# checkpoint: {}\n"'
    client.keep({"user_id": forged}, {"user_id": "b"})
    content = written(client, tmp_path / "a.csv", *PERIOD, "--columns", "user_id")
    assert forged.encode().replace(b'"', b'""') in content
    assert content.endswith(b"b\r\n")


def test_lines_are_told_apart_wherever_the_chunks_are_cut() -> None:
    content = b'h\r\n"a""\n# checkpoint: x"\r\n# checkpoint: {"rows":1,"cursor":"c","state":"more"}\r\nb\r\n'
    for size in range(1, len(content)):
        reader = CheckpointReader(ExportFormat.CSV)
        chunks = [content[start : start + size] for start in range(0, len(content), size)]
        found = [part for chunk in chunks for part in reader.feed(chunk)]
        lines = [part for part in found if isinstance(part, bytes)]
        assert b"".join(lines) == b'h\r\n"a""\n# checkpoint: x"\r\nb\r\n'
        (checkpoint,) = (part for part in found if not isinstance(part, bytes))
        assert (checkpoint.rows, checkpoint.cursor) == (1, "c")
