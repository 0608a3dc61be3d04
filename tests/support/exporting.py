"""A client of exports on a real socket: reads them whole, or breaks off and goes on."""

import csv
import http.client
import io
import json
import socket
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from tests.servers.querying import Client

EXPORT = "/v1/export"
CHECKPOINT = "# checkpoint: "


def opened(
    client: Client, body: dict[str, Any], *, buffer_bytes: int = 0, headers: Mapping[str, str] = MappingProxyType({})
) -> http.client.HTTPResponse:
    """The response before its rows are read. A small buffer lets the server go no further ahead than that."""
    connection = http.client.HTTPConnection("127.0.0.1", client.service.port, timeout=60)
    if buffer_bytes:
        connection.sock = socket.socket()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        connection.sock.settimeout(60)
        connection.sock.connect(("127.0.0.1", client.service.port))
    known = {"Authorization": f"Bearer {client.key}", "Content-Type": "application/json", "Connection": "close"}
    connection.request("POST", EXPORT, json.dumps(body), {**known, **headers})
    return connection.getresponse()


def exported(client: Client, **body: Any) -> bytes:
    with opened(client, body) as response:
        content = response.read()
    assert response.status == 200, content
    return content


def json_rows(content: bytes) -> list[dict[str, Any]]:
    """Without checkpoints."""
    rows = [json.loads(line, parse_float=Decimal) for line in content.splitlines()]
    return [row for row in rows if "farebox_checkpoint" not in row]


def json_checkpoints(content: bytes) -> list[dict[str, Any]]:
    """Of whole lines."""
    lines = content.decode(errors="ignore").splitlines(keepends=True)
    rows = [json.loads(line) for line in lines if line.startswith('{"farebox_checkpoint"') and line.endswith("\n")]
    return [row["farebox_checkpoint"] for row in rows]


def csv_rows(content: bytes) -> list[dict[str, str]]:
    """Without the block and checkpoints, as `comment="#"` reads a file."""
    lines = [line for line in content.decode().split("\r\n") if not line.startswith("#")]
    return list(csv.DictReader(io.StringIO("\r\n".join(lines), newline=""), strict=True))


def csv_checkpoints(content: bytes) -> list[dict[str, Any]]:
    lines = content.decode(errors="ignore").split("\r\n")[:-1]
    return [json.loads(line.removeprefix(CHECKPOINT)) for line in lines if line.startswith(CHECKPOINT)]


def until_last_checkpoint(content: bytes) -> bytes:
    """What is certain to be whole of a CSV or JSON lines file that was cut off; the checkpoint with it."""
    lines = content.splitlines(keepends=True)
    if lines and not lines[-1].endswith(b"\n"):
        lines.pop()
    while lines and not lines[-1].startswith((CHECKPOINT.encode(), b'{"farebox_checkpoint"')):
        lines.pop()
    return b"".join(lines)
