"""Price-relevant options found only in the request: cache lifetimes, search depth, tools that are charged by the call.

Sources: https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching#1-hour-cache-duration,
https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html,
https://docs.perplexity.ai/getting-started/pricing (fees by search context)
"""

import re
from typing import Any, Final

import msgspec

from schemas.undecodable import UNDECODABLE
from services.domain.exchange.body import Body
from services.domain.providers.catalog import has_quirk
from services.domain.providers.record import Quirk

_HOUR_CACHE: Final = re.compile(rb'"ttl"\s*:\s*"1h"')  # inside of a string a backslash would precede each quote
_CACHE_OPTION: Final = b"cache_control"
_DEPTHS: Final = frozenset(("low", "medium", "high"))
_UNKNOWN: Final = "unknown"  # no price book has a price for it
# Models that search without a tool, and OpenRouter's stored settings, which may add one.
_CHARGES_BY_CALL: Final = re.compile(r":online|compound|@preset/")
_CLIENT_TOOLS: Final = (None, "function", "custom")  # no set: what is looked for may be any JSON
_COUNTED_TOOLS: Final = ("image_generation", "web_search")
_DECLARED: Final = frozenset(("functionDeclarations", "function_declarations"))


class _Search(msgspec.Struct):
    search_context_size: str = _UNKNOWN


class _SearchRequest(msgspec.Struct):
    web_search_options: _Search | None = None


_search_requests = msgspec.json.Decoder(_SearchRequest)


class _ToolOptions(msgspec.Struct):
    """The fields of a request for which a provider may charge in addition to the tokens."""

    model: Any = ""
    models: Any = None  # OpenRouter's, to be tried in turn
    preset: Any = None
    web_search_options: Any = None
    tools: list[dict[str, Any]] | None = None
    plugins: Any = None  # OpenRouter's
    prompt: Any = None  # a text; or OpenAI's stored prompt, which may have tools
    cached: Any = msgspec.field(default=None, name="cachedContent")  # Google's, which may have tools


_tool_options = msgspec.json.Decoder(_ToolOptions)


def may_request_hour_cache(request: Body) -> bool:
    """Whether a request may ask for a cache that lasts an hour."""
    return not request.whole or _HOUR_CACHE.search(request.content) is not None


def requested_search_depth(request: bytes) -> str:
    """The search depth that a request names: low, medium or high; `unknown` if it names none."""
    try:
        search = _search_requests.decode(request).web_search_options
    except UNDECODABLE:
        return _UNKNOWN
    depth = _UNKNOWN if search is None else search.search_context_size.lower()
    return depth if depth in _DEPTHS else _UNKNOWN


def may_request_caching(request: Body) -> bool:
    """Whether a request may ask for its prompt to be cached."""
    return not request.whole or _CACHE_OPTION in request.content


def may_run_paid_tools(request_body: bytes, provider: str) -> bool:
    """Whether the response may contain calls that are charged one by one, and counted in no usage."""
    return _may_run_others(request_body, provider, _CLIENT_TOOLS)


def may_run_uncounted_tools(request_body: bytes, provider: str) -> bool:
    """Whether it may contain others than those that OpenAI counts in `tool_usage`."""
    return _may_run_others(request_body, provider, (*_CLIENT_TOOLS, *_COUNTED_TOOLS))


def _may_run_others(request_body: bytes, provider: str, known: tuple[str | None, ...]) -> bool:
    """Whether it may contain calls of other tools than the types that are `known`."""
    try:
        request = _tool_options.decode(request_body)
    except UNDECODABLE:
        return True
    extended = request.plugins or request.preset or request.cached or isinstance(request.prompt, dict)
    if request.web_search_options is not None and not has_quirk(provider, Quirk.ALL_FEES_REPORTED):
        return True
    searches = _CHARGES_BY_CALL.search(f"{request.model} {request.models}") is not None
    return bool(extended) or searches or not all(_is_one_of(known, tool) for tool in request.tools or ())


def _is_one_of(types: tuple[str | None, ...], tool: dict[str, Any]) -> bool:
    """Whether a tool is of one of these types, or is declared by Google's names: then the client runs it."""
    if "type" in tool or "name" in tool:
        return tool.get("type") in types
    return set(tool) <= _DECLARED
