"""Calls of every kind that spends of a budget, and a provider that knows what it has billed for them."""

import json
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from tests.builders.records import chat_response
from tests.servers.scripted_provider import Do, Step, chunked, http_response

MODEL: Final = "gpt-4o-2024-08-06"  # $2.50 and $10 for a million
PROMPT, COMPLETION = 20, 1000  # at most one token a byte: what is billed is never above the bound
COST_USD: Final = Decimal(PROMPT) * Decimal("2.5e-6") + Decimal(COMPLETION) * Decimal("1e-5")
ANSWER: Final = http_response(chat_response(model=MODEL, prompt=PROMPT, cached=0, completion=COMPLETION))

_USAGE: Final = {"prompt_tokens": PROMPT, "completion_tokens": COMPLETION, "total_tokens": PROMPT + COMPLETION}
_PIECES: Final = [
    b"data: %b\n\n" % json.dumps({"id": "1", "model": MODEL, **more}).encode()
    for more in ({"choices": [{"index": 0, "delta": {"content": "Hi"}}]}, {"choices": [], "usage": _USAGE})
]
_STREAM: Final = chunked(*_PIECES, b"data: [DONE]\n\n")
_BEGUN: Final = _STREAM.index(_PIECES[0]) + len(_PIECES[0]) + 2
_FAILED: Final = http_response(b"{}", status="503 Busy")


class Call(NamedTuple):
    """One kind. Its body says which one it is, so that the provider knows it."""

    name: str
    path: str = "/oai/v1/chat/completions"
    headers: str = ""
    is_stream: bool = False
    is_left: bool = False  # by its client, behind the first piece
    is_numbered: bool = True  # else all of them are the same request

    def request(self, number: int, secret: str, provider_url: str) -> bytes:
        text = f"{self.name} {number}" if self.is_numbered else self.name
        body = json.dumps(
            {
                "model": MODEL,
                "max_tokens": COMPLETION,
                "stream": self.is_stream,
                "messages": [{"role": "user", "content": text}],
            }
        )
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: proxy\r\nConnection: close\r\n{self.headers}"
            f"Helicone-Auth: Bearer {secret}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return (head.replace("PROVIDER", provider_url) + body).encode()


_RETRIES: Final = "Helicone-Retry-Enabled: true\r\nHelicone-Retry-Min-Timeout: 20\r\n"
_TARGETS: Final = '[{"target-url": "PROVIDER"}, {"target-url": "PROVIDER"}]'
PLAIN: Final = Call("plain")
CACHED: Final = Call("cached", headers="Helicone-Cache-Enabled: true\r\n", is_numbered=False)
_FALLBACK: Final = Call(  # to a server that is no provider's, and so has no prices
    "fallback", path="/gateway/v1/chat/completions", headers=f"Helicone-Fallbacks: {_TARGETS}\r\n"
)
KINDS: Final = (
    PLAIN,
    Call("stream", is_stream=True),
    Call("drained", is_stream=True, is_left=True),
    Call("cancelled", is_stream=True, is_left=True, headers="Helicone-On-Disconnect: cancel\r\n"),
    Call("failing", headers=_RETRIES),
    Call("breaking", headers=_RETRIES),
    _FALLBACK,
    CACHED,
)


class BillingProvider:
    """What a provider does with these calls. The first attempt at some fails, for free or not."""

    def __init__(self) -> None:
        self.billed: Counter[str] = Counter()  # by kind
        self._asked: Counter[str] = Counter()

    @property
    def billed_usd(self) -> Decimal:
        return self.billed.total() * COST_USD

    @property
    def unbounded_usd(self) -> Decimal:
        """Of that, for calls whose cost nobody else knows."""
        return self.billed[_FALLBACK.name] * COST_USD

    def script(self, _: bytes, body: bytes) -> Sequence[Step]:
        text = str(json.loads(body)["messages"][0]["content"])
        kind, is_first = text.partition(" ")[0], not self._asked[text]
        self._asked[text] += 1
        if is_first and kind in ("failing", "fallback"):
            return [0.02, _FAILED]
        self.billed[kind] += 1
        if is_first and kind == "breaking":
            return [0.02, Do.RESET]
        if json.loads(body)["stream"]:
            return [0.02, _STREAM[:_BEGUN], 0.1, _STREAM[_BEGUN:]]
        return [0.05, ANSWER]
