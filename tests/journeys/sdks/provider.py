"""One server for the providers of all SDKs, each under a path and in a shape of its own: always the same response."""

import base64
import json
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from schemas.usage import Usage
from services.simulator import payloads

TEXT: Final = "Hello from the other side."
USAGE: Final = Usage(prompt_tokens=600, prompt_cache_read_tokens=400, completion_tokens=200)
_CONVERSE_USAGE: Final = {
    "inputTokens": 600,
    "outputTokens": 200,
    "totalTokens": 1200,
    "cacheReadInputTokens": 400,
    "cacheWriteInputTokens": 0,
}
_EVENTS: Final = "text/event-stream"
_FRAMES: Final = "application/vnd.amazon.eventstream"

Json = dict[str, Any]
Reply = tuple[str, list[bytes]]  # content type; the pieces of the body


def response_to(path: str, body: Json) -> Reply:
    """Raises: LookupError for a path that no SDK should call."""
    prefix, _, rest = path.partition("?")[0].removeprefix("/").partition("/")
    for (provider, end), found in _REPLIES.items():
        if provider in (prefix, "*") and rest.endswith(end):
            return found(rest, body)
    raise LookupError(path)


def _content(model: str) -> payloads.Content:
    named = payloads.SNAPSHOTS.get(model, model)
    return payloads.Content(serial="5f1c", model=named, text=TEXT, usage=USAGE, created=1_790_000_000)


def _plain(document: Json) -> Reply:
    return "application/json", [json.dumps(document).encode()]


def _chat(_path: str, body: Json) -> Reply:
    content = _content(body["model"])
    if not body.get("stream"):
        return _plain(payloads.chat_completion(content))
    include = bool((body.get("stream_options") or {}).get("include_usage"))
    return _EVENTS, list(payloads.chat_stream(content, include_usage=include))


def _mistral_chat(_path: str, body: Json) -> Reply:
    """Of a stream the last chunk has the usage, whether it was asked for or not."""
    if not body.get("stream"):
        return _chat("", body)
    *chunks, _done = payloads.chat_stream(_content(body["model"]), include_usage=False)
    last = json.loads(chunks.pop().removeprefix(b"data: "))
    last["usage"] = payloads.openai_usage(USAGE)
    return _EVENTS, [*chunks, _data(last), b"data: [DONE]\n\n"]


def _groq_chat(_path: str, body: Json) -> Reply:
    """Of a stream the last chunk has the usage under a name of Groq's own."""
    usage = {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200, "total_time": 0.1}
    content = _content(body["model"])
    if not body.get("stream"):
        return _plain({**payloads.chat_completion(content), "usage": usage, "x_groq": {"id": "req_1"}})
    *chunks, _done = payloads.chat_stream(content, include_usage=False)
    last = json.loads(chunks.pop().removeprefix(b"data: "))
    last["x_groq"] = {"id": "req_1", "usage": usage}
    return _EVENTS, [*chunks, _data(last), b"data: [DONE]\n\n"]


def _responses(_path: str, body: Json) -> Reply:
    content = _content(body["model"])
    if body.get("stream"):
        return _EVENTS, list(payloads.response_stream(content))
    return _plain(payloads.response(content))


def _messages(_path: str, body: Json) -> Reply:
    content = _content(body["model"])
    if body.get("stream"):
        return _EVENTS, list(payloads.message_stream(content))
    return _plain(payloads.message(content))


def _google(path: str, _body: Json) -> Reply:
    usage = {
        "promptTokenCount": 1000,
        "cachedContentTokenCount": 400,
        "candidatesTokenCount": 200,
        "totalTokenCount": 1200,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 1000}],
    }
    model = path.rpartition("/")[2].partition(":")[0]

    def part(text: str, **more: Any) -> Json:
        candidate = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0, **more}
        return {"candidates": [candidate], "modelVersion": model, "responseId": "r-1", "usageMetadata": usage}

    if path.endswith(":generateContent"):
        return _plain(part(TEXT, finishReason="STOP"))
    return _EVENTS, [_data(part(TEXT)), _data(part("", finishReason="STOP"))]


def _cohere(_path: str, body: Json) -> Reply:
    units = {"input_tokens": 1000, "output_tokens": 200}
    usage = {"billed_units": units, "tokens": units}
    if not body.get("stream"):
        message = {"role": "assistant", "content": [{"type": "text", "text": TEXT}]}
        return _plain({"id": "c-1", "finish_reason": "COMPLETE", "message": message, "usage": usage})
    text = {"message": {"content": {"text": TEXT}}}
    events: list[Json] = [
        {"type": "message-start", "id": "c-1", "delta": {"message": {"role": "assistant", "content": []}}},
        {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}},
        {"type": "content-delta", "index": 0, "delta": text},
        {"type": "content-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage}},
    ]
    return _EVENTS, [f"event: {event['type']}\n".encode() + _data(event) for event in events]


def _converse(_path: str, _body: Json) -> Reply:
    message = {"role": "assistant", "content": [{"text": TEXT}]}
    metrics = {"latencyMs": 10}
    return _plain(
        {"output": {"message": message}, "stopReason": "end_turn", "usage": _CONVERSE_USAGE, "metrics": metrics}
    )


def _converse_stream(_path: str, _body: Json) -> Reply:
    events: list[tuple[str, Json]] = [
        ("messageStart", {"role": "assistant"}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": TEXT}}),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": "end_turn"}),
        ("metadata", {"usage": _CONVERSE_USAGE, "metrics": {"latencyMs": 10}}),
    ]
    return _FRAMES, [_frame(kind, {**event, "p": "abc"}) for kind, event in events]


def _invoke(_path: str, _body: Json) -> Reply:
    return _messages("", {"model": "claude-haiku-4-5"})


def _invoke_stream(_path: str, _body: Json) -> Reply:
    _, events = _messages("", {"model": "claude-haiku-4-5", "stream": True})
    texts = (event.partition(b"data: ")[2].strip() for event in events)
    return _FRAMES, [_frame("chunk", {"bytes": base64.b64encode(text).decode(), "p": "abc"}) for text in texts]


def _data(event: Json) -> bytes:
    return b"data: " + json.dumps(event).encode() + b"\n\n"


def _frame(kind: str, event: Json) -> bytes:
    """Source: https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html"""
    names = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(
        struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", 7, len(value)) + value.encode()
        for name, value in names.items()
    )
    payload = json.dumps(event).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return message + struct.pack(">I", zlib.crc32(message))


_REPLIES: Final[dict[tuple[str, str], Callable[[str, Json], Reply]]] = {
    ("mistral", "/chat/completions"): _mistral_chat,
    ("groq", "/chat/completions"): _groq_chat,
    ("*", "/chat/completions"): _chat,
    ("*", "/responses"): _responses,
    ("*", "/messages"): _messages,
    ("google", ":generateContent"): _google,
    ("google", ":streamGenerateContent"): _google,
    ("cohere", "v2/chat"): _cohere,
    ("aws", "/converse"): _converse,
    ("aws", "/converse-stream"): _converse_stream,
    ("aws", "/invoke"): _invoke,
    ("aws", "/invoke-with-response-stream"): _invoke_stream,
}


class Provider:
    """Listens on loopback while it is entered."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []  # path; headers, by name in lower case
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                provider.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                content_type, pieces = response_to(self.path, body)
                self.send_response(200)
                self.send_header("Content-Type", content_type)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for piece in (*pieces, b""):
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "Provider":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def settings(url: str) -> Iterator[tuple[str, str]]:
    """The base URL of each provider, as Farebox's settings name them."""
    for name in ("openai", "anthropic", "google", "mistral", "groq", "cohere", "aws"):
        yield f"FAREBOX_{name.upper()}_URL", f"{url}/{name}"
