"""What a simulated provider replies to one request: which endpoint, which shape, and the usage it will bill."""

import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
import orjson

from schemas.usage import Usage
from services.simulator import payloads as shapes
from services.simulator import tokens

Json = dict[str, Any]

_ERRORS = {
    429: "Rate limit reached. Please try again later.",
    500: "The server had an error while processing your request.",
    529: "Overloaded",
}


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What goes back: one document, or events one after the other."""

    id: str  # the response's own; the request's where there is none
    status: int = 200
    document: Json | None = None
    events: Iterable[bytes] = ()
    model: str = ""
    usage: Usage | None = None  # None when nothing is billed


class SimulatedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request, as the endpoints need it."""

    body: Json
    draw: random.Random
    cached: set[int]  # prompt prefixes that Anthropic's cache holds; grows
    timestamp: int  # unix seconds

    def content(self, text: str, usage: Usage) -> shapes.Content:
        model: str = self.body["model"]
        serial = f"{self.draw.getrandbits(96):024x}"
        return shapes.Content(
            serial=serial, model=shapes.SNAPSHOTS.get(model, model), text=text, usage=usage, created=self.timestamp
        )


class Replier:
    """Replies by `seed`: the n-th request of two repliers with one seed gets the same reply."""

    def __init__(self, *, seed: int, error_share: float) -> None:
        self._seed = seed
        self._error_share = error_share
        self._count = 0
        self._cached: set[int] = set()

    def reply(self, method: str, path: str, headers: Mapping[str, str], body: bytes, timestamp: int) -> Reply:
        draw = random.Random(f"{self._seed}:{self._count}")
        self._count += 1
        is_anthropic = "anthropic-version" in headers or path == "/v1/messages"
        if method == "POST" and not (headers.get("authorization") or headers.get("x-api-key")):
            return _refusal(401, "You did not provide an API key.", is_anthropic=is_anthropic)
        endpoint = _ENDPOINTS.get((method, path))
        if endpoint is None:
            return _refusal(404, f"Unknown request URL: {method} {path}", is_anthropic=is_anthropic)
        if draw.random() < self._error_share:
            status = draw.choice((429, 500, 529) if is_anthropic else (429, 500))
            return _refusal(status, _ERRORS[status], is_anthropic=is_anthropic)
        try:
            request = {} if method == "GET" else orjson.loads(body)
            return endpoint(SimulatedRequest(body=request, draw=draw, cached=self._cached, timestamp=timestamp))
        except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError):
            return _refusal(400, "We could not understand the body of your request.", is_anthropic=is_anthropic)


def _refusal(status: int, text: str, *, is_anthropic: bool) -> Reply:
    document = shapes.anthropic_error(status, text) if is_anthropic else shapes.openai_error(status, text)
    return Reply(id="", status=status, document=document)


def _chat(request: SimulatedRequest) -> Reply:
    body = request.body
    text = tokens.words(request.draw, body.get("max_completion_tokens") or body.get("max_tokens"))
    usage = tokens.openai_tokens(tokens.text_of(body["messages"]), text, body["model"], request.draw)
    content = request.content(text, usage)
    reply = Reply(id=f"chatcmpl-{content.serial}", model=content.model, usage=usage)
    if not body.get("stream"):
        return msgspec.structs.replace(reply, document=shapes.chat_completion(content))
    options = body.get("stream_options") or {}
    events = shapes.chat_stream(content, include_usage=bool(options.get("include_usage")))
    return msgspec.structs.replace(reply, events=events)


def _responses(request: SimulatedRequest) -> Reply:
    body = request.body
    text = tokens.words(request.draw, body.get("max_output_tokens"))
    prompt = tokens.text_of([body.get("instructions"), body["input"]])
    usage = tokens.openai_tokens(prompt, text, body["model"], request.draw)
    content = request.content(text, usage)
    reply = Reply(id=f"resp_{content.serial}", model=content.model, usage=usage)
    if body.get("stream"):
        return msgspec.structs.replace(reply, events=shapes.response_stream(content))
    return msgspec.structs.replace(reply, document=shapes.response(content))


def _embeddings(request: SimulatedRequest) -> Reply:
    texts = request.body["input"]
    texts = [texts] if isinstance(texts, str) else texts
    content = request.content("", Usage(prompt_tokens=sum(tokens.tokens_in(text) for text in texts)))
    document = shapes.embeddings(
        content,
        count=len(texts),
        dimensions=int(request.body.get("dimensions") or 1536),
        as_base64=request.body.get("encoding_format") == "base64",
    )
    return Reply(id=f"embd_{content.serial}", model=content.model, usage=content.usage, document=document)


def _messages(request: SimulatedRequest) -> Reply:
    text = tokens.words(request.draw, request.body["max_tokens"])
    usage = tokens.anthropic_tokens(request.body, text, request.cached)
    content = request.content(text, usage)
    reply = Reply(id=f"msg_{content.serial}", model=content.model, usage=usage)
    if request.body.get("stream"):
        return msgspec.structs.replace(reply, events=shapes.message_stream(content))
    return msgspec.structs.replace(reply, document=shapes.message(content))


def _models(request: SimulatedRequest) -> Reply:
    del request
    return Reply(id="", document=shapes.model_list())


_ENDPOINTS: Mapping[tuple[str, str], Callable[[SimulatedRequest], Reply]] = {
    ("POST", "/v1/chat/completions"): _chat,
    ("POST", "/v1/responses"): _responses,
    ("POST", "/v1/embeddings"): _embeddings,
    ("POST", "/v1/messages"): _messages,
    ("GET", "/v1/models"): _models,
}
