"""Fees that providers charge by the call and count in no usage: the calls are listed in the response itself.

They are recognized by the response's format and the model's name, since a call may be logged under another provider's
name, or under none, and is priced by its model all the same.
Sources: https://platform.openai.com/docs/pricing (built-in tools), .../docs/guides/tools-web-search,
https://platform.openai.com/docs/api-reference/responses/object (`tool_usage`),
https://ai.google.dev/gemini-api/docs/pricing (grounding), https://console.groq.com/docs/compound/built-in-tools,
https://openrouter.ai/docs/features/web-search
"""

import re
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from schemas.undecodable import UNDECODABLE
from services.domain.providers.catalog import has_quirk
from services.domain.providers.record import Quirk
from services.domain.usage.formats.fields import MAX_COUNT, ParsedUsage
from services.domain.usage.formats.google import hides_media
from services.domain.usage.response.envelope import Found, Part, parse_part

_NO_TOOLS: Final = len(b"null")  # or {}
_SEARCH: Final = "web_search_call"
_FILE_SEARCH: Final = "file_search_call"
_UNCOUNTED: Final = "code_interpreter_call"
# These cost more with the preview of the search, and the small ones a fixed number of tokens that no usage reports.
_OLD_MODELS: Final = re.compile(r"(?:^|[/:])(?:chat)?gpt-4")
# Chat models that search once before each response.
_SEARCH_MODELS: Final = re.compile(r"-search-(?:preview|api)")
_ONE_FEE_A_PROMPT: Final = re.compile(r"(?:^|/)gemini-[12]")

# Groundings in an interaction with Google, which its usage may not count.
_GROUNDING_CALLS: Final = (b'"google_search_call"', b'"google_maps_call"')
_GOOGLE_NAMES: Final = frozenset(("promptTokenCount", "totalTokenCount"))
_FILE_STORES: Final = "fileSearchStores/"
_GROUNDED: Final = b'"groundingMetadata"'
# Marks, anywhere in a response, of a charged tool or search that is counted nowhere: Groq's, OpenRouter's.
_TOOLS_RUN: Final = b'"executed_tools"'
_CITATION: Final = b'"url_citation"'


class _Action(msgspec.Struct):
    type: str = "search"


class _Environment(msgspec.Struct):
    type: str = ""


class _Item(msgspec.Struct):
    type: str = ""
    action: _Action | str | None = None  # a string of images: whether they are generated or edited
    environment: _Environment | None = None  # of a shell

    @property
    def searches(self) -> bool:
        """Whether it is a search of the web. Opening a page that was found is none."""
        action = self.action if isinstance(self.action, _Action) else _Action()
        return self.type == _SEARCH and action.type == "search"

    @property
    def uncounted(self) -> bool:
        """Whether it is billed by container, which no usage reports."""
        hosted = self.type == "shell_call" and (self.environment is None or self.environment.type != "local")
        return hosted or self.type == _UNCOUNTED


class _Retrieved(msgspec.Struct):
    store: str = msgspec.field(default="", name="fileSearchStore")

    @property
    def is_of_file_search(self) -> bool:
        return self.store.startswith(_FILE_STORES)


class _Source(msgspec.Struct):
    web: msgspec.Raw = msgspec.Raw(b"")
    retrieved: _Retrieved | None = msgspec.field(default=None, name="retrievedContext")


class _Searches(msgspec.Struct):
    num_requests: Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNT)] = 0


class _ToolUsage(msgspec.Struct):
    """What OpenAI states of the tools that it ran; absent where it does not know."""

    web_search: _Searches | None = None


class _Grounding(msgspec.Struct):
    queries: list[str] = msgspec.field(default_factory=list, name="webSearchQueries")
    image_queries: list[str] = msgspec.field(default_factory=list, name="imageSearchQueries")
    retrievals: list[str] = msgspec.field(default_factory=list, name="retrievalQueries")
    sources: list[_Source] = msgspec.field(default_factory=list, name="groundingChunks")


class _Candidate(msgspec.Struct):
    grounding: _Grounding | None = msgspec.field(default=None, name="groundingMetadata")


_tool_usages = msgspec.json.Decoder(_ToolUsage | None)
_items = msgspec.json.Decoder(list[_Item])
_NO_TOOL_USAGE: Final = _ToolUsage()
_candidates = msgspec.json.Decoder(list[_Candidate])


def with_fees(parsed: ParsedUsage, found: Found, chunks: Sequence[bytes], model: str, provider: str) -> ParsedUsage:
    """`parsed` with the fees in a response of one or many `chunks`, whose usage was `found`."""
    if b'_call"' in bytes(found.part.output) or len(bytes(found.part.tool_usage)) > _NO_TOOLS:
        return _with_calls(parsed, found.part, model)
    if not _GOOGLE_NAMES.isdisjoint(found.block):
        grounded = _with_grounding(parsed, chunks, model)
        return _with(grounded, complete=not hides_media(found.block, chunks, model))
    if "total_input_tokens" in found.block:
        return _with(parsed, complete=not any(call in chunk for chunk in chunks for call in _GROUNDING_CALLS))
    if _SEARCH_MODELS.search(model):
        return _with(parsed, web_searches=1)
    return _with(parsed, complete=not may_have_fees(chunks, provider, searches=parsed.usage.web_searches))


def may_have_fees(chunks: Sequence[bytes], provider: str, searches: int = 0) -> bool:
    """Whether a response contains tools that were run for a fee, or, where no searches are counted, a search."""
    if has_quirk(provider, Quirk.ALL_FEES_REPORTED):
        return False
    return any(_TOOLS_RUN in chunk or (not searches and _CITATION in chunk) for chunk in chunks)


def _with_calls(parsed: ParsedUsage, part: Part, model: str) -> ParsedUsage:
    """`parsed` with the calls of OpenAI's own tools. Opening a page that was found costs nothing.

    Where OpenAI counts its billable searches, that count is billed, however many calls are listed.
    """
    try:
        items = _items.decode(part.output or b"[]")
        tools = _tool_usages.decode(part.tool_usage or b"null") or _NO_TOOL_USAGE
    except UNDECODABLE:
        return _with(parsed, complete=False)
    searches = sum(item.searches for item in items)
    if tools.web_search is not None:
        searches = tools.web_search.num_requests
    dearer = _OLD_MODELS.search(model) and ("-mini" in model or b'"web_search_preview' in bytes(part.tools))
    return _with(
        parsed,
        web_searches=searches,
        file_searches=sum(item.type == _FILE_SEARCH for item in items),
        complete=not any(item.uncounted for item in items) and not (searches and dearer),
    )


def _with_grounding(parsed: ParsedUsage, chunks: Sequence[bytes], model: str) -> ParsedUsage:
    """`parsed` with Google's searches."""
    marked = [chunk for chunk in chunks if _GROUNDED in chunk]
    if not marked:
        return parsed
    try:
        found = [
            candidate.grounding
            for chunk in marked
            if (part := parse_part(chunk)) is not None and part.candidates
            for candidate in _candidates.decode(part.candidates)
            if candidate.grounding is not None
        ]
    except UNDECODABLE:
        return _with(parsed, complete=False)
    queries = {query for grounding in found for query in grounding.queries}
    searches = min(1, len(queries)) if _ONE_FEE_A_PROMPT.search(model) else len(queries)
    elsewhere = any(
        grounding.image_queries or grounding.retrievals or any(map(_is_elsewhere, grounding.sources))
        for grounding in found
    )
    return _with(parsed, web_searches=searches, complete=not elsewhere)


def _is_elsewhere(source: _Source) -> bool:
    """Whether what is cited was found by a tool with a fee that is counted nowhere: in maps, or in a store of Vertex.

    Searching Gemini's own file stores is free: only the tokens of what was found are billed.
    Source: https://ai.google.dev/gemini-api/docs/file-search#pricing
    """
    return not (source.web or (source.retrieved is not None and source.retrieved.is_of_file_search))


def _with(parsed: ParsedUsage, *, web_searches: int = 0, file_searches: int = 0, complete: bool = True) -> ParsedUsage:
    usage = parsed.usage
    if web_searches or file_searches:
        usage = msgspec.structs.replace(
            usage, web_searches=usage.web_searches + web_searches, file_searches=usage.file_searches + file_searches
        )
    return ParsedUsage(usage, parsed.consistent, parsed.complete and complete)
