"""Fees that providers charge by the call and count in no usage: the calls stand in the response itself.

They are told by the response's shape and the model's name, since a call may be logged under another provider's name, or
under none, and is priced by its model all the same.
Sources: https://platform.openai.com/docs/pricing (built-in tools), .../docs/guides/tools-web-search,
https://ai.google.dev/gemini-api/docs/pricing (grounding), https://console.groq.com/docs/compound/built-in-tools,
https://openrouter.ai/docs/features/web-search
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from schemas.undecodable import UNDECODABLE
from services.domain.providers.catalog import has_quirk
from services.domain.providers.record import Quirk
from services.domain.usage.envelope import Found, Part, part_of
from services.domain.usage.formats.fields import ParsedUsage
from services.domain.usage.formats.google import hides_media

_SEARCH: Final = "web_search_call"
_FILE_SEARCH: Final = "file_search_call"
_UNCOUNTED: Final = frozenset({"code_interpreter_call", "image_generation_call"})
# These pay more for the preview of the search, and the small ones a flat number of tokens that no usage tells.
_OLD_MODELS: Final = re.compile(r"(?:^|[/:])(?:chat)?gpt-4")
# Chat models that search once before each response.
_SEARCH_MODELS: Final = re.compile(r"-search-(?:preview|api)")
_ONE_FEE_A_PROMPT: Final = re.compile(r"(?:^|/)gemini-[12]")

# What an interaction with Google shows of a grounding that its usage may not count.
_GROUNDING_CALLS: Final = (b'"google_search_call"', b'"google_maps_call"')
_GOOGLES: Final = frozenset(("promptTokenCount", "totalTokenCount"))
_GROUNDED: Final = b'"groundingMetadata"'
# What betrays, anywhere in a response, that a tool or a search was charged which nothing counts: Groq's, OpenRouter's.
_TOOLS_RUN: Final = b'"executed_tools"'
_CITED: Final = b'"url_citation"'


class _Action(msgspec.Struct):
    type: str = "search"


class _Environment(msgspec.Struct):
    type: str = ""


class _Item(msgspec.Struct):
    type: str = ""
    action: _Action | None = None
    environment: _Environment | None = None  # of a shell

    @property
    def uncounted(self) -> bool:
        """Whether it is billed by container or by another model's tokens: nothing in the usage says how much."""
        hosted = self.type == "shell_call" and (self.environment is None or self.environment.type != "local")
        return hosted or self.type in _UNCOUNTED


class _Grounding(msgspec.Struct):
    queries: list[str] = msgspec.field(default_factory=list, name="webSearchQueries")
    image_queries: list[str] = msgspec.field(default_factory=list, name="imageSearchQueries")
    retrievals: list[str] = msgspec.field(default_factory=list, name="retrievalQueries")
    sources: list[dict[str, msgspec.Raw]] = msgspec.field(default_factory=list, name="groundingChunks")


class _Candidate(msgspec.Struct):
    grounding: _Grounding | None = msgspec.field(default=None, name="groundingMetadata")


_items = msgspec.json.Decoder(list[_Item])
_candidates = msgspec.json.Decoder(list[_Candidate])


def with_fees(counted: ParsedUsage, found: Found, chunks: Sequence[bytes], model: str, provider: str) -> ParsedUsage:
    """`counted` with the fees that a response of one or many `chunks` shows, whose usage was `found`."""
    if b'_call"' in bytes(found.part.output):
        return _with_calls(counted, found.part, model)
    if not _GOOGLES.isdisjoint(found.block):
        grounded = _with_grounding(counted, chunks, model)
        return _with(grounded, complete=not hides_media(found.block, chunks))
    if "total_input_tokens" in found.block:
        return _with(counted, complete=not any(call in chunk for chunk in chunks for call in _GROUNDING_CALLS))
    if _SEARCH_MODELS.search(model):
        return _with(counted, web_searches=1)
    return _with(counted, complete=not shows_fees(chunks, provider, searches=counted.usage.web_searches))


def shows_fees(chunks: Sequence[bytes], provider: str, searches: int = 0) -> bool:
    """Whether a response shows tools that were run for a fee, or, where no searches are known, a search."""
    if has_quirk(provider, Quirk.ALL_FEES_REPORTED):
        return False
    return any(_TOOLS_RUN in chunk or (not searches and _CITED in chunk) for chunk in chunks)


def _with_calls(counted: ParsedUsage, part: Part, model: str) -> ParsedUsage:
    """`counted` with OpenAI's calls of its own tools. Opening a page that was found costs nothing."""
    try:
        items = _items.decode(part.output)
    except UNDECODABLE:
        return _with(counted, complete=False)
    searches = sum(item.type == _SEARCH and (item.action or _Action()).type == "search" for item in items)
    dearer = _OLD_MODELS.search(model) and ("-mini" in model or b'"web_search_preview' in bytes(part.tools))
    return _with(
        counted,
        web_searches=searches,
        file_searches=sum(item.type == _FILE_SEARCH for item in items),
        complete=not any(item.uncounted for item in items) and not (searches and dearer),
    )


def _with_grounding(counted: ParsedUsage, chunks: Sequence[bytes], model: str) -> ParsedUsage:
    """`counted` with Google's searches."""
    marked = [chunk for chunk in chunks if _GROUNDED in chunk]
    if not marked:
        return counted
    try:
        found = [
            candidate.grounding
            for chunk in marked
            if (part := part_of(chunk)) is not None and part.candidates
            for candidate in _candidates.decode(part.candidates)
            if candidate.grounding is not None
        ]
    except UNDECODABLE:
        return _with(counted, complete=False)
    queries = {query for grounding in found for query in grounding.queries}
    searches = min(1, len(queries)) if _ONE_FEE_A_PROMPT.search(model) else len(queries)
    elsewhere = any(
        grounding.image_queries or grounding.retrievals or any("web" not in source for source in grounding.sources)
        for grounding in found
    )
    return _with(counted, web_searches=searches, complete=not elsewhere)


def _with(counted: ParsedUsage, *, web_searches: int = 0, file_searches: int = 0, complete: bool = True) -> ParsedUsage:
    usage = counted.usage
    if web_searches or file_searches:
        usage = msgspec.structs.replace(
            usage, web_searches=usage.web_searches + web_searches, file_searches=usage.file_searches + file_searches
        )
    return ParsedUsage(usage, counted.consistent, counted.complete and complete)
