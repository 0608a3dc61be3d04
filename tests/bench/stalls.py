"""What one client's dear requests cost another: `python -m tests.bench.stalls`.

The proxy is a process of its own, with a durable journal. One client makes small calls, one after the other and
without rest; the other sends, on several connections at once, bodies that are dear to look at, or many small pieces.
Printed are the small calls' p50 and p99 and the longest, in ms, and the proxy's largest memory so far. A call counts
from when it would have begun. The first line is what a call takes when nobody else sends anything.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import monotonic
from urllib.request import urlopen

from rich.console import Console
from rich.table import Table

from schemas.key import Permission
from services.stores.factory import open_keys
from services.stores.state.migrations.run import migrate_state
from tests.builders.heavy_bodies import HEAVY_CHATS, HEAVY_LOGS, HEAVY_OMITTED
from tests.servers.processes import free_port

Send = Callable[[int, str], Awaitable[None]]


async def responded(reader: asyncio.StreamReader) -> int:
    """The status of a response that has a length; its body is read."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    lengths = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")]
    await reader.readexactly(sum(lengths))
    return int(head.split()[1])


def head(path: str, secret: str, *lines: str) -> bytes:
    keys = [f"Helicone-Auth: Bearer {secret}", f"Authorization: Bearer {secret}"]
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: proxy", *keys, *lines, "", ""]).encode()


async def send_body(path: str, body: bytes, port: int, secret: str, *, lines: Sequence[str] = ()) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head(path, secret, f"Content-Length: {len(body)}", *lines))
    writer.write(body)
    await responded(reader)
    writer.close()


def omitting(encoding: str) -> Sequence[str]:
    return [
        "Helicone-Omit-Request: true",
        "Helicone-Omit-Response: true",
        f"Content-Encoding: {encoding or 'identity'}",
    ]


async def send_chunks(port: int, secret: str) -> None:
    """A body in chunks of a byte each, as fast as they are taken."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head("/oai/v1/embeddings", secret, "Transfer-Encoding: chunked"))
    for _ in range(20):
        writer.write(b"1\r\nx\r\n" * 10_000)
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    await responded(reader)
    writer.close()


async def send_pipeline(port: int, secret: str, *, key: str = "") -> None:
    """Small requests, thousands in one write."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head("/oai/v1/embeddings", key or secret, "Content-Length: 0") * 2000)
    for _ in range(2000):
        await responded(reader)
    writer.close()


def sends() -> Mapping[str, Send]:
    chats = {f"chat: {name}": partial(send_body, "/oai/v1/chat/completions", of()) for name, of in HEAVY_CHATS.items()}
    logs = {f"log: {name}": partial(send_body, "/oai/v1/log", body_of()) for name, body_of in HEAVY_LOGS.items()}
    omitted: dict[str, Send] = {
        f"omitted: {name}": partial(send_body, "/oai/v1/chat/completions", body, lines=omitting(encoding))
        for name, (body, encoding) in ((name, body_of()) for name, body_of in HEAVY_OMITTED.items())
    }
    wrong = partial(send_pipeline, key="sk-helicone-of-nobody")
    return {
        **chats,
        **logs,
        **omitted,
        "tiny chunks": send_chunks,
        "pipelined": send_pipeline,
        "pipelined, wrong key": wrong,
    }


async def small_calls(port: int, secret: str, until: Awaitable[object]) -> list[float]:
    """How long each took, in seconds, sorted."""
    ended = asyncio.ensure_future(until)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    took_s = []
    while not ended.done():
        began_s = monotonic()
        writer.write(head("/oai/v1/embeddings", secret, "Content-Length: 2") + b"{}")
        await responded(reader)
        took_s.append(monotonic() - began_s)
    writer.close()
    await ended
    return sorted(took_s)


async def send_for(name: str, port: int, secret: str, *, connections: int, seconds: float) -> None:
    """Sends the same again and again; prints how often."""
    send, end_s, count = sends()[name], monotonic() + seconds, 0

    async def again() -> None:
        nonlocal count
        while monotonic() < end_s:
            await send(port, secret)
            count += 1

    await asyncio.gather(*(again() for _ in range(connections)))
    print(count)


async def make_secret(state: str) -> str:
    await migrate_state(state)
    keys = open_keys(state)
    _, secret = await keys.create_key(organization_id="bench", name="bench", permission=Permission.READ_WRITE)
    await keys.close()
    return secret


async def provide(port: int) -> None:
    """A provider that responses, in a process of its own, as it would hold up the small calls."""

    async def response_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                got = (await reader.readuntil(b"\r\n\r\n")).lower()
                for line in got.split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        await reader.readexactly(int(line.split(b":")[1]))
                    elif line.startswith(b"transfer-encoding:"):
                        await reader.readuntil(b"\r\n0\r\n\r\n")
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    async with await asyncio.start_server(response_all, "127.0.0.1", port, limit=16 * 2**20) as server:
        await server.serve_forever()


async def measure(port: int, secret: str, name: str, *, connections: int, seconds: float) -> tuple[list[float], str]:
    """Small calls meanwhile, and how often the other client got a response. It is a process of its own."""
    if not name:
        return await small_calls(port, secret, asyncio.sleep(seconds)), ""
    options = ["--send", name, "--port", f"{port}", "--secret", secret]
    options += ["--connections", f"{connections}", "--seconds", f"{seconds}"]
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.stalls", *options, stdout=subprocess.PIPE
    )
    took_s = await small_calls(port, secret, other.wait())
    assert other.stdout is not None
    return took_s, (await other.stdout.read()).decode().strip()


def peak_mib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) // 1024


async def bench(folder: Path, only: str, *, connections: int, seconds: float) -> None:
    port, provider_port, state = free_port(), free_port(), f"sqlite:///{folder}/state.sqlite"
    secret = await make_secret(state)
    environ = {
        **os.environ,
        "FAREBOX_EVENT_LOG": f"journal:{folder}/journal.sqlite",
        "FAREBOX_STATE": state,
        "FAREBOX_PROXY_PORT": str(port),
        "FAREBOX_LOG_LEVEL": "error",
    }
    table = Table("sent by another", "responded", "calls", "p50", "p99", "longest", "memory, MiB")
    environ["FAREBOX_OPENAI_URL"] = f"http://127.0.0.1:{provider_port}"
    ours = ["-m", "tests.bench.stalls", "--provide", "--port", f"{provider_port}"]
    provider = await asyncio.create_subprocess_exec(sys.executable, *ours)
    proxy = await asyncio.create_subprocess_exec(sys.executable, "-m", "services.proxy", env=environ)
    try:
        await wait_for(f"http://127.0.0.1:{port}/healthz")
        for name in ["", *(name for name in sends() if only in name)]:
            took_s, answered_count = await measure(port, secret, name, connections=connections, seconds=seconds)
            figures = [took_s[len(took_s) // 2], took_s[len(took_s) * 99 // 100], took_s[-1]]
            shown = [f"{1000 * figure:.1f}" for figure in figures]
            table.add_row(name or "nothing", answered_count, str(len(took_s)), *shown, str(peak_mib(proxy.pid)))
    finally:
        for child in (proxy, provider):
            child.terminate()
            await child.wait()
    Console(width=110).print(table)


def responses(url: str) -> bool:
    with suppress(OSError), urlopen(url, timeout=1):
        return True
    return False


async def wait_for(url: str) -> None:
    async with asyncio.timeout(60):
        while not await asyncio.to_thread(responses, url):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="only what has this in its name")
    parser.add_argument("--connections", type=int, default=4, help="of the other client")
    parser.add_argument("--seconds", type=float, default=3, help="of each")
    parser.add_argument("--provide", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--send", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--secret", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    load = {"connections": chosen.connections, "seconds": chosen.seconds}
    if chosen.send:
        asyncio.run(send_for(chosen.send, chosen.port, chosen.secret, **load))
        return
    if chosen.provide:
        asyncio.run(provide(chosen.port))
        return
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(bench(Path(folder), chosen.only, **load))


if __name__ == "__main__":
    main()
