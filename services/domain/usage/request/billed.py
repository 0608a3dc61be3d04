"""What only the request states of what is billed: a text that is spoken, pages to be annotated, how long to cache, and,
where the response does not repeat it, which model draws.

Sources: https://platform.openai.com/docs/pricing (tts-1), https://console.groq.com/docs/text-to-speech,
https://developers.openai.com/api/docs/guides/prompt-caching (`prompt_cache_options`),
https://docs.mistral.ai/capabilities/document_ai/annotations
"""

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from schemas.undecodable import UNDECODABLE
from services.domain.exchange.body import Body
from services.domain.providers.catalog import PROVIDERS
from services.domain.providers.record import any_of
from services.domain.usage.request.info import MAX_NAME_CHARACTERS

_BY_CHARACTER: Final = re.compile(any_of(*(provider.models_by_character for provider in PROVIDERS)))
_MAX_SPEECH_BYTES: Final = 64 * 2**10  # longer texts than any model speaks at once
_ANNOTATION: Final = b"annotation_format"
_MAX_LIFETIME_CHARACTERS: Final = 8
_CACHE_OPTIONS: Final = b"prompt_cache_options"
_DRAWING: Final = b'"image_generation"'


class _Speech(msgspec.Struct):
    model: str
    input: str


class _CacheOptions(msgspec.Struct):
    ttl: str = ""


class _Caching(msgspec.Struct):
    prompt_cache_options: _CacheOptions | None = None


class _Tool(msgspec.Struct):
    type: Any = None
    model: Any = None


class _Tools(msgspec.Struct):
    tools: list[_Tool] = []


class _Annotations(msgspec.Struct):
    bbox_annotation_format: Any = None
    document_annotation_format: Any = None


_speeches = msgspec.json.Decoder(_Speech)
_cachings = msgspec.json.Decoder(_Caching)
_annotations = msgspec.json.Decoder(_Annotations)
_tool_lists = msgspec.json.Decoder(_Tools)


def spoken_characters(request: Body) -> int:
    """The characters of a text that a model is to speak; 0 unless the model is billed by them."""
    if len(request.content) > _MAX_SPEECH_BYTES:
        return 0
    try:
        speech = _speeches.decode(request.content)
    except UNDECODABLE:
        return 0
    return len(speech.input) if _BY_CHARACTER.fullmatch(speech.model) else 0


def requested_cache_lifetime(request: Body) -> str:
    """How long OpenAI is to keep what it writes to its cache: `12h`, say; '' when the request does not state it."""
    if _CACHE_OPTIONS not in request.content:
        return ""
    try:
        options = _cachings.decode(request.content).prompt_cache_options
    except UNDECODABLE:
        return ""
    return "" if options is None else options.ttl[:_MAX_LIFETIME_CHARACTERS]


def image_model(request: Body) -> str:
    """The model that OpenAI is to have draw for the requested one; '' when the request does not name just one."""
    if _DRAWING not in request.content:
        return ""
    try:
        tools = _tool_lists.decode(request.content).tools
    except UNDECODABLE:
        return ""
    return named_for_images((tool.type, tool.model) for tool in tools)


def named_for_images(tools: Iterable[tuple[object, object]]) -> str:
    """The model that draws, where just one of `tools`, each by its type and its model, is for images; else ''."""
    models = [model for kind, model in tools if kind == "image_generation"]
    return models[0][:MAX_NAME_CHARACTERS] if len(models) == 1 and isinstance(models[0], str) else ""


def annotates_pages(request: Body) -> bool | None:
    """Whether the pages of a document are to be annotated; None when the request cannot be decoded."""
    if request.whole and request.content and _ANNOTATION not in request.content:
        return False
    try:
        asked = _annotations.decode(request.content)
    except UNDECODABLE:
        return None
    return asked.bbox_annotation_format is not None or asked.document_annotation_format is not None
