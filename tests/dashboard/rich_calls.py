"""Calls whose bodies have all that a conversation may have, logged as clients log them."""

import base64
import json
import math
import struct
import time
import urllib.request
import uuid
from collections.abc import Mapping
from typing import Any

from tests.builders.logged_calls import CHAT, a_log
from tests.dashboard.browser import Demo

# A chequered square of 48 pixels.
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAADAAAAAwCAIAAADYYG7QAAAAuUlEQVR42u3W4WbCcRTG8d6PESNGxBgRMSIiYsSIiIj4MiLiS0RExBhjxBhd3y"
    "5g7A52A/2u4P9wXj6Oz6tzntrP3+/VeZBHaUtHuvIkPelLKT+TuSxkKcirrGRdzr/Ju3zIp5zlS77lIrWAAgqocqAbuZW63ElD7qUprfKigQxl"
    "JM8ylheZyLSc34iylZ3s5SBHOZXzAQUUUPVAudQBBRRQ+lBeR0ABpQ/lUgcUUEDpQ3kdAQVUadA/dctuwOGGVPoAAAAASUVORK5CYII="
)
ELSEWHERE = "https://images.example.com/boarding-pass.png"
TEXT = """Here is the **plan**, with the key in `config.toml`:

1. Read the fare table.
2. Sum it by zone.

```python
def total(fares: list[Fare]) -> Decimal:
    return sum((fare.amount for fare in fares), Decimal(0))
```

It takes one pass over the data."""

CONVERSATION: list[dict[str, Any]] = [
    {"role": "system", "content": "You are the assistant of a ticket office. Be brief, and name your sources."},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What does this pass cost?\nAnd how would you add up the table?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
            {"type": "image_url", "image_url": {"url": ELSEWHERE}},
        ],
    },
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "find_fare", "arguments": '{"zone":"B","days":30}'},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": '{"fare":{"amount":"49.00","currency":"EUR"}}'},
]


def conversation() -> dict[str, Any]:
    """A chat with images, a tool and its result, thinking, code, and a source."""
    message = {
        "role": "assistant",
        "content": TEXT,
        "reasoning_content": "The pass is for zone B. The table has one row a fare, so a sum will do.",
        "annotations": [
            {"type": "url_citation", "url_citation": {"url": "https://fares.example.com/b", "title": "Fares of zone B"}}
        ],
    }
    response = CHAT | {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    return a_log(requested={"model": "gpt-4o-mini", "messages": CONVERSATION}, response=response)


def spoken() -> dict[str, Any]:
    """Half a second of a tone, asked about and answered by the same."""
    samples = struct.pack("<4000h", *(int(9000 * math.sin(at / 3)) for at in range(4000)))
    head = struct.pack("<4sI8sIHHIIHH4sI", b"RIFF", 36 + 8000, b"WAVEfmt ", 16, 1, 1, 8000, 16000, 2, 16, b"data", 8000)
    audio = base64.b64encode(head + samples).decode()
    asked = [
        {"type": "text", "text": "What is heard?"},
        {"type": "input_audio", "input_audio": {"data": audio, "format": "wav"}},
    ]
    message = {"role": "assistant", "content": None, "audio": {"data": audio, "transcript": "A tone."}}
    response = CHAT | {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    requested = {
        "model": "gpt-4o-mini",
        "audio": {"voice": "alloy", "format": "wav"},
        "messages": [{"role": "user", "content": asked}],
    }
    return a_log(requested=requested, response=response)


def refused() -> dict[str, Any]:
    message = {"role": "assistant", "content": None, "refusal": "I cannot help with forged tickets."}
    response = CHAT | {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    messages = [{"role": "user", "content": "Forge a ticket."}]
    return a_log(requested={"model": "gpt-4o-mini", "messages": messages}, response=response)


def failed() -> dict[str, Any]:
    messages = [{"role": "user", "content": "Hello"}]
    return a_log(
        requested={"model": "gpt-none", "messages": messages},
        response={"error": {"message": "The model `gpt-none` does not exist."}},
        status=404,
    )


def embedded() -> dict[str, Any]:
    response = {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.0012, -0.0231, 0.4412, 0.1]}],
        "model": "text-embedding-3-small",
        "usage": {"prompt_tokens": 5, "total_tokens": 5},
    }
    return a_log(requested={"model": "text-embedding-3-small", "input": ["Fares of zone B"]}, response=response)


def log_call(demo: Demo, call: dict[str, Any], meta: Mapping[str, str], seconds_ago: float = 1) -> str:
    """Logs `call` as one of just now, and returns its id; the row appears a moment later."""
    request_id = str(uuid.uuid4())
    now = time.time() - seconds_ago
    call = json.loads(json.dumps(call))
    call["timing"] = {
        "startTime": {"seconds": int(now), "milliseconds": int(now % 1 * 1000)},
        "endTime": {"seconds": int(now) + 1, "milliseconds": int(now % 1 * 1000)},
        "timeToFirstToken": 240,
    }
    call["providerRequest"]["meta"] = {"Helicone-Request-Id": request_id, **meta}
    request = urllib.request.Request(
        f"{demo.query_url}/oai/v1/log",
        json.dumps(call).encode(),
        {"Authorization": f"Bearer {demo.key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        assert response.status == 200, response.status
    return request_id
