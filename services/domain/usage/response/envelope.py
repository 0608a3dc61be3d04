"""The fields of providers' responses that are parsed, and where in them model, usage and errors are.

A response, a chunk of a stream, and the response object within a chunk are all decoded as one `Part`: no provider uses
one of its names for anything else.
"""

from typing import Final

import msgspec

from schemas.undecodable import UNDECODABLE
from services.domain.usage.formats.fields import UsageObject
from services.domain.usage.request.info import RESOURCE

NOT_THERE: Final = msgspec.Raw(b"")
_MAX_BLOCK_BYTES: Final = 64 * 2**10  # no provider's is near it; one of megabytes would block all other work


class Part(msgspec.Struct):
    """Fields are decoded further only on demand."""

    type: msgspec.Raw = NOT_THERE
    model: msgspec.Raw = NOT_THERE
    usage: msgspec.Raw = NOT_THERE
    usage_info: msgspec.Raw = NOT_THERE  # Mistral's, of documents
    service_tier: msgspec.Raw = NOT_THERE
    bedrock_tier: msgspec.Raw = msgspec.field(default=NOT_THERE, name="serviceTier")
    bedrock_performance: msgspec.Raw = msgspec.field(default=NOT_THERE, name="performanceConfig")
    error: msgspec.Raw = NOT_THERE
    output: msgspec.Raw = NOT_THERE
    tools: msgspec.Raw = NOT_THERE
    tool_usage: msgspec.Raw = NOT_THERE  # OpenAI's, of the tools that it runs itself
    message: msgspec.Raw = NOT_THERE  # Anthropic's message_start
    response: msgspec.Raw = NOT_THERE  # OpenAI's responses events, and the end of streams of Cohere's v1
    x_groq: msgspec.Raw = NOT_THERE
    model_version: msgspec.Raw = msgspec.field(default=NOT_THERE, name="modelVersion")  # Google's
    usage_metadata: msgspec.Raw = msgspec.field(default=NOT_THERE, name="usageMetadata")
    choices: msgspec.Raw = NOT_THERE
    candidates: msgspec.Raw = NOT_THERE  # Google's choices
    data: msgspec.Raw = NOT_THERE  # embeddings, rankings and images
    svg_usage: msgspec.Raw = NOT_THERE  # of another model, which draws for the one that generates the images
    meta: msgspec.Raw = NOT_THERE  # Cohere's
    interaction: msgspec.Raw = NOT_THERE  # the end of Google's streams of interactions
    event_type: msgspec.Raw = NOT_THERE  # the type of the chunks of those and of Cohere's v1
    delta: msgspec.Raw = NOT_THERE  # the end of Cohere's streams; Anthropic's stop reason


class Found(msgspec.Struct):
    """A usage object and the part that contains it."""

    part: Part
    block: UsageObject
    raw: bytes
    opening: bool = False  # in the message_start of a stream: the output is not known yet


_decoder = msgspec.json.Decoder(Part)
_any = msgspec.json.Decoder()


def parse_part(text: bytes | msgspec.Raw) -> Part | None:
    """None when `text` is not a JSON object."""
    if not text:
        return None
    try:
        return _decoder.decode(text)
    except UNDECODABLE:
        return None


def value_of(raw: msgspec.Raw) -> object:
    """None when `raw` is empty or cannot be decoded."""
    if not raw:
        return None
    try:
        return _any.decode(raw)
    except UNDECODABLE:
        return None


def usage_in(part: Part) -> Found | None:
    """The usage object of a part, at the first of the known places that has one."""
    for raw in (part.usage, part.usage_metadata, part.usage_info):
        if raw and (found := _found(part, raw)) is not None:
            return found
    for wrapper in (part.response, part.message, part.x_groq, part.interaction, part.delta):
        inner, opening = parse_part(wrapper), wrapper is part.message
        raw = (inner.usage or inner.usage_metadata or inner.meta) if inner is not None else NOT_THERE
        if inner is not None and raw and (found := _found(inner, raw, opening=opening)) is not None:
            return found
    return _found(part, part.meta) if b"billed_units" in bytes(part.meta) else None


def _found(part: Part, raw: msgspec.Raw, *, opening: bool = False) -> Found | None:
    block = value_of(raw) if len(bytes(raw)) <= _MAX_BLOCK_BYTES else None
    if not isinstance(block, dict) or not block:
        return None
    return Found(part=part, block=block, raw=bytes(raw), opening=opening)


def model_in(part: Part) -> str:
    """The model that a part, or an object in it, names; '' when none does."""
    if name := _model(part):
        return name
    inner = (parse_part(wrapper) for wrapper in (part.message, part.response, part.interaction) if wrapper)
    return next((name for one in inner if one is not None and (name := _model(one))), "")


def _model(part: Part) -> str:
    name = value_of(part.model or part.model_version)
    return name.removeprefix(RESOURCE) if isinstance(name, str) else ""


def tier_in(part: Part) -> str:
    """The service tier that a response names beside its usage; '' when it names none."""
    if part.service_tier:
        tier = value_of(part.service_tier)
        return tier if isinstance(tier, str) else ""
    if part.bedrock_tier or part.bedrock_performance:
        tier, performance = value_of(part.bedrock_tier), value_of(part.bedrock_performance)
        named = tier.get("type") if isinstance(tier, dict) else ""
        latency = performance.get("latency") if isinstance(performance, dict) else ""
        return "optimized-latency" if latency == "optimized" else str(named or "")
    return ""
