"""A load generator with a ledger: many small chat calls over raw sockets, and what each completed one must cost."""

import asyncio
import itertools
import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from tests.journeys.ledger import cost_of


class BrokenOff(Exception):
    """The response did not arrive whole: nobody may claim this call was completed."""


class Load:
    """`requests` calls over `connections` connections, spread over the proxies in turn.

    `ledger` holds the cost of every call whose response arrived, `completed_s` when; `at` runs a deed once so many
    are completed. Each connection rests `pause_s` between two calls. `stop` ends it early, also from another thread.
    """

    def __init__(self, ports: Sequence[int], *, key: str, requests: int, connections: int, pause_s: float = 0) -> None:
        self.ledger: dict[str, Decimal] = {}
        self.completed_s: dict[str, float] = {}
        self.broken = 0
        self._ports = ports
        self._key = key
        self._connections = connections
        self._pause_s = pause_s
        self._stopped = False
        self._numbers: Iterator[int] = iter(range(requests))
        self._deeds: list[tuple[int, Callable[[], None]]] = []

    def at(self, completed: int, deed: Callable[[], None]) -> None:
        self._deeds.append((completed, deed))

    def stop(self) -> None:
        self._stopped = True

    async def run(self) -> None:
        ports = itertools.islice(itertools.cycle(self._ports), self._connections)
        await asyncio.gather(*(self._client(port) for port in ports))

    async def _client(self, port: int) -> None:
        """One connection's calls; it connects again whenever the proxy goes away."""
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        for number in self._numbers:
            if self._stopped:
                break
            await self._do_deeds()
            try:
                streams = streams or await asyncio.open_connection("127.0.0.1", port)
                await self._call(number, *streams)
            except (OSError, EOFError, BrokenOff):
                self.broken += 1
                if streams:
                    streams[1].close()
                streams = None
                await asyncio.sleep(0.25)  # so that a proxy that starts again slowly breaks no more calls than it must
            if self._pause_s:
                await asyncio.sleep(self._pause_s)
        if streams:
            streams[1].close()

    async def _do_deeds(self) -> None:
        for due in [deed for deed in self._deeds if len(self.ledger) >= deed[0]]:
            self._deeds.remove(due)
            await asyncio.to_thread(due[1])

    async def _call(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request_id = str(uuid.uuid4())
        stream = number % 5 == 0
        writer.write(_request(self._key, request_id, number, stream=stream))
        status, body = await _response(reader)
        completed_s = time.monotonic()
        if status == 200:
            response = _last_chunk(body) if stream else json.loads(body)
            self.ledger[request_id] = cost_of(response["model"], response["usage"])
        elif status in (429, 500, 529):
            self.ledger[request_id] = Decimal(0)
        else:
            raise BrokenOff(status)
        self.completed_s[request_id] = completed_s


def _request(key: str, request_id: str, number: int, *, stream: bool) -> bytes:
    requested: dict[str, object] = {
        "model": "gpt-4o-mini" if number % 3 else "gpt-4o",
        "messages": [{"role": "user", "content": f"Question {number}: " + "why? " * (number % 40)}],
    }
    if stream:
        requested |= {"stream": True, "stream_options": {"include_usage": True}}
    body = json.dumps(requested).encode()
    head = (
        "POST /oai/v1/chat/completions HTTP/1.1\r\nHost: farebox\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer sk-provider\r\nHelicone-Auth: Bearer {key}\r\nHelicone-Request-Id: {request_id}\r\n"
        f"Helicone-User-Id: user-{number % 100}\r\nHelicone-Property-Feature: feature-{number % 4}\r\n"
        f"Helicone-Property-Environment: {'production' if number % 4 else 'development'}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _response(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    status = int(head.split(" ", 2)[1])
    length = next((line.split(":")[1] for line in head.split("\r\n") if line.startswith("content-length:")), None)
    return status, await (_chunks(reader) if length is None else reader.readexactly(int(length)))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while (size := int(await reader.readuntil(b"\r\n"), 16)) > 0:
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
    return body


def _last_chunk(body: bytes) -> Any:
    """The last event of an OpenAI chat stream before [DONE], which carries the usage."""
    events = [line[6:] for line in body.decode().splitlines() if line.startswith("data: ")]
    return json.loads(events[-2])
