"""A span of a call of a model -> the call as a client would have logged it, in the shape of OpenAI's chat completions.

Token counts of spans have cached input in them, whichever provider it is, as OpenAI's have.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from schemas.undecodable import UNDECODABLE
from services.domain.logging_api.otlp.span import ERROR, Span
from services.domain.logging_api.payload import LoggedCall, LoggedRequest, LoggedResponse, Timing
from services.domain.logging_api.timestamps import SplitTime
from services.domain.providers.catalog import known_provider

_FRAMEWORKS: Final = frozenset({"CREWAI", "HAYSTACK", "LANGCHAIN", "LLAMAINDEX"})  # which call any provider
_ASSOCIATION: Final = "traceloop.association.properties."
_HELICONE: Final = "helicone-"
_USER: Final = "Helicone-User-Id"
_SESSION: Final = "Helicone-Session-Id"
_KNOWN_ASSOCIATIONS: Final = {"user_id": _USER, "session_id": _SESSION}
_TURN: Final = re.compile(r"gen_ai\.(prompt|completion)\.([0-9]{1,5})\.(role|content|finish_reason)")
_USAGE: Final[Mapping[str, Sequence[str]]] = {
    "prompt_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens"),
    "completion_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.usage.completion_tokens",
    ),
    "total_tokens": ("gen_ai.usage.total_tokens", "llm.usage.total_tokens"),
}
_CACHED: Final[Mapping[str, Sequence[str]]] = {
    "cached_tokens": ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens"),
    "cache_write_tokens": ("gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_creation_input_tokens"),
}
_REASONING: Final[Mapping[str, Sequence[str]]] = {
    "reasoning_tokens": ("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens")
}
_NS_PER_S: Final = 10**9
_NS_PER_MS: Final = 10**6

_any = msgspec.json.Decoder()


def logged_call(span: Span) -> LoggedCall:
    """The call of a span that is one; its times are as implausible as the span's."""
    return LoggedCall(
        provider_request=LoggedRequest(json=_raw(_request(span)), meta=_raw(_meta(span))),
        provider_response=LoggedResponse(status=_status(span), json=_raw(_response(span))),
        timing=Timing(start_time=_time(span.start_ns), end_time=_time(span.end_ns or span.start_ns)),
        provider=_provider(span),
    )


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


def _time(unix_ns: int) -> SplitTime:
    return SplitTime(unix_ns // _NS_PER_S, unix_ns % _NS_PER_S / _NS_PER_MS)


def _provider(span: Span) -> str | None:
    """By its name here, where it is known; None where the span names none but a framework."""
    name = span.text("gen_ai.system", "gen_ai.provider.name")
    known = known_provider(name) if name else None
    if known is not None:
        return known.name
    return None if name.upper() in _FRAMEWORKS else name or None


def _status(span: Span) -> int:
    if span.status != ERROR:
        return 200
    status = span.count("http.response.status_code", "http.status_code") or 0
    return status if 400 <= status <= 599 else 500


def _request(span: Span) -> dict[str, Any]:
    request: dict[str, Any] = {"model": span.text("gen_ai.request.model", "gen_ai.response.model")}
    if messages := _messages(span, "gen_ai.input.messages", "prompt"):
        request["messages"] = messages
    if span.attributes.get("llm.is_streaming") is True or span.attributes.get("gen_ai.is_streaming") is True:
        request["stream"] = True
    if user := span.text("llm.user", "gen_ai.request.user"):
        request["user"] = user
    if limit := span.count("gen_ai.request.max_tokens"):
        request["max_tokens"] = limit
    return request


def _response(span: Span) -> dict[str, Any]:
    response: dict[str, Any] = {"object": "chat.completion", "model": span.text("gen_ai.response.model")}
    if not response["model"]:
        del response["model"]
    if response_id := span.text("gen_ai.response.id"):
        response["id"] = response_id
    if tier := span.text("openai.response.service_tier", "gen_ai.openai.response.service_tier"):
        response["service_tier"] = tier
    if choices := _choices(span):
        response["choices"] = choices
    if usage := _usage(span):
        response["usage"] = usage
    if span.status == ERROR:
        response["error"] = {"message": span.status_message}
    return response


def _usage(span: Span) -> dict[str, Any]:
    """Empty where the span has none."""
    usage: dict[str, Any] = _counts(span, _USAGE)
    if not usage:
        return usage
    if cached := _counts(span, _CACHED):
        usage["prompt_tokens_details"] = cached
    if reasoning := _counts(span, _REASONING):
        usage["completion_tokens_details"] = reasoning
    return usage


def _counts(span: Span, names: Mapping[str, Sequence[str]]) -> dict[str, int]:
    counts = {name: span.count(*attributes) for name, attributes in names.items()}
    return {name: count for name, count in counts.items() if count is not None}


def _choices(span: Span) -> list[dict[str, Any]]:
    return [
        {"index": index, "message": message, "finish_reason": message.pop("finish_reason", None) or "stop"}
        for index, message in enumerate(_messages(span, "gen_ai.output.messages", "completion"))
    ]


def _messages(span: Span, attribute: str, kind: str) -> list[dict[str, Any]]:
    """As one attribute, or as many."""
    messages = _json(span.text(attribute))
    if not isinstance(messages, list):
        return _turns(span, kind)
    return [_with_content(message) for message in messages if isinstance(message, dict)]


def _with_content(message: dict[str, Any]) -> dict[str, Any]:
    """A message whose parts are all texts, as OpenAI has it."""
    match message:
        case {"parts": [{"type": "text", "content": str(text)}]}:
            return {name: value for name, value in message.items() if name != "parts"} | {"content": text}
    return message


def _turns(span: Span, kind: str) -> list[dict[str, Any]]:
    """Messages whose parts are attributes with the number of the message."""
    turns: dict[int, dict[str, Any]] = {}
    for name, value in span.attributes.items():
        found = _TURN.fullmatch(name)
        if found is not None and found[1] == kind:
            turns.setdefault(int(found[2]), {})[found[3]] = value
    return [turns[number] for number in sorted(turns)]


def _json(text: str) -> Any:
    """None for what is no JSON."""
    try:
        return _any.decode(text) if text else None
    except UNDECODABLE:
        return None


def _meta(span: Span) -> dict[str, str]:
    """The `Helicone-*` headers that the span's attributes stand for."""
    meta: dict[str, str] = {}
    for name, value in span.attributes.items():
        if name.startswith(_ASSOCIATION):
            own = name.removeprefix(_ASSOCIATION)
            text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            meta.setdefault(_header_of(own), text)
    for header, names in ((_USER, ("enduser.id", "user.id")), (_SESSION, ("session.id", "gen_ai.conversation.id"))):
        if stated := span.text(*names):
            meta.setdefault(header, stated)
    return meta


def _header_of(name: str) -> str:
    if name.lower().startswith(_HELICONE):
        return name
    return _KNOWN_ASSOCIATIONS.get(name, f"Helicone-Property-{name}")
