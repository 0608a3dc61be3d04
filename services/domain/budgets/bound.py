"""The most that a request can cost, from its body and its model's price, before anybody knows what it will cost.

Text is at most one token for each byte, as a token is at least one; what a body holds of pictures, sounds and
documents is bounded by rules of thumb, and so is a response whose request sets no maximum. Where a provider bills
more than that, a budget can be exceeded by the difference: services/proxy/README.md has the formula.
"""

import re
from collections.abc import Iterator
from decimal import ROUND_CEILING, Context, Decimal
from enum import Enum, auto
from math import ceil, inf
from typing import Any, Final

import msgspec

from schemas.price import Price, Rate
from schemas.undecodable import UNDECODABLE
from schemas.usage import INPUT
from services.domain.budgets.amounts import NANO
from services.domain.pricing.charge import context_tier_of

OUTPUT_TOKENS: Final = 16_384  # of a response whose request sets no maximum
OVERHEAD_TOKENS: Final = 1_000  # that a provider adds to a prompt, such as what explains its tools to a model
IMAGE_TOKENS: Final = 6_000
REMOTE_TOKENS: Final = 50_000  # of a document that is somewhere else
MEDIA_BYTES_A_TOKEN: Final = 20  # of a sound or document, as base64
SEARCHES: Final = 10  # of each kind, where a provider may search
MAX_BRACKETS: Final = 500_000  # opening ones, anywhere in a body: others would wait meanwhile
MAX_TOKENS: Final = 10_000_000  # no model takes or makes more

_MAXIMA: Final = ("max_completion_tokens", "max_tokens", "max_output_tokens", "maxOutputTokens", "maxTokens")
_OLD_MAXIMA: Final = ("max_tokens_to_sample", "max_gen_len", "maxTokenCount")
_CONFIGS: Final = ("generationConfig", "generation_config", "inferenceConfig", "textGenerationConfig")
_COUNTS: Final = ("n", "best_of", "candidateCount", "candidate_count")
# What the provider kept of earlier requests is part of the prompt, and nobody here knows how much.
_STORED: Final = ("previous_response_id", "conversation", "cachedContent", "cached_content", "container")
_INLINE: Final = frozenset(("data", "bytes", "file_data", "b64_json"))
_REMOTE: Final = frozenset(("url", "image_url", "file_url", "file_id", "fileUri", "file_uri", "uri"))
# Whatever names are in it, a model reads it as text.
_TEXTS: Final = frozenset(
    (
        *("tools", "functions", "parameters", "response_format", "text_format", "metadata"),
        *("arguments", "args", "toolUse", "response", "json"),  # of calls of tools and their results
    )
)
_TYPES: Final = ("type", "media_type", "mimeType", "mime_type")
_TEXT_FORMATS: Final = frozenset(("txt", "md", "csv", "html"))
_TEXT_INPUT: Final = frozenset(("prompt_tokens", "prompt_cache_read_tokens"))
_CACHED_INPUT: Final = frozenset(name for name in INPUT if "cache_write" in name)
_TEXT_OUTPUT: Final = frozenset(("completion_tokens", "reasoning_tokens"))
_MEDIA_OUTPUT: Final = frozenset(("completion_audio_tokens", "completion_image_tokens", "completion_video_tokens"))
_ASKS_FOR_MEDIA: Final = (b'"modalities"', b'"responseModalities"', b'"response_modalities"', b"image_generation")

_DIGITS: Final = re.compile(r"[0-9]{1,18}")
_EXACT: Final = Context(prec=60)
_any = msgspec.json.Decoder()


class _Kind(Enum):
    """What is in an object, as its fields say."""

    TEXT = auto()  # in any encoding, of which each byte is a token at most
    IMAGE = auto()
    OTHER = auto()


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How many tokens a request can have at most, and which kinds."""

    input_tokens: int
    output_tokens: int
    has_media: bool = False
    makes_media: bool = False
    may_cache: bool = False
    may_search: bool = False
    tier: str = ""  # of the service, as the request asks for it


def size_of(content: bytes, *, may_search: bool) -> Size | None:
    """Of a request with the JSON body `content`. None where it is no JSON object, or not all that it is about."""
    if content.count(b"[") + content.count(b"{") > MAX_BRACKETS:
        return None
    try:
        body = _any.decode(content)
        media = list(_media(body))
    except UNDECODABLE:
        return None
    if not isinstance(body, dict) or any(body.get(name) for name in _STORED):
        return None
    text_bytes = max(0, len(content) - sum(held for held, _ in media))
    return Size(
        input_tokens=min(MAX_TOKENS, OVERHEAD_TOKENS + text_bytes + sum(tokens for _, tokens in media)),
        output_tokens=min(MAX_TOKENS, _maximum(body) * _count(body)),
        has_media=bool(media),
        makes_media=any(word in content for word in _ASKS_FOR_MEDIA),
        may_cache=b"cache" in content,
        may_search=may_search,
    )


def bound_nano(size: Size, price: Price | None) -> int | None:
    """Nanodollars, rounded up. None where there is no price for tokens or requests."""
    if price is None or not (price.rates or price.usd_per_request):
        return None
    usd = price.usd_per_request
    for tokens, classes in ((size.input_tokens, _input_classes(size)), (size.output_tokens, _output_classes(size))):
        rates = [rate for name, rate in price.rates.items() if name in classes]
        usd += max((_amount(rate, tokens, size.input_tokens) for rate in rates), default=Decimal(0))
    if size.may_search:
        searches = [rate for name, rate in price.rates.items() if name.endswith("_searches")]
        usd += sum((_amount(rate, SEARCHES, 0) for rate in searches), Decimal(0))
    return int(usd.scaleb(NANO, _EXACT).to_integral_value(ROUND_CEILING))


def _amount(rate: Rate, quantity: int, prompt_size: int) -> Decimal:
    unit_usd = max(rate.usd, context_tier_of(rate, prompt_size)[1])
    return _EXACT.divide(_EXACT.multiply(unit_usd, max(quantity, rate.at_least)), rate.per)


def _input_classes(size: Size) -> frozenset[str]:
    cached = _CACHED_INPUT if size.may_cache else frozenset()
    return frozenset(INPUT) if size.has_media else _TEXT_INPUT | cached


def _output_classes(size: Size) -> frozenset[str]:
    return _TEXT_OUTPUT | _MEDIA_OUTPUT if size.makes_media else _TEXT_OUTPUT


def _maximum(body: dict[str, Any]) -> int:
    found = [body, *(inner for name in _CONFIGS if isinstance(inner := body.get(name), dict))]
    names = (*_MAXIMA, *_OLD_MAXIMA)
    return max(
        (limit for part in found for name in names if (limit := _positive(part.get(name)))), default=OUTPUT_TOKENS
    )


def _count(body: dict[str, Any]) -> int:
    found = [body, *(inner for name in _CONFIGS if isinstance(inner := body.get(name), dict))]
    return max((count for part in found for name in _COUNTS if (count := _positive(part.get(name)))), default=1)


def _positive(value: object) -> int:
    """Rounded up, as some servers take 1e5 and "100000" too; 0 for whatever is no positive number."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value < inf:
        return 0
    return max(0, ceil(value))


def _media(value: object, name: str = "", kind: _Kind = _Kind.OTHER) -> Iterator[tuple[int, int]]:
    """The bytes in the body of each thing that is no text, and the tokens that it is counted as.

    By its place: what only looks like a picture is text to a model, and billed as such.
    """
    if isinstance(value, dict):
        kind = _kind_of(value, kind)
        is_tool_use = _text_in(value, "type").endswith("tool_use")
        for key, inner in value.items():
            if key not in _TEXTS and not (is_tool_use and key == "input"):
                yield from _media(inner, key, _Kind.IMAGE if "image" in key else kind)
    elif isinstance(value, list):
        for inner in value:
            yield from _media(inner, name, kind)
    elif isinstance(value, str) and (name in _INLINE or name in _REMOTE):
        yield from _one(value, kind, is_remote=name in _REMOTE and not value.startswith("data:"))


def _one(value: str, kind: _Kind, *, is_remote: bool) -> Iterator[tuple[int, int]]:
    if value.startswith("data:image/"):
        kind = _Kind.IMAGE
    if is_remote:  # its address is text as well
        yield 0, IMAGE_TOKENS if kind is _Kind.IMAGE else REMOTE_TOKENS
    elif kind is _Kind.IMAGE:
        yield len(value), IMAGE_TOKENS
    elif kind is not _Kind.TEXT and not value.startswith("data:text/"):
        yield len(value), IMAGE_TOKENS + len(value) // MEDIA_BYTES_A_TOKEN


def _kind_of(value: dict[str, Any], around: _Kind) -> _Kind:
    """That of what it is in, where it does not say."""
    kinds = [_text_in(value, name) for name in _TYPES]
    if any(kind == "text" or kind.startswith("text/") for kind in kinds) or _text_in(value, "format") in _TEXT_FORMATS:
        return _Kind.TEXT
    return _Kind.IMAGE if any("image" in kind for kind in kinds) else around


def _text_in(value: dict[str, Any], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""
