"""A provider of realtime sessions on loopback: a WebSocket server of another maker, and one that sends any bytes."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from hashlib import sha1
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

USAGE = {
    "total_tokens": 253,
    "input_tokens": 132,
    "output_tokens": 121,
    "input_token_details": {
        "text_tokens": 119,
        "audio_tokens": 13,
        "image_tokens": 0,
        "cached_tokens": 64,
        "cached_tokens_details": {"text_tokens": 64, "audio_tokens": 0, "image_tokens": 0},
    },
    "output_token_details": {"text_tokens": 30, "audio_tokens": 91},
}
# By hand, from https://platform.openai.com/docs/pricing: gpt-realtime, per million: text 4, cached 0.40, output 16;
# audio 32, output 64. 55 * 4 + 64 * 0.4 + 13 * 32 + 30 * 16 + 91 * 64 = 6965.6
COST_USD = "0.0069656"
TRANSCRIPTION_USAGE = {
    "type": "tokens",
    "total_tokens": 48,
    "input_tokens": 36,
    "input_token_details": {"text_tokens": 0, "audio_tokens": 36},
    "output_tokens": 12,
}
SESSION = {
    "type": "realtime",
    "object": "realtime.session",
    "id": "sess_1",
    "model": "gpt-realtime",
    "audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}},
}

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def event(kind: str, number: int, **fields: Any) -> str:
    return json.dumps({"type": kind, "event_id": f"event_{kind}_{number}", **fields})


def response(number: int, status: str, **fields: Any) -> dict[str, Any]:
    return {"object": "realtime.response", "id": f"resp_{number}", "status": status, "output": [], **fields}


class RealtimeProvider:
    """Responds to `response.create` with audio, and to `input_audio_buffer.commit` with what was said."""

    def __init__(self, subprotocols: Sequence[str] = ()) -> None:
        self._subprotocols = [Subprotocol(name) for name in subprotocols] or None
        self.url = ""
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.received: list[dict[str, Any]] = []
        self.closed_with: list[int | None] = []
        self.delta_bytes = 4000
        self.hangs = False  # after it has begun a response

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["RealtimeProvider"]:
        options: dict[str, Any] = {"max_size": None, "ping_interval": None, "subprotocols": self._subprotocols}
        async with serve(self._session, "127.0.0.1", 0, **options) as server:
            self.url = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
            yield self

    async def _session(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.paths.append(socket.request.path)
        self.headers.append({name.lower(): value for name, value in socket.request.headers.raw_items()})
        await socket.send(event("session.created", 0, session=SESSION))
        number = 0
        async for message in socket:
            one = json.loads(message)
            self.received.append(one)
            number += 1
            match one["type"]:
                case "response.create":
                    await self._respond(socket, number)
                case "input_audio_buffer.commit":
                    await socket.send(
                        event(
                            "conversation.item.input_audio_transcription.completed",
                            number,
                            item_id="item_1",
                            content_index=0,
                            transcript="Hello.",
                            usage=TRANSCRIPTION_USAGE,
                        )
                    )
                case "session.update":
                    await socket.send(event("session.updated", number, session=SESSION | one["session"]))
                case "input_audio_buffer.append":
                    pass
                case _:
                    error = {"type": "invalid_request_error", "code": "unknown_event", "message": "no such event"}
                    await socket.send(event("error", number, error=error))
        self.closed_with.append(socket.close_code)

    async def _respond(self, socket: ServerConnection, number: int) -> None:
        await socket.send(event("response.created", number, response=response(number, "in_progress", usage=None)))
        sound = b64encode(bytes(self.delta_bytes)).decode()
        delta = {"item_id": "item_1", "output_index": 0, "content_index": 0, "delta": sound}
        await socket.send(event("response.output_audio.delta", number, response_id=f"resp_{number}", **delta))
        if not self.hangs:
            await socket.send(event("response.done", number, response=response(number, "completed", usage=USAGE)))


def accept_of(head: bytes) -> bytes:
    """The response's proof that it is to this request."""
    key = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
    return b64encode(sha1(key.partition(b":")[2].strip() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())


SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "


@asynccontextmanager
async def any_provider(session: Serve, switched: bytes = SWITCHED) -> AsyncIterator[str]:
    """The URL of one that agrees to every WebSocket, and then does as `session` does."""

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(switched + accept_of(head) + b"\r\n\r\n")
            await session(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0, limit=2**20)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
